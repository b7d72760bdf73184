"""`stellwerk fat simple-check` and `check-laser-freq`: the instruments, and the laser's rate, before a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.commands.telling import Row, Teller
from fat.degg.station import humidity, thermometer
from fat.degg.station.errors import StationError
from fat.degg.station.records import TICKS_PER_S
from fat.degg.station.station import Station
from fat.degg.station.wheels import FilterWheel
from fat.errors import UsageError

GENERATOR_S: Final = 2.0
CHECK_HZ: Final = 100.0
EVENTS: Final = 1000
ENOUGH: Final = 999
"""Differences inside the window, of so many events."""
WINDOWS_S: Final = {100.0: (9.9e-3, 10.1e-3), 500.0: (1.9e-3, 2.1e-3), 1000.0: (0.99e-3, 1.01e-3)}
OTHER_WINDOW: Final = 0.01
"""Of the period, at other rates."""
SYNC_COUNTS: Final = 2000
"""Over the baseline; the sync is some 4000 high."""
TRIES: Final = 2
REMINDER: Final = (
    "The freezer must be on, and the laser's supply is checked by hand: on, between 11.4 and 12.6 V."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One of the instruments: the option that asks for it, and what it is called."""

    option: str
    name: str
    work: Callable[[Station, Callable[[str], None]], str]


def check_wheels(station: Station, tell: Callable[[str], None]) -> str:
    """Both stand at a filter that is known, and turn to each other one and back."""
    found = []
    for wheel in station.wheels.wheels:
        tell(f"{wheel.name} turns")
        wheel.darken_sensors()
        before = wheel.position()
        strength = wheel.strength()
        _turn_round(wheel, before)
        found.append(f"{wheel.name} at {strength:g}")
    return f"{' and '.join(found)}; both turn"


def _turn_round(wheel: FilterWheel, before: int) -> None:
    for strength in dict.fromkeys(wheel.strengths):
        wheel.choose(strength)
    wheel.move(before)


def check_humidity(station: Station, tell: Callable[[str], None]) -> str:
    """Both sensors tell something that can be."""
    del tell
    found = []
    for number, sensor in station.humidity.read_all().items():
        if not 0 <= sensor.percent <= 100:
            raise UsageError(
                f"humidity sensor {number} tells {sensor.percent:g} %; exchange it, or plug it in anew"
            )
        found.append(f"{sensor.percent:.1f} % and {sensor.celsius:.1f} C {humidity.ABOUT[number]}")
    return ", ".join(found)


def check_generator(station: Station, tell: Callable[[str], None]) -> str:
    """Started, two seconds, stopped."""
    tell("the generator gives pulses")
    station.generator.pulses(CHECK_HZ)
    try:
        station.wait(GENERATOR_S)
        hertz = station.generator.frequency()
    finally:
        station.generator.off()
    return f"started at {hertz:g} Hz, stopped after {GENERATOR_S:g} s ({station.generator.identity()})"


def check_thermometer(station: Station, tell: Callable[[str], None]) -> str:
    """All four channels."""
    tell("the thermometer sends")
    found = station.thermometer.read()
    return ", ".join(f"{value:.1f} C {thermometer.ABOUT[channel]}" for channel, value in found.items())


CHECKS: Final = (
    Check("-fw", "filter wheels", check_wheels),
    Check("-h", "humidity sensors", check_humidity),
    Check("-fg", "function generator", check_generator),
    Check("-t", "thermometer", check_thermometer),
)


def simple_check(station: Station, teller: Teller, options: Sequence[str]) -> list[Row]:
    """Check the instruments of these options; without any, all."""
    rows = []
    for check in CHECKS:
        if options and check.option not in options:
            rows.append(Row(None, check.name, "not asked for"))
            continue
        with teller.doing(check.name) as tell:
            try:
                rows.append(Row(True, check.name, check.work(station, tell)))
            except (StationError, UsageError) as error:
                rows.append(Row(False, check.name, str(error)))
    return rows


@dataclass(frozen=True, slots=True)
class LaserRate:
    """What the sync of the laser showed.

    events  how many came
    inside  differences of neighbours inside the window; median_s: of all differences, NaN without
    """

    events: int
    inside: int
    median_s: float

    @property
    def ok(self) -> bool:
        """Whether enough of them lie inside."""
        return self.inside >= ENOUGH


def window_s(hertz: float) -> tuple[float, float]:
    """The differences that are right at a rate. Raises UsageError for a rate that is none."""
    if not 0.1 <= hertz <= 1e5:
        raise UsageError(f"the laser's rate must be 0.1..100000 Hz, not {hertz:g}")
    return WINDOWS_S.get(hertz, ((1 - OTHER_WINDOW) / hertz, (1 + OTHER_WINDOW) / hertz))


def rate_of(ticks: NDArray[np.int64], hertz: float) -> LaserRate:
    """Judge the times of sync events, ticks of 240 MHz."""
    low, high = window_s(hertz)
    gaps = np.diff(ticks) / TICKS_PER_S
    inside = int(((gaps >= low) & (gaps <= high)).sum())
    return LaserRate(int(ticks.size), inside, float(np.median(gaps)) if gaps.size else float("nan"))


def hertz_of(rate: LaserRate) -> float | None:
    """The rate that the median of the differences tells; None without any."""
    return 1 / rate.median_s if rate.median_s > 0 else None


def told(rate: LaserRate, hertz: float) -> str:
    """A try in words, and what to do when it is not right."""
    if rate.events < EVENTS:
        return (
            f"{rate.events} of {EVENTS} sync events came: check the generator's output, the laser's supply, "
            "and the cable of the sync"
        )
    measured = hertz_of(rate) or float("nan")
    text = f"{rate.inside} of {rate.events - 1} gaps inside, {measured:.3f} Hz"
    return text if rate.ok else f"{text} and not {hertz:g}: check the generator"


def check_laser_rate(station: Station, teller: Teller, hertz: float, *, as_it_is: bool) -> list[LaserRate]:
    """Sync events of the laser on the tabletop mainboard; a second try when the first is not right, and no third.

    as_it_is  the generator is left alone; else it is set to the rate, and off afterwards
    """
    window_s(hertz)
    if not as_it_is:
        station.generator.pulses(hertz)
    found: list[LaserRate] = []
    try:
        board = station.tabletop
        threshold = round(board.baseline(0)) + SYNC_COUNTS
        for number in range(TRIES):
            with teller.doing(f"{EVENTS} sync events, try {number + 1}"):
                stamps = board.charge_stamps(
                    EVENTS, channels=(0,), thresholds=(threshold,), patience_s=10.0 + 60.0 / hertz
                )[0]
            found.append(rate_of(stamps.ticks, hertz))
            station.spend(stamps.span_s)
            if found[-1].ok:
                break
    finally:
        if not as_it_is:
            station.generator.off()
    return found
