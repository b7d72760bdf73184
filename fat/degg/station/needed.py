"""Which instruments a task needs: said beside its function, and asked before the task whether they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeVar

from fat.degg.station.errors import StationError
from fat.degg.station.freezer import FreezerChamber, FreezerKeys
from fat.degg.station.humidity import HumiditySensors
from fat.degg.station.station import Station
from fat.degg.station.supply import LASER_WINDOW_V, LaserSupply
from fat.degg.station.thermometer import Thermometer
from fat.errors import FatError

F = TypeVar("F", bound=Callable[..., Any])
ATTRIBUTE: Final = "__stellwerk_instruments__"


class Instrument(StrEnum):
    """What stands in the laboratory beside the modules; the value is its name among the endpoints (docs/lab.md)."""

    GENERATOR = "lab.function_generator"
    SUPPLY = "lab.power_supply"
    WHEEL_0 = "lab.filter_wheel_0"
    WHEEL_1 = "lab.filter_wheel_1"
    THERMOMETER = "lab.thermometer"
    HUMIDITY = "lab.humidity"
    KEYS = "lab.freezer_pins"
    CHAMBER = "lab.chamber"


LASER: Final = (Instrument.GENERATOR, Instrument.SUPPLY, Instrument.WHEEL_0, Instrument.WHEEL_1)
"""All that its light goes through."""
SURROUNDINGS: Final = (Instrument.THERMOMETER, Instrument.HUMIDITY)
"""Without them tasks go on, with gaps in what is recorded."""


def needs_instruments(*instruments: Instrument) -> Callable[[F], F]:
    """Say of a task function which instruments it uses; the check before it asks those."""

    def mark(function: F) -> F:
        setattr(function, ATTRIBUTE, instruments)
        return function

    return mark


def needed_by(function: Callable[..., Any]) -> tuple[Instrument, ...]:
    """What a function says that it uses; nothing where it says nothing."""
    found: tuple[Instrument, ...] = getattr(function, ATTRIBUTE, ())
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What instruments said: a few words for each that is well, a sentence for each that is not."""

    well: Mapping[Instrument, str]
    ill: Mapping[Instrument, str]


def ask(station: Station, instruments: tuple[Instrument, ...]) -> Asked:
    """Ask all of them side by side, each with its own time-out. Nothing is changed, and no bench time passes."""
    well: dict[Instrument, str] = {}
    ill: dict[Instrument, str] = {}
    with ThreadPoolExecutor(max(1, len(instruments)), thread_name_prefix="instrument") as pool:
        answers: dict[Instrument, Future[str]] = {}
        for instrument in instruments:
            try:
                answers[instrument] = pool.submit(QUESTIONS[instrument](station))
            except FatError as error:  # there is no such address
                ill[instrument] = str(error)
        for instrument, answer in answers.items():
            try:
                well[instrument] = answer.result()
            except FatError as error:
                ill[instrument] = _with_address(str(error), station.address(instrument))
    return Asked(well, ill)


def _with_address(sentence: str, address: str) -> str:
    return sentence if address in sentence else f"{sentence} ({address})"


def _supply(supply: LaserSupply) -> str:
    """On, within the window in which the laser's head fires. Raises StationError."""
    low, high = LASER_WINDOW_V
    if not supply.is_on():
        raise StationError(
            f"{supply.name} at {supply.address} is off; switch it on, at {low:g} to {high:g} V"
        )
    volts = supply.volts()
    if not low <= volts <= high:
        raise StationError(
            f"{supply.name} at {supply.address} gives {volts:.2f} V; the laser needs {low:g} to {high:g} V"
        )
    return f"{supply.name} gives {volts:.2f} V"


def _thermometer(thermometer: Thermometer) -> str:
    celsius = thermometer.read()
    return "thermometer " + ", ".join(f"{value:.1f}" for value in celsius.values()) + " C"


def _humidity(humidity: HumiditySensors) -> str:
    sensors = humidity.read_all()
    return "humidity " + ", ".join(f"{sensor.percent:.0f}" for sensor in sensors.values()) + " %"


def _keys(keys: FreezerKeys) -> str:
    return f"the freezer's key set is {'held' if keys.pressed() else 'not held'}"


def _chamber(chamber: FreezerChamber) -> str:
    chamber.reach()
    return "the freezer's chamber connects"


QUESTIONS: Final[Mapping[Instrument, Callable[[Station], Callable[[], str]]]] = {
    Instrument.GENERATOR: lambda station: station.generator.identity,
    Instrument.SUPPLY: lambda station: partial(_supply, station.supply),
    Instrument.WHEEL_0: lambda station: station.wheels.wheels[0].identity,
    Instrument.WHEEL_1: lambda station: station.wheels.wheels[1].identity,
    Instrument.THERMOMETER: lambda station: partial(_thermometer, station.thermometer),
    Instrument.HUMIDITY: lambda station: partial(_humidity, station.humidity),
    Instrument.KEYS: lambda station: partial(_keys, station.freezer_keys),
    Instrument.CHAMBER: lambda station: partial(_chamber, station.freezer_chamber),
}
"""What each is asked, in a thread of its own."""
