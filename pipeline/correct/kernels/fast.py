"""AGIPD correction in numba: one pass, each byte of constants read once, no lock held. Arguments as in `reference`."""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.constants import BadPixel
from pipeline.correct.kernels.reference import NO_CONSTANTS, VALUE_LIMIT
from pipeline.model import F32, U8, U16, U32

_NAN = np.uint32(BadPixel.VALUE_IS_NAN)
_RANGE = np.uint32(BadPixel.VALUE_OUT_OF_RANGE)


# No fastmath: it would reorder float operations, and online and offline results must be equal to the bit.
@njit(nogil=True, cache=True)
def correct_agipd(
    raw: U16,
    cell_id: U16,
    thresholds: F32,
    offset: F32,
    factor: F32,
    bad_pixels: U32,
    thresholding: bool,
    fixed_gain: int,
    out: F32,
    gain: U8,
    mask: U32,
) -> None:
    """Correct frames; see `reference.correct_agipd`."""
    frames, _, height, width = raw.shape
    cells = offset.shape[0]
    for frame in range(frames):
        cell = cell_id[frame]
        if cell >= cells:
            out[frame] = np.nan
            gain[frame] = 0
            mask[frame] = NO_CONSTANTS
            continue
        for y in range(height):
            for x in range(width):
                stage = fixed_gain
                if thresholding:
                    level = np.float32(raw[frame, 1, y, x])
                    stage = 0
                    if level > thresholds[cell, y, x, 0]:
                        stage = 1
                    if level > thresholds[cell, y, x, 1]:
                        stage = 2
                signal = np.float32(raw[frame, 0, y, x]) - offset[cell, y, x, stage]
                photons = np.float32(signal * factor[cell, y, x, stage])
                found = bad_pixels[cell, y, x, stage]
                if not np.isfinite(photons):
                    found = np.uint32(found | _NAN)
                    photons = np.float32(np.nan)
                elif abs(photons) > VALUE_LIMIT:
                    found = np.uint32(found | _RANGE)
                out[frame, y, x] = photons
                gain[frame, y, x] = stage
                mask[frame, y, x] = found
