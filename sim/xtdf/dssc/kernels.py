"""The DSSC forward model pixel by pixel, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.xtdf.kernels import PIXELS, mixed

_LOW16 = np.uint32(0xFFFF)
_HALF, _ZERO = np.float32(0.5), np.float32(0)


@njit(cache=True, nogil=True)
def expose(images, cells, key, pedestal, noise, gain, most, photons, table):  # type: ignore[no-untyped-def]
    """Expose one train of a module.

    images    (frames, pixels) u2, result, ADU; 256 is written as 0 where *most* is 256
    cells     (frames,) int64 memory cell of each frame
    key       uint64, the train's key
    pedestal  (cells, pixels) f4 ADU; noise (pixels,) f4 ADU
    gain      (pixels,) f4 ADU per photon
    most      the largest value: 511, or 256 with 8 bits
    photons   (frames, pixels) i4, or (0, pixels) in the dark
    table     (65536,) f4 of `normal_table`
    """
    lit = photons.shape[0] > 0
    for f in range(cells.size):
        c = cells[f]
        start = key + np.uint64(c) * np.uint64(PIXELS)
        for p in range(PIXELS):
            draw = mixed(start + np.uint64(p))
            signal = np.float32(photons[f, p]) * gain[p] if lit else _ZERO
            value = pedestal[c, p] + signal + noise[p] * table[draw & _LOW16]
            number = min(max(int(value + _HALF), 0), most)
            if most == 256:
                # 8 bits: 256 is sent as 0, and nothing below 1 is told from it.
                number = max(number, 1) % 256
            images[f, p] = number
