"""The LPD forward model pixel by pixel, compiled."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from sim.xtdf.kernels import PIXELS, mixed

ADC_MAX: Final = 4095
"""12 bits."""
WRONG_STAGE: Final = 3
"""Gain bits that stand for no stage."""
_LOW16: Final = np.uint32(0xFFFF)
_HALF, _ZERO = np.float32(0.5), np.float32(0)


@njit(cache=True, nogil=True)
def expose(  # type: ignore[no-untyped-def]
    images, cells, light_of, key, stages, pedestal, noise, gain, cell_gain, switch, wrong_stage, photons, table,
):  # fmt: skip
    """Expose one train of a module.

    images       (frames, pixels) u2, result: bits 0…11 signal in ADU, bits 12 and 13 gain stage
    cells        (frames,) int64 memory cell of each frame
    light_of     (frames,) int64 row of *photons* that fell on each frame
    key          uint64, the train's key
    stages       (frames,) int64 forced gain stage 0 high, 1 medium, 2 low; −1 adaptive
    pedestal     (cells, 3, pixels) f4 ADU
    noise        (3, pixels) f4 ADU, 0 = dead: no signal
    gain         (3, pixels) f4 ADU per photon; cell_gain (cells,) f4 factor
    switch       (2, pixels) f4 ADU above pedestal: high to medium in high gain, medium to low in medium gain
    wrong_stage  (pixels,) u1, 1 = the gain bits are always 3
    photons      (pulses, pixels) i4, or (0, pixels) in the dark
    table        (65536,) f4 of `normal_table`
    """
    lit = photons.shape[0] > 0
    for f in range(cells.size):
        c, forced = cells[f], stages[f]
        start = key + np.uint64(c) * np.uint64(PIXELS)
        for p in range(PIXELS):
            draw = mixed(start + np.uint64(p))
            g = max(forced, 0)
            signal = _ZERO
            if lit:
                collected = np.float32(photons[light_of[f], p]) * cell_gain[c]
                signal = collected * gain[g, p]
                if forced < 0 and signal > switch[0, p]:
                    g = 1
                    signal = collected * gain[1, p]
                    if signal > switch[1, p]:
                        g = 2
                        signal = collected * gain[2, p]
            value = pedestal[c, g, p] + signal + noise[g, p] * table[draw & _LOW16]
            bits = WRONG_STAGE if wrong_stage[p] else g
            images[f, p] = min(max(int(value + _HALF), 0), ADC_MAX) | (bits << 12)
