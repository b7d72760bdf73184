"""An acquisition: from `arm` on, block after block, each where the last one ended."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.clock import DomClock
from sim.degg.digitiser import kernels, layout, tables
from sim.degg.digitiser.records import words_of_record
from sim.degg.digitiser.segment import NEVER, TICKS_PER_S, Flashes, Surroundings
from sim.degg.digitiser.trigger import FIR_SCALE, Trigger
from sim.degg.photomultiplier import layout as k
from sim.degg.photomultiplier.kernels import begin
from sim.kernel import NS_PER_S, SimTime

LONGEST_S: Final = 900.0
"""No block takes longer than that, however slowly its events come."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where a charge is summed: around the peak (samples before, after), or fixed (first, last sample)."""

    fixed: bool
    first: int
    last: int


AROUND: Final = Window(False, 10, 15)
"""As the public scripts ask for."""


@dataclass(frozen=True, slots=True)
class Analogue:
    """What the digitiser sees without signal, and how the signal bends."""

    baseline: float
    noise: float
    saturation: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Events:
    """What was recorded."""

    ticks: NDArray[np.int64]
    """(n) of the triggers."""
    charges: NDArray[np.float64]
    """(n) sums over the baseline, counts."""
    words: NDArray[np.uint16]
    """(n, words_of_record) waveforms with their word counts, or (0, 0)."""
    end_tick: int
    """When the last record ended, or when waiting for more did."""
    full: bool


