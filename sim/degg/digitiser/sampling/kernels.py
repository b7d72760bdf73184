"""The converter's samples, compiled: pulses are added up, and as many samples are read as somebody looks at.

Draws are counted, not spent: the noise of samples 4 n .. 4 n + 3 is draw n of the record's sequence, whichever of them
are read, and the next record goes on behind the last one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.degg.digitiser.layout import BESIDE, BY_LEVEL, LINEAR, MODE, SATURATION_STEP, SCAN, TAPS, TOP
from sim.degg.draws.kernels import LOW16, S16, bits_ahead, compiled
from sim.degg.photomultiplier.layout import (
    BASELINE,
    NOISE,
    PENDING,
    SHAPE_BEFORE,
    SHAPE_LENGTH,
    SHAPE_PHASES,
    THRESHOLD,
)

LOOK = 8
"""Samples that are read at once where a trigger is looked for: most pulses cross within the first of them."""


@compiled
def add_up(
    start: Any, length: Any, counts: Any, shape: Any, times: Any, amplitudes: Any, signal: Any
) -> tuple[Any, Any]:
    """The signal without noise in samples *start* .. *start* + *length* - 1; returns where it may differ from zero.

    signal  (length + 2 BESIDE): sample 0 is number BESIDE, so that a pulse that lies half outside has room
    """
    for k in range(length + 2 * BESIDE):
        signal[k] = 0.0
    lit, dark = length, 0
    for n in range(counts[PENDING]):
        at = times[n] - start
        whole = math.floor(at)
        first = int(whole) - SHAPE_BEFORE
        if first + SHAPE_LENGTH <= 0 or first >= length:
            continue
        lit, dark = min(lit, max(0, first)), max(dark, min(length, first + SHAPE_LENGTH))
        amplitude = amplitudes[n]
        # Views of one size, whose indices are plainly not negative: the loop becomes a few vector instructions.
        row = shape[int((at - whole) * SHAPE_PHASES)]
        part = signal[BESIDE + first : BESIDE + first + row.size]
        for k in range(row.size):
            part[k] += amplitude * row[k]
    return lit, dark


@compiled
def read(
    first: Any, last: Any, rng: Any, p: Any, normal: Any, saturation: Any, signal: Any, adc: Any
) -> None:
    """What the converter reads in samples *first* .. *last* - 1, and in those that share their draws."""
    most = saturation.size - 2
    baseline, noise = p[BASELINE], p[NOISE]
    signal = signal[BESIDE:]
    for draw in range(first >> 2, (last + 3) >> 2):
        drawn = bits_ahead(rng, draw)
        for k in range(4 * draw, 4 * draw + 4):
            value = np.float64(signal[k])
            if value > LINEAR:
                place = value / SATURATION_STEP
                step = min(int(place), most)
                value = saturation[step] + min(1.0, place - step) * (saturation[step + 1] - saturation[step])
            value += baseline + noise * normal[drawn & LOW16]
            drawn = drawn >> S16
            # Cut at both ends before it is rounded down: so it fits what rounds many at once.
            adc[k] = np.int32(min(max(value + 0.5, 0.0), np.float64(TOP)))


@compiled
def _fires(k: Any, p: Any, r: Any, taps: Any, skipped: Any, adc: Any) -> Any:
    if r[MODE] == BY_LEVEL:
        return adc[k] >= p[THRESHOLD]
    n = r[TAPS]
    total = 0.0
    for tap in range(skipped, n):
        place = k - n + 1 + tap
        if place >= 0:
            total += taps[tap] * (adc[place] - p[BASELINE])
    return total >= p[THRESHOLD]


@compiled
def find(
    pre: Any, p: Any, r: Any, taps: Any, rng: Any, normal: Any, saturation: Any, signal: Any, adc: Any
) -> tuple[Any, Any, Any]:
    """The first of the SCAN samples after *pre* with which the trigger fires, -1: none; and which are read for it."""
    skipped = 0
    while skipped < r[TAPS] - 1 and taps[skipped] == 0.0:
        skipped += 1
    low = high = pre if r[MODE] == BY_LEVEL else max(0, pre - r[TAPS] + 1 + skipped)
    for first in range(pre, pre + SCAN, LOOK):
        read(high, first + LOOK, rng, p, normal, saturation, signal, adc)
        high = first + LOOK
        for k in range(first, first + LOOK):
            if _fires(k, p, r, taps, skipped, adc):
                return k, low, high
    return -1, low, high
