"""Drawing photons and noise pixel by pixel, compiled.

Every pixel of every frame draws from a counter of its own (SplitMix64 over the train's key and the pixel's number), so
a train has the same bytes whatever was sent before it. One 64-bit draw serves a pixel: bits 0…15 readout noise, bits
16…31 noise of a digital level, bits 32…63 photons.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

PIXELS: Final = 65536
"""Pixels of one module: 512 × 128 of AGIPD, 256 × 256 of LPD, 128 × 512 of DSSC."""

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX2: Final = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = (np.uint64(n) for n in (27, 30, 31, 32))
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
def mixed(counter):  # type: ignore[no-untyped-def]
    """64 random bits of a counter."""
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
        bits = np.uint32(mixed(start + np.uint64(p)) >> _S32)
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