class Acquisition:
    """The events of one channel since a trigger was armed."""

    def __init__(
        self,
        channel: int,
        trigger: Trigger,
        clock: DomClock,
        surroundings: Surroundings,
        rearm_ticks: int,
        now: SimTime,
    ) -> None:
        self.trigger, self.lost_s, self.overflows = trigger, 0.0, 0
        self._clock, self._surroundings = clock, surroundings
        self._armed = now
        self._base = clock.ceiling(now)
        """The tick that is 0 to the kernels."""
        self._cursor = 0.0
        """Where the next block begins, ticks after it."""
        self._state = np.zeros(k.STATE)
        self._counts = np.zeros(k.COUNTS, np.int64)
        self._times, self._amplitudes = np.empty(k.MOST_PENDING), np.empty(k.MOST_PENDING, np.float32)
        self._children = np.empty(k.MOST_CHILDREN)
        room = layout.SCAN + trigger.samples
        self._signal, self._adc = np.empty(room + 2 * layout.BESIDE, np.float32), np.empty(room, np.int32)
        self._p = np.zeros(k.SEGMENT)
        self._p[k.REARM] = rearm_ticks
        self._record = np.zeros(layout.RECORD, np.int64)
        self._record[[layout.SAMPLES, layout.PRE, layout.CHANNEL]] = (
            trigger.samples,
            trigger.pre_samples,
            channel,
        )
        last = max((tap for tap, coefficient in enumerate(trigger.coefficients) if coefficient), default=0)
        self._taps = np.array(trigger.coefficients[: last + 1], float)
        self._record[layout.TAPS] = self._taps.size

    def catch_up(self, now: SimTime, buffer_s: float) -> None:
        """Forget events that lie further back than the buffer keeps them."""
        oldest = self._clock.after(now, self._base) - buffer_s * TICKS_PER_S
        if self._cursor >= oldest:
            return
        self.overflows += 1
        self.lost_s += (oldest - self._cursor) / TICKS_PER_S
        self._cursor = self._state[k.LIVE] = self._state[k.FILLED] = oldest
        self._counts[:] = 0

    def take(
        self,
        most: int,
        key: int,
        analogue: Analogue,
        now: SimTime,
        *,
        waveforms: bool = False,
        window: Window = AROUND,
        wait_s: float,
        calibration: Flashes | None = None,
    ) -> Events:
        """The next events, *most* of them, or fewer if they do not come.

        key          of the draws
        wait_s       waveforms: no longer than that in all; charges: no longer without a new event
        calibration  the calibration trigger, for trigger kind external
        """
        self._shift(math.floor(self._state[k.LIVE]))
        start = max(self._cursor, self._clock.after(now, self._base))
        self._state[k.LIMIT] = start + wait_s * TICKS_PER_S
        self._p[k.PATIENCE] = 0.0 if waveforms else wait_s * TICKS_PER_S
        self._prepare(analogue, window)
        rng = np.array([key], np.uint64)
        ticks, charges = np.empty(most, np.int64), np.empty(most)
        words = np.empty((most if waveforms else 0, words_of_record(self.trigger.samples)), np.uint16)
        before = self._saved()
        done = self._run(ticks, charges, words, rng, analogue, calibration, start + LONGEST_S * TICKS_PER_S)
        full = done == most
        end = float(self._state[k.LIVE] if full else self._state[k.LIMIT])
        if full or waveforms:
            self._cursor = end
        else:
            self._restore(before)  # what the board never sent is not lost
        return Events(ticks[:done], charges[:done], words[:done], self._base + math.ceil(end), full)

    def _run(
        self,
        ticks: NDArray[np.int64],
        charges: NDArray[np.float64],
        words: NDArray[np.uint16],
        rng: NDArray[np.uint64],
        analogue: Analogue,
        calibration: Flashes | None,
        last: float,
    ) -> int:
        done, why = 0, layout.SEGMENT_ENDS
        at = self._clock.at(self._base + math.ceil(self._state[k.FILLED]))
        while why == layout.SEGMENT_ENDS and self._state[k.FILLED] < min(self._state[k.LIMIT], last):
            segment = self._surroundings.segment(at)
            least = None
            if self._record[layout.MODE] == layout.BY_LEVEL:
                least = self.trigger.threshold_counts - analogue.baseline
            segment.fill(self._p, self._clock, self._base, least, analogue.noise)
            self._p[k.UNTIL] = max(self._p[k.UNTIL], self._state[k.FILLED] + 1.0)
            if not self._schedule(calibration):
                break
            sources = segment.sources(self._clock, self._base, float(self._state[k.FILLED]))
            begin(self._p, self._state, rng)
            done, why = kernels.acquire(
                done, self._p, self._record, sources, self._state, self._counts, rng, tables.normal(), tables.shapes(),
                analogue.saturation, self._taps, self._times, self._amplitudes, self._children,
                self._signal, self._adc, ticks, charges, words,
            )  # fmt: skip
            at = segment.until
        return done

    def _prepare(self, analogue: Analogue, window: Window) -> None:
        trigger, p, record = self.trigger, self._p, self._record
        p[k.BASELINE], p[k.NOISE] = analogue.baseline, analogue.noise
        if trigger.filtered:
            p[k.THRESHOLD] = trigger.threshold_counts / FIR_SCALE
            free, mode = trigger.threshold_counts <= 0, layout.BY_FILTER
        else:
            p[k.THRESHOLD] = trigger.threshold_counts
            free, mode = trigger.threshold_counts <= analogue.baseline, layout.BY_LEVEL
        record[layout.MODE] = layout.BY_TIME if trigger.scheduled else layout.FREE if free else mode
        record[layout.WINDOW] = layout.FIXED if window.fixed else layout.AROUND_PEAK
        record[layout.FROM], record[layout.TO], record[layout.TICK] = window.first, window.last, self._base

    def _schedule(self, calibration: Flashes | None) -> bool:
        """Set when the next trigger by time comes; False: never."""
        if not self.trigger.scheduled:
            return True
        clock = self._clock
        if self.trigger.kind == "software":
            ticking = Flashes(self._armed, Fraction(self.trigger.period_ms) * (NS_PER_S // 1000))
        elif calibration is None:
            return False
        else:
            ticking = calibration
        after = float(self._state[k.LIVE]) + self.trigger.pre_samples
        self._p[k.DUE_FIRST], self._p[k.DUE_PERIOD] = ticking.first(clock, self._base, after)
        self._counts[k.DUE] = 0
        return bool(self._p[k.DUE_FIRST] < NEVER)

    def _shift(self, ticks: int) -> None:
        """Move the kernels' 0, so that times stay small and exact."""
        self._base += ticks
        self._cursor -= ticks
        self._state -= ticks
        self._times[: self._counts[k.PENDING]] -= ticks
        self._children[: self._counts[k.CHILDREN]] -= ticks

    def _saved(self) -> tuple[NDArray[np.generic], ...]:
        n = self._counts[k.PENDING]
        kept = (self._state, self._counts, self._times[:n], self._amplitudes[:n], self._children)
        return tuple(array.copy() for array in kept)

    def _restore(self, saved: tuple[NDArray[np.generic], ...]) -> None:
        n = saved[2].size
        self._state[:], self._counts[:] = saved[0], saved[1]
        self._times[:n], self._amplitudes[:n], self._children[:] = saved[2:]
