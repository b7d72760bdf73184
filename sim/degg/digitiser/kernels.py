"""From photoelectrons to records, compiled: docs/lab-modules-physics.md, How events are made."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.layout import (
    BY_LEVEL,
    BY_TIME,
    CHUNK,
    FREE,
    FULL,
    MODE,
    PRE,
    SAMPLES,
    SCAN,
    SEGMENT_ENDS,
    TAPS,
    TICK,
    TOO_LATE,
)
from sim.degg.digitiser.recording.kernels import integral, integral_alone, write
from sim.degg.digitiser.sampling.kernels import add_up, find, read
from sim.degg.draws.kernels import F32, F64, I64, compiled, spend
from sim.degg.photomultiplier.kernels import fill, forget, next_beginning, pass_small
from sim.degg.photomultiplier.layout import (
    BASELINE,
    DUE,
    DUE_FIRST,
    DUE_PERIOD,
    FILLED,
    LIMIT,
    LIVE,
    NOISE,
    PATIENCE,
    PENDING,
    REARM,
    SHAPE_BEFORE,
    SHAPE_LENGTH,
    THRESHOLD,
    UNTIL,
)


@compiled
def _least(p: Any, r: Any, taps: Any) -> Any:
    """Height of signal below which nothing triggers, with six sigma of noise on top."""
    if r[MODE] == BY_LEVEL:
        return p[THRESHOLD] - p[BASELINE] - 6.0 * p[NOISE]
    gain = 0.0
    for tap in range(r[TAPS]):
        gain += abs(taps[tap])
    return p[THRESHOLD] / max(gain, 1e-9) - 6.0 * p[NOISE]


@compiled
def _too_low(until: Any, least: Any, times: Any, amplitudes: Any, counts: Any) -> Any:
    """Whether all that waits together cannot trigger before a moment."""
    height = 0.0
    for n in range(counts[PENDING]):
        if times[n] < until + SHAPE_BEFORE:
            height += amplitudes[n]
    return height < least


@compiled
def _first_sample(times: Any, counts: Any, live: Any) -> Any:
    """Where a pulse that waits first shows, not before a trigger may come."""
    at = times[0]
    for n in range(1, counts[PENDING]):
        at = min(at, times[n])
    return max(math.floor(at) - SHAPE_BEFORE, int(live))


@compiled
def acquire(
    done: int,
    p: F64,
    r: I64,
    sources: F64,
    s: F64,
    counts: I64,
    rng: NDArray[np.uint64],
    normal: F32,
    shape: F32,
    saturation: F32,
    taps: F64,
    times: F64,
    amplitudes: F32,
    children: F64,
    signal: F32,
    adc: NDArray[np.int32],
    ticks: I64,
    charges: F64,
    words: NDArray[np.uint16],
) -> tuple[int, int]:
    """Make records number *done* and on until all are made, the segment ends or LIMIT is passed.

    p, r, sources    what holds (SEGMENT), how to record (RECORD), light (n, SOURCE)
    s, counts        the channel's state (STATE, COUNTS), with times, amplitudes (MOST_PENDING) and children waiting
    signal, adc      (SCAN + samples + 2 BESIDE), (SCAN + samples): room to work in
    ticks, charges   (n) results: ticks of the trigger, sums of counts over the baseline
    words            (n, HEADER + samples + 2) results, or (0, 0): charges alone
    Returns (records made in all, why it returned).
    """
    samples, pre = r[SAMPLES], r[PRE]
    wanted = ticks.size
    least = _least(p, r, taps)
    while done < wanted:
        if r[MODE] == BY_TIME or r[MODE] == FREE:
            if r[MODE] == FREE:
                k0 = int(s[LIVE]) + pre
            else:
                k0 = math.floor(p[DUE_FIRST] + counts[DUE] * p[DUE_PERIOD])
                if k0 - pre < s[LIVE]:
                    missed = max(1.0, math.ceil((s[LIVE] + pre - k0) / p[DUE_PERIOD]))
                    counts[DUE] += int(min(missed, 1e15))
                    continue
            length = samples
            # What ends long before the record is made and forgotten bit by bit: the queue is bounded.
            while s[FILLED] < min(k0 - pre - CHUNK, p[UNTIL]):
                soon = min(s[FILLED] + CHUNK, p[UNTIL])
                fill(soon, p, sources, s, counts, rng, normal, times, amplitudes, children)
                forget(np.float64(k0 - pre), times, amplitudes, counts)
        else:
            if counts[PENDING] == 0 and least > 0.0:
                reach = SCAN + samples + SHAPE_LENGTH
                pass_small(reach, least, p, sources, s, counts, rng, normal, times, amplitudes, children)
            if counts[PENDING] == 0:
                at = next_beginning(s, sources, counts, children)
                if at >= p[UNTIL]:
                    s[FILLED] = p[UNTIL]
                    return done, SEGMENT_ENDS
                fill(at + 1.0, p, sources, s, counts, rng, normal, times, amplitudes, children)
                forget(s[LIVE], times, amplitudes, counts)
                continue
            k0 = _first_sample(times, counts, s[LIVE] + pre)
            length = SCAN + samples
        if k0 > s[LIMIT]:
            return done, TOO_LATE
        start = k0 - pre
        horizon = start + length + 4.0
        if horizon > s[FILLED]:
            if horizon > p[UNTIL]:
                fill(p[UNTIL], p, sources, s, counts, rng, normal, times, amplitudes, children)
                forget(min(s[LIVE], np.float64(start)), times, amplitudes, counts)
                return done, SEGMENT_ENDS
            fill(horizon, p, sources, s, counts, rng, normal, times, amplitudes, children)
            if length > samples:
                k0 = min(k0, _first_sample(times, counts, s[LIVE] + pre))
                start = k0 - pre
        if length == samples:
            forget(np.float64(start), times, amplitudes, counts)
        elif _too_low(k0 + SCAN, least, times, amplitudes, counts):
            s[LIVE] = k0 + SCAN - pre
            forget(s[LIVE], times, amplitudes, counts)
            continue
        lit, dark = add_up(start, length, counts, shape, times, amplitudes, signal)
        at_sample = low = high = 0
        if length > samples:
            crossed, low, high = find(pre, p, r, taps, rng, normal, saturation, signal, adc)
            if crossed < 0:
                spend(rng, length >> 2)
                s[LIVE] = k0 + SCAN - pre
                forget(s[LIVE], times, amplitudes, counts)
                continue
            at_sample = crossed - pre
        tick = r[TICK] + start + at_sample + pre
        if words.shape[0] > 0:
            read(at_sample, at_sample + samples, rng, p, normal, saturation, signal, adc)
            total, peak = integral(at_sample, p, r, adc)
            write(at_sample, tick, tick - pre + peak, total, p, r, adc, words[done])
        else:
            total = integral_alone(
                at_sample, lit, dark, low, high, rng, p, r, normal, saturation, signal, adc
            )  # fmt: skip
        spend(rng, length >> 2)
        ticks[done] = tick
        charges[done] = total
        done += 1
        s[LIVE] = start + at_sample + samples + p[REARM]
        if p[PATIENCE] > 0.0:
            s[LIMIT] = s[LIVE] + p[PATIENCE]
        forget(s[LIVE], times, amplitudes, counts)
    return done, FULL
