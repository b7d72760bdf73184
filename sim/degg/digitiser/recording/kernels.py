"""Charges and bytes of a record, compiled."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.layout import (
    BY_LEVEL,
    CHANNEL,
    FIXED,
    FROM,
    HEADER,
    MODE,
    PATTERN_BITS,
    SAMPLES,
    TO,
    TOP,
    WINDOW,
)
from sim.degg.digitiser.sampling.kernels import read
from sim.degg.draws.kernels import compiled
from sim.degg.photomultiplier.layout import BASELINE, NOISE, THRESHOLD


@compiled
def _peak(first: Any, last: Any, adc: Any) -> Any:
    """The first of the highest samples of *first* .. *last* - 1."""
    peak = first
    for k in range(first + 1, last):
        if adc[k] > adc[peak]:
            peak = k
    return peak


@compiled
def _window(peak: Any, r: Any) -> tuple[Any, Any]:
    """The samples of the record that are summed, both included."""
    if r[WINDOW] == FIXED:
        first, last = r[FROM], r[TO]
    else:
        first, last = peak - r[FROM], peak + r[TO]
    return max(0, first), min(r[SAMPLES] - 1, last)


@compiled
def _sum(first: Any, last: Any, p: Any, adc: Any) -> Any:
    baseline, total = p[BASELINE], 0.0
    for k in range(first, last + 1):
        total += adc[k] - baseline
    return total


@compiled
def integral(start: Any, p: Any, r: Any, adc: Any) -> tuple[Any, Any]:
    """Sum of counts over the baseline, and the sample with the peak (of the record that begins at *start*)."""
    peak = _peak(start, start + r[SAMPLES], adc) - start
    first, last = _window(peak, r)
    return _sum(start + first, start + last, p, adc), peak


@compiled
def _reach(
    first: Any,
    last: Any,
    low: Any,
    high: Any,
    rng: Any,
    p: Any,
    normal: Any,
    saturation: Any,
    signal: Any,
    adc: Any,
) -> tuple[Any, Any]:
    """Read what is missing of samples *first* .. *last* - 1 beside *low* .. *high* - 1; returns what is there now."""
    if high <= low:
        read(first, last, rng, p, normal, saturation, signal, adc)
        return first, last
    if first < low:
        read(first, low, rng, p, normal, saturation, signal, adc)
    if last > high:
        read(high, last, rng, p, normal, saturation, signal, adc)
    return min(first, low), max(last, high)


@compiled
def integral_alone(
    start: Any, lit: Any, dark: Any, low: Any, high: Any, rng: Any, p: Any, r: Any, normal: Any, saturation: Any,
    signal: Any, adc: Any,
) -> Any:  # fmt: skip
    """The sum of `integral`, from as few samples as decide it: the noise of those that nobody looks at is not made.

    lit, dark  where there may be signal; low, high  what has been read
    """
    end = start + r[SAMPLES]
    peak = start
    if r[WINDOW] != FIXED:
        first, last = max(start, lit), min(end, dark)
        # The table of deviates ascends: without signal no sample reads more than this.
        quiet = p[BASELINE] + p[NOISE] * normal[normal.size - 1] + 0.5
        if first < last:
            low, high = _reach(first, last, low, high, rng, p, normal, saturation, signal, adc)
            peak = _peak(first, last, adc)
        if first >= last or adc[peak] <= quiet:
            low, high = _reach(start, end, low, high, rng, p, normal, saturation, signal, adc)
            peak = _peak(start, end, adc)
    first, last = _window(peak - start, r)
    if first <= last:
        _reach(start + first, start + last + 1, low, high, rng, p, normal, saturation, signal, adc)
    return _sum(start + first, start + last, p, adc)


@compiled
def write(start: Any, tick: Any, peak_tick: Any, total: Any, p: Any, r: Any, adc: Any, words: Any) -> None:
    """A record 0x82 with its word count, as 16-bit words."""
    samples = r[SAMPLES]
    length = samples + HEADER  # the count leaves itself out: 17 words of header, samples, 2 of footer
    words[0] = length & 0xFFFF
    words[1] = length >> 16
    words[2] = 0x8200 | r[CHANNEL]
    words[3] = samples
    words[4] = 0x100 | ((tick & 3) << 6)
    words[5] = (tick >> 34) & 0xFFFF
    words[6] = (tick >> 18) & 0xFFFF
    words[7] = (tick >> 2) & 0xFFFF
    charge = int(max(0.0, math.floor(total + 0.5)))
    words[8] = (charge >> 16) & 0xFFFF
    words[9] = charge & 0xFFFF
    words[10] = (peak_tick >> 16) & 0xFFFF
    words[11] = peak_tick & 0xFFFF
    pattern = int(max(0.0, math.floor(p[BASELINE] * (1 << PATTERN_BITS) + 0.5)))
    words[12] = PATTERN_BITS
    words[13] = 0x8000 | (pattern >> 8)
    words[14] = ((pattern & 0xFF) << 8) | (pattern >> 15)
    words[15] = ((pattern & 0x7FFF) << 1) | (pattern >> 22)
    words[16] = (pattern >> 6) & 0xFFFF
    words[17] = ((pattern & 0x3F) << 10) | (pattern >> 13)
    words[18] = (pattern & 0x1FFF) << 3
    over = int(p[THRESHOLD]) if r[MODE] == BY_LEVEL else TOP + 1
    adc = adc[start : start + samples]
    out = words[HEADER : HEADER + samples]
    for k in range(samples):
        out[k] = (adc[k] << 2) | ((adc[k] >= over) << 1)
    words[HEADER + samples] = 0
    words[HEADER + samples + 1] = 0


@compiled
def write_stamps(
    flags: int, ticks: NDArray[np.int64], charges: NDArray[np.uint32], words: NDArray[np.uint16]
) -> None:
    """Charge stamps as 16-bit words, little end first.

    flags    version and channel
    ticks    (n) of the triggers
    charges  (n) bits of float32, coulomb
    words    (n, 7) results
    """
    for n in range(ticks.size):
        tick, charge, stamp = ticks[n], np.int64(charges[n]), words[n]
        stamp[0] = flags | ((tick >> 48) & 3) << 6
        stamp[1] = 0
        stamp[2] = tick & 0xFFFF
        stamp[3] = (tick >> 16) & 0xFFFF
        stamp[4] = (tick >> 32) & 0xFFFF
        stamp[5] = charge & 0xFFFF
        stamp[6] = charge >> 16


@compiled
def read_ticks(stamps: NDArray[np.uint8], ticks: NDArray[np.int64]) -> None:
    """Times of charge stamps, (n, 14) bytes: 48 bits, and two more in the first byte."""
    for n in range(ticks.size):
        stamp = stamps[n]
        tick = np.int64(stamp[0] >> 6)
        for byte in range(9, 3, -1):
            tick = tick << 8 | stamp[byte]
        ticks[n] = tick
