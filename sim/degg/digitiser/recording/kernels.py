"""Charges and bytes of a record, compiled."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

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
from sim.degg.photomultiplier.layout import (
    BASELINE,
    THRESHOLD,
)


@njit(cache=True, nogil=True)
def integral(start: Any, p: Any, r: Any, adc: Any) -> Any:
    """Sum of counts over the baseline, and the sample with the peak (of the record that begins at *start*)."""
    samples = r[SAMPLES]
    adc = adc[start : start + samples]
    peak = 0
    for k in range(1, samples):
        if adc[k] > adc[peak]:
            peak = k
    if r[WINDOW] == FIXED:
        first, last = r[FROM], r[TO]
    else:
        first, last = peak - r[FROM], peak + r[TO]
    first = max(0, first)
    last = min(samples - 1, last)
    total = 0.0
    for k in range(first, last + 1):
        total += adc[k] - p[BASELINE]
    return total, peak


@njit(cache=True, nogil=True)
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
