"""The AGIPD forward model pixel by pixel, compiled."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from sim.xtdf.kernels import PIXELS, mixed

SLOW: Final = 512
FAST: Final = 128
ASIC: Final = 64
"""Pixels along each side of an ASIC; a module has 8 × 2 of them."""
ADC_MAX: Final = 16383

_S16: Final = np.uint64(16)
_LOW16: Final = np.uint32(0xFFFF)
_HALF, _ZERO = np.float32(0.5), np.float32(0)


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
            draw = mixed(start + np.uint64(p))
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
