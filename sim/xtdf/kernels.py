"""The forward model pixel by pixel, compiled.

Every pixel of every frame draws from a counter of its own (SplitMix64 over the train's key and the pixel's number), so
a train has the same bytes whatever was sent before it. One 64-bit draw serves a pixel: bits 0…15 readout noise, bits
16…31 noise of the digital level, bits 32…63 photons.
"""

from __future__ import annotations

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

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX2: Final = np.uint64(0x94D049BB133111EB)
_S16, _S27, _S30, _S31, _S32 = (np.uint64(n) for n in (16, 27, 30, 31, 32))
_S23: Final = np.uint32(23)
_LOW16: Final = np.uint32(0xFFFF)
_ONE, _HALF, _SIXTH, _ZERO, _PER_DRAW = (np.float32(x) for x in (1.0, 0.5, 1 / 6, 0.0, 2.0**-32))


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


@njit(cache=True, nogil=True)
def draw_photons(number, cell, key, mean, root, row, below, guide, table):  # type: ignore[no-untyped-def]
    """Draw the photons of each pixel in one frame.

    number         (pixels,) i4, result
    cell           uint64, the frame's memory cell
    key            uint64, the train's key
    mean … guide   the fields of `Light`; table (65536,) f4 of `normal_table`
    """
    start = key + cell * np.uint64(PIXELS)
    for p in range(PIXELS):
        bits = np.uint32(_mixed(start + np.uint64(p)) >> _S32)
        r = row[p]
        if r >= 0:
            share = np.float32(bits) * _PER_DRAW
            most = np.int64(guide[r, bits >> _S23])
            while share > below[r, most]:
                most += 1
            number[p] = most
        else:
            z = table[bits & _LOW16]
            number[p] = np.int32(max(_ZERO, mean[p] + root[p] * z + (z * z - _ONE) * _SIXTH + _HALF))


@njit(cache=True, nogil=True)
def expose(  # type: ignore[no-untyped-def]
    images, cells, key, stage, pedestal, noise, gain, cell_gain, switch, level, level_noise,
    common_mode, photons, table,
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
    photons      (frames, pixels) i4, or (0, pixels) in the dark
    table        (65536,) f4 of `normal_table`
    """
    lit = photons.shape[0] > 0
    for f in range(cells.size):
        c = cells[f]
        start = key + np.uint64(c) * np.uint64(PIXELS)
        factor = cell_gain[c]
        for p in range(PIXELS):
            draw = _mixed(start + np.uint64(p))
            g = 0 if stage < 0 else stage
            signal = _ZERO
            if lit:
                collected = np.float32(photons[f, p]) * factor
                signal = collected * gain[g, p]
                if stage < 0 and signal > switch[0, p]:
                    g = 1
                    signal = collected * gain[1, p]
                    if signal > switch[1, p]:
                        g = 2
                        signal = collected * gain[2, p]
            analogue = pedestal[c, g, p] + signal
            width = noise[g, p]
            if width > 0.0:
                asic = (p >> 13) * 2 + ((p >> 6) & 1)
                analogue += width * table[draw & _LOW16] + common_mode[f, asic]
            digital = level[g, p] + level_noise * table[(draw >> _S16) & _LOW16]
            images[f, p] = min(max(int(analogue + _HALF), 0), ADC_MAX)
            images[f, PIXELS + p] = min(max(int(digital + _HALF), 0), ADC_MAX)
