"""Which events are the laser's: those that come in its period, found without knowing when it began.

The digitisers' clocks are off by some parts in a million, and nobody tells them when the laser fires. Two events one
period apart, to within what a clock can be off, are the laser's or a rare accident. From such pairs the period is
refined over longer and longer distances, until a straight line tells each pulse's moment to a fraction of a tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TICKS_PER_S: Final = 240e6
CLOCK_OFF: Final = 20e-6
"""A clock that is off by more is broken; quartzes of mainboards keep a few parts in a million."""
CORE_TICKS: Final = 15.0
"""Arrivals spread by some ns; 15 ticks (62 ns) hold those that come late as well."""
SIGNIFICANT: Final = 5.0
"""So many standard deviations of accidental pairs are needed, and as many pairs."""


@dataclass(frozen=True, slots=True)
class LaserLock:
    """Events that keep the laser's time.

    chosen  (n) bool: the event is the laser's
    number  (n) int64 number of the laser's pulse that the event lies next to, from 0
    period  of the laser, ticks of the digitiser's clock; first: moment of pulse 0, ticks after the first event
    """

    chosen: NDArray[np.bool_]
    number: NDArray[np.int64]
    period: float
    first: float

    @property
    def pulses(self) -> int:
        """Pulses of the laser from the first that was seen to the last."""
        if not self.chosen.any():
            return 0
        seen = self.number[self.chosen]
        return int(seen.max() - seen.min()) + 1

    @property
    def efficiency(self) -> float:
        """The share of those pulses that were seen; 0 without a lock."""
        return np.unique(self.number[self.chosen]).size / self.pulses if self.pulses else 0.0

    def late_ticks(self, ticks: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n) how long after their pulse's moment events came, ticks."""
        return np.asarray((ticks - ticks[0]) - self.first - self.number * self.period)


def lock(ticks: NDArray[np.int64], frequency_hz: float) -> LaserLock | None:
    """Find the laser among events; None when nothing keeps its period.

    ticks         (n) int64, 240 MHz, ascending
    frequency_hz  nominal
    """
    if ticks.size < 8:
        return None
    at = (ticks - ticks[0]).astype(np.float64)
    nominal = TICKS_PER_S / frequency_hz
    reach = CORE_TICKS + CLOCK_OFF * nominal
    earlier, apart = _pairs(at, nominal, reach)
    span = max(at[-1], 1.0)
    accidental = at.size**2 / span * 2 * reach
    if earlier.size < accidental + SIGNIFICANT * np.sqrt(accidental) + SIGNIFICANT:
        return None
    period = _refined(at, nominal + float(np.median(apart)))
    centre = _moment(at, period, at[earlier])
    number = np.rint((at - centre) / period).astype(np.int64)
    chosen = np.abs(at - centre - number * period) <= CORE_TICKS
    if chosen.sum() < SIGNIFICANT:
        return None
    least = number[chosen].min()
    return LaserLock(chosen, number - least, period, float(centre + least * period))


def _pairs(
    at: NDArray[np.float64], distance: float, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Events with one *distance* later, to within *reach*; how much the first such one differs from it."""
    later = np.searchsorted(at, at + distance - reach)
    inside = np.minimum(later, at.size - 1)
    apart = at[inside] - at - distance
    found = (later < at.size) & (np.abs(apart) <= reach)
    return np.flatnonzero(found), apart[found]


def _refined(at: NDArray[np.float64], period: float) -> float:
    """The period over ever longer distances."""
    pulses = 2
    while pulses * period < at[-1] / 2:
        _, apart = _pairs(at, pulses * period, 2 * CORE_TICKS)
        if apart.size < 4:
            break
        period += float(np.median(apart)) / pulses
        pulses *= 2
    return period


def _moment(at: NDArray[np.float64], period: float, sure: NDArray[np.float64]) -> float:
    """Moment of a pulse: where in the period most of the paired events lie."""
    reference = float(sure[0])
    phase = sure - reference - np.rint((sure - reference) / period) * period
    # The period is good to a fraction of a tick over the whole span, so that the laser's events lie together.
    ordered = np.sort(phase)
    half = max(1, ordered.size // 4)
    narrowest = int(np.argmin(ordered[half:] - ordered[:-half]))
    near = reference + float(ordered[narrowest + half // 2])
    shift = at - near
    phase = shift - np.rint(shift / period) * period
    return near + float(np.median(phase[np.abs(phase) <= CORE_TICKS]))
