"""The scaler: counts of the last full period, non-paralysable dead time."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from sim.degg.clock import DomClock
from sim.degg.digitiser import tables
from sim.degg.digitiser.acquisition import Analogue
from sim.degg.digitiser.segment import TICKS_PER_S, Surroundings
from sim.degg.digitiser.trigger import FIR_SCALE, Trigger
from sim.degg.keys import key_of
from sim.degg.photomultiplier import kernels
from sim.degg.photomultiplier import layout as k
from sim.degg.photomultiplier.pulse import shape_table
from sim.kernel import NS_PER_US, SimTime


class Scaler:
    """Counts in periods since it was enabled.

    key  what its draws belong to: a period's count is the same however often it is read
    """

    def __init__(
        self,
        period_us: int,
        dead_cycles: int,
        clock: DomClock,
        surroundings: Surroundings,
        key: str,
        now: SimTime,
    ) -> None:
        self._period_ns, self._dead = period_us * NS_PER_US, dead_cycles
        self._clock, self._surroundings, self._key, self._since = clock, surroundings, key, now
        self._latest: tuple[int, Trigger, int] | None = None
        self._arrays = (
            np.empty(k.MOST_PENDING),
            np.empty(k.MOST_PENDING, np.float32),
            np.empty(k.MOST_CHILDREN),
        )

    def count(self, trigger: Trigger | None, analogue: Analogue, now: SimTime) -> int:
        """Of the last full period; 0 before the first has ended, or without a discriminator."""
        period = (now - self._since) // self._period_ns - 1
        if period < 0 or trigger is None:
            return 0
        if self._latest is None or self._latest[:2] != (period, trigger):
            self._latest = (period, trigger, self._counted(period, trigger, analogue))
        return self._latest[2]

    def _counted(self, period: int, trigger: Trigger, analogue: Analogue) -> int:
        at = SimTime(self._since + period * self._period_ns)
        base = self._clock.ceiling(at)
        end = self._period_ns * float(self._clock.rate)
        p, state, counts = np.zeros(k.SEGMENT), np.zeros(k.STATE), np.zeros(k.COUNTS, np.int64)
        threshold, factor, smear = _discriminator(trigger, analogue)
        p[k.THRESHOLD] = threshold
        if threshold <= 0:
            return int(end / max(1, self._dead))
        rng = np.array([key_of(self._key, period)], np.uint64)
        total = 0
        while state[k.FILLED] < end:
            segment = self._surroundings.segment(at)
            least = None if trigger.filtered else threshold
            segment.fill(p, self._clock, base, least, analogue.noise)
            # A pulse of noise is known by the height that it reaches: it counts whatever smears other pulses.
            p[k.NOISE_LEAST] = threshold / factor + 5 * smear
            sources = segment.sources(self._clock, base, float(state[k.FILLED]))
            kernels.begin(p, state, rng)
            until = min(end, max(float(p[k.UNTIL]), state[k.FILLED] + 1.0))
            total += kernels.count(
                until,
                float(self._dead),
                factor,
                smear,
                p,
                sources,
                state,
                counts,
                rng,
                tables.normal(),
                *self._arrays,
            )
            at = segment.until
        return min(total, math.ceil(self._period_ns * 1e-9 * TICKS_PER_S))


def _discriminator(trigger: Trigger, analogue: Analogue) -> tuple[float, float, float]:
    """Threshold over the baseline, height of the signal for a pulse of height 1, and its noise."""
    if not trigger.filtered:
        return trigger.threshold_counts - analogue.baseline, _highest((1,)), analogue.noise
    taps = np.array(trigger.coefficients, float)
    filtered = _highest(trigger.coefficients)
    if filtered <= 0:
        return math.inf, 1.0, 0.0
    return trigger.threshold_counts / FIR_SCALE, filtered, analogue.noise * float(np.sqrt((taps**2).sum()))


@cache
def _highest(taps: tuple[int, ...]) -> float:
    """What the filter makes of a pulse of height 1, at its highest, on average over where it lies between samples."""
    return float(np.mean([np.correlate(row, np.array(taps, float), "full").max() for row in shape_table()]))
