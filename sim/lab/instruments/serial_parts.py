"""The small instruments at serial ports and USB: two filter wheels, the thermometer, the humidity sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim.kernel import FaultSpec, Server
from sim.lab.instruments.filter_wheel import BAUD, WHEEL_FAULTS, FilterWheel
from sim.lab.instruments.humidity import HUMIDITY_FAULTS, HumidityTree
from sim.lab.instruments.thermometer import BAUD as THERMOMETER_BAUD
from sim.lab.instruments.thermometer import THERMOMETER_FAULTS, Thermometer
from sim.lab.lines import PtyLine
from sim.lab.site import Site
from sim.lab.tables.serial import FilterWheelTable, SerialTable, ThermometerTable

FAULTS: Final[Mapping[str, tuple[FaultSpec, ...]]] = {
    "filter_wheel_0": WHEEL_FAULTS,
    "filter_wheel_1": WHEEL_FAULTS,
    "thermometer": THERMOMETER_FAULTS,
    "humidity": HUMIDITY_FAULTS,
}
"""By part."""


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
