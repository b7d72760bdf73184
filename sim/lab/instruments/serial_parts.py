"""The small instruments at serial ports and USB: two filter wheels, the thermometer, the humidity sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sim.kernel import FaultSpec, Server
from sim.lab.instruments.filter_wheel import BAUD, COUNTS, WHEEL_FAULTS, FilterWheel
from sim.lab.instruments.humidity import HUMIDITY_FAULTS, HumidityTable, HumidityTree
from sim.lab.instruments.thermometer import BAUD as THERMOMETER_BAUD
from sim.lab.instruments.thermometer import THERMOMETER_FAULTS, Thermometer, ThermometerTable
from sim.lab.lines import PtyLine
from sim.lab.site import Site

FAULTS: Final[Mapping[str, tuple[FaultSpec, ...]]] = {
    "filter_wheel_0": WHEEL_FAULTS,
    "filter_wheel_1": WHEEL_FAULTS,
    "thermometer": THERMOMETER_FAULTS,
    "humidity": HUMIDITY_FAULTS,
}
"""By part."""

Strength = Annotated[float, Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FilterWheelTable(_Table):
    """Options of a filter wheel."""

    strengths: list[Strength] = Field(
        description="what each position lets through: six, or twelve for a large wheel"
    )

    @field_validator("strengths")
    @classmethod
    def _six_or_twelve(cls, value: list[float]) -> list[float]:
        if len(value) not in COUNTS:
            raise ValueError(f"a wheel has 6 or 12 positions, not {len(value)}")
        return value


class SerialTable(_Table):
    """Options of the small instruments. The FAT needs the strengths 1, 0.05, 0.25, 0.32 and 1, 0.5, 0.1, 0.01."""

    filter_wheel_0: FilterWheelTable = FilterWheelTable(strengths=[1.0, 0.05, 0.25, 0.32, 1.0, 1.0])
    filter_wheel_1: FilterWheelTable = FilterWheelTable(strengths=[1.0, 0.5, 0.1, 0.01, 1.0, 1.0])
    thermometer: ThermometerTable = ThermometerTable()
    humidity: HumidityTable = HumidityTable()


def servers(site: Site, table: SerialTable) -> dict[str, Server]:
    """By endpoint suffix: paths of serial ports, and the folder of the humidity sensors."""
    return {
        "filter_wheel_0": _wheel(site, 0, table.filter_wheel_0),
        "filter_wheel_1": _wheel(site, 1, table.filter_wheel_1),
        "thermometer": _thermometer(site, table.thermometer),
        "humidity": HumidityTree(
            "humidity",
            site.folder / table.humidity.root,
            site.clock,
            site.world,
            site.faults("humidity"),
            table.humidity.period_s,
        ),
    }


def _wheel(site: Site, number: int, table: FilterWheelTable) -> PtyLine:
    name = f"filter_wheel_{number}"
    faults, light = site.faults(name), site.world.light
    wheel = FilterWheel(
        faults,
        site.world.figures.wheel,
        table.strengths,
        lambda now, strength: light.set_strength(now, number, strength),
        lambda baud: line.set_baud(baud),
    )
    site.shown[site.full_name(name)] = lambda _: {"position": wheel.position}
    line = PtyLine(
        name, wheel, site.clock, faults, site.transcript, at=site.folder / "dev" / name, baud=BAUD[1]
    )
    return line


def _thermometer(site: Site, table: ThermometerTable) -> PtyLine:
    faults = site.faults("thermometer")
    meter = Thermometer(faults, site.world.cold, table)
    return PtyLine(
        "thermometer",
        meter,
        site.clock,
        faults,
        site.transcript,
        at=site.folder / "dev/thermometer",
        baud=THERMOMETER_BAUD,
        speaker=meter,
    )
