"""The cold path: freezer -> air of the box -> glass -> boards, and the humidity of the air.

Each stage follows the one before with a first-order lag; between two changes of an input all are closed formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.kernel import NS_PER_S, SimTime
from sim.lab.figures import ColdFigures


@dataclass(frozen=True, slots=True)
class _Start:
    """The state at the last change."""

    at: SimTime
    air: float
    glass: float
    humidity: float


class ColdPath:
    """Temperatures in Celsius and relative humidity in per cent, as functions of time."""

    def __init__(self, figures: ColdFigures) -> None:
        self._figures = figures
        self._start = _Start(SimTime(0), figures.start_c, figures.start_c, figures.humidity_open)
        self.set_point = figures.start_c
        self.running, self.open = True, False

    def set_freezer(self, now: SimTime, celsius: float) -> None:
        """Give the freezer another set-point; it stays within what the freezer can do."""
        self._restart(now)
        self.set_point = min(max(celsius, self._figures.min_c), self._figures.max_c)

    def run(self, now: SimTime, running: bool) -> None:
        """Switch the freezer's compressor on or off."""
        self._restart(now)
        self.running = running

    def open_door(self, now: SimTime, open_: bool) -> None:
        """Open or close the freezer."""
        self._restart(now)
        self.open = open_

    def air(self, at: SimTime) -> float:
        """Of the air inside the box."""
        target = self._target()
        return target + (self._start.air - target) * math.exp(-self._hours(at) / self._air_lag())

    def glass(self, at: SimTime) -> float:
        """Of the vessels, which follow the air."""
        target = self._target()
        pull = self._start.air - target
        return _followed(
            self._start.glass, target, pull, self._air_lag(), self._figures.glass_lag_h, self._hours(at)
        )

    def humidity(self, at: SimTime) -> float:
        """Relative humidity of the air in the box, per cent."""
        f = self._figures
        steepness = 0.0 if self.open else f.humidity_per_c
        settled = (
            f.humidity_open if self.open else f.humidity_closed + steepness * (self._target() - f.room_c)
        )
        pull = steepness * (self._start.air - self._target())
        value = _followed(
            self._start.humidity, settled, pull, self._air_lag(), f.humidity_lag_h, self._hours(at)
        )
        return min(100.0, max(0.0, value))

    def outside(self) -> float:
        """Of the laboratory."""
        return self._figures.room_c

    def _target(self) -> float:
        return self.set_point if self.running and not self.open else self._figures.room_c

    def _air_lag(self) -> float:
        return self._figures.open_lag_h if self.open else self._figures.air_lag_h

    def _hours(self, at: SimTime) -> float:
        return max(0, at - self._start.at) / (3600 * NS_PER_S)

    def _restart(self, now: SimTime) -> None:
        self._start = _Start(now, self.air(now), self.glass(now), self.humidity(now))


def _followed(start: float, settled: float, pull: float, pull_lag: float, lag: float, hours: float) -> float:
    """What follows `settled + pull * exp(-hours / pull_lag)` with a lag of its own, from *start* on."""
    own, left = math.exp(-hours / lag), start - settled
    if math.isclose(pull_lag, lag, rel_tol=1e-6):
        return settled + (left + pull * hours / lag) * own
    share = pull * pull_lag / (pull_lag - lag)
    return settled + share * math.exp(-hours / pull_lag) + (left - share) * own
