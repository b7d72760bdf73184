"""The forward model pixel by pixel, compiled.

Every pixel of every frame draws from a counter of its own (SplitMix64 over the train's key and the pixel's number), so
a train has the same bytes whatever was sent before it. One 64-bit draw serves a pixel: bits 0…15 readout noise, bits
16…31 noise of the digital level, bits 32…63 photons.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLOW: Final = 512
FAST: Final = 128
PIXELS: Final = SLOW * FAST
ASIC: Final = 64
"""Pixels along each side of an ASIC; a module has 8 × 2 of them."""
ADC_MAX: Final = 16383
POISSON_EXACT_BELOW: Final = 12.0
"""Means below this are drawn by inversion; above, by the Cornish-Fisher expansion to the skewness."""

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX2: Final = np.uint64(0x94D049BB133111EB)
_S16, _S27, _S30, _S31, _S32 = (np.uint64(n) for n in (16, 27, 30, 31, 32))
_LOW16: Final = np.uint64(0xFFFF)


def normal_table() -> F32:
    """Standard normal deviates at the middle of 65 536 equal shares of probability, (65536,) f4, variance 1."""
    inverse = NormalDist().inv_cdf
    half = np.array([inverse((k + 0.5) / 65536) for k in range(32768)])
    table = np.concatenate([half, -half[::-1]])
    return np.asarray(table / table.std(), np.float32)


@njit(inline="always")
def _mixed(counter):  # type: ignore[no-untyped-def]
    z = counter * _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@njit(inline="always")
def _photons(bits, mean, none, table):  # type: ignore[no-untyped-def]
    """Photons of one pixel; *bits* are 32 uniform ones, *none* is exp(-mean)."""
    if mean < POISSON_EXACT_BELOW:
        u = (np.float64(bits) + 0.5) * (1.0 / 4294967296.0)
        number = 0
        share = np.float64(none)
        below = share
        while u > below and number < 200:
            number += 1
            share *= mean / number
            below += share
        return number
    z = table[bits & _LOW16]
    return int(max(0.0, math.floor(mean + math.sqrt(mean) * z + (z * z - 1.0) / 6.0 + 0.5)))


@njit(cache=True, nogil=True)
def draw_photons(number, key, frame_key, mean, none, table):  # type: ignore[no-untyped-def]
    """Photons of each pixel, exactly those of `expose` under the same keys.

    number     (pixels,) int32, result
    key        uint64, the train's key; frame_key uint64, the frame's memory cell
    mean       (pixels,) f4 expected photons; none (pixels,) f4 exp(-mean)
    """
    start = key + frame_key * np.uint64(PIXELS)
    for p in range(number.size):
        bits = _mixed(start + np.uint64(p)) >> _S32
        number[p] = _photons(bits, mean[p], none[p], table)


@njit(cache=True, nogil=True)
def expose(  # type: ignore[no-untyped-def]
    images, cells, key, stage, pedestal, noise, gain, cell_gain, switch, level, level_noise,
    common_mode, mean, none, lit, table,
):  # fmt: skip
    """Expose one train of a module.

    images       (frames, 2 × pixels) u2, result: analogue plane, then digital plane, in ADU
    cells        (frames,) int64 memory cell of each frame
    key          uint64, the train's key
    stage        forced gain stage 0 high, 1 medium, 2 low; −1 adaptive
    pedestal     (cells, 3, pixels) f4 ADU
    noise        (3, pixels) f4 ADU, 0 = dead: no signal, no common mode
    gain         (3, pixels) f4 ADU per photon; cell_gain (cells,) f4 factor
    switch       (2, pixels) f4 ADU above pedestal: high to medium in high gain, medium to low in medium gain
    level        (3, pixels) f4 ADU digital level; level_noise f4 ADU
    common_mode  (frames, 16) f4 ADU, ASIC = slow // 64 × 2 + fast // 64
    mean, none   (pixels,) f4 expected photons and exp(−mean); used when *lit*
    table        (65536,) f4 of `normal_table`
    """
    for f in range(cells.size):
        c = cells[f]
        start = key + np.uint64(c) * np.uint64(PIXELS)
        factor = cell_gain[c]
        for p in range(PIXELS):
            draw = _mixed(start + np.uint64(p))
            g = 0 if stage < 0 else stage
            signal = np.float32(0.0)
            if lit:
                number = np.float32(_photons(draw >> _S32, mean[p], none[p], table))
                signal = number * gain[g, p] * factor
                if stage < 0 and signal > switch[0, p]:
                    g = 1
                    signal = number * gain[1, p] * factor
                    if signal > switch[1, p]:
                        g = 2
                        signal = number * gain[2, p] * factor
            analogue = pedestal[c, g, p] + signal
            width = noise[g, p]
            if width > 0.0:
                asic = (p >> 13) * 2 + ((p >> 6) & 1)
                analogue += width * table[draw & _LOW16] + common_mode[f, asic]
            digital = level[g, p] + level_noise * table[(draw >> _S16) & _LOW16]
            images[f, p] = min(max(int(analogue + np.float32(0.5)), 0), ADC_MAX)
            images[f, PIXELS + p] = min(max(int(digital + np.float32(0.5)), 0), ADC_MAX)
