"""DSSC correction in numba: one pass, no lock held. Arguments as in `dssc_reference`."""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.constants import BadPixel
from pipeline.correct.kernels.dssc_reference import NO_CONSTANTS
from pipeline.model import F32, U16, U32

_NAN = np.uint32(BadPixel.VALUE_IS_NAN)


@njit(nogil=True, cache=True)
def correct_dssc(
    raw: U16, cell_id: U16, offset: F32, bad_pixels: U32, eight_bit: bool, out: F32, mask: U32
) -> None:
    """Correct frames; see `dssc_reference.correct_dssc`."""
    frames, pixels = raw.shape
    cells = offset.shape[0]
    for frame in range(frames):
        cell = np.int64(cell_id[frame])
        if cell >= cells:
            out[frame] = np.nan
            mask[frame] = NO_CONSTANTS
            continue
        for p in range(pixels):
            value = np.float32(raw[frame, p])
            if eight_bit and raw[frame, p] == 0:
                value = np.float32(256)
            signal = value - offset[cell, p]
            found = bad_pixels[cell, p]
            if not np.isfinite(signal):
                found = np.uint32(found | _NAN)
                signal = np.float32(np.nan)
            out[frame, p] = signal
            mask[frame, p] = found
