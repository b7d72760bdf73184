"""LPD correction in numba: one pass, no lock held. Arguments as in `lpd_reference`."""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.constants import BadPixel
from pipeline.correct.kernels.lpd_reference import NO_CONSTANTS, VALUE_LIMIT, WRONG_GAIN
from pipeline.model import F32, U8, U16, U32

_NAN = np.uint32(BadPixel.VALUE_IS_NAN)
_RANGE = np.uint32(BadPixel.VALUE_OUT_OF_RANGE)


# No fastmath: it would reorder float operations, and online and offline results must be equal to the bit.
@njit(nogil=True, cache=True)
def correct_lpd(
    raw: U16, cell_id: U16, offset: F32, factor: F32, bad_pixels: U32, out: F32, gain: U8, mask: U32
) -> None:
    """Correct frames; see `lpd_reference.correct_lpd`."""
    frames, pixels = raw.shape
    cells = offset.shape[1]
    for frame in range(frames):
        cell = np.int64(cell_id[frame])
        known = cell < cells
        for p in range(pixels):
            value = raw[frame, p]
            stage = (value >> 12) & 3
            gain[frame, p] = stage
            if not known or stage == 3:
                out[frame, p] = np.nan
                mask[frame, p] = WRONG_GAIN if known else NO_CONSTANTS
                continue
            photons = np.float32(
                (np.float32(value & 0x0FFF) - offset[stage, cell, p]) * factor[stage, cell, p]
            )
            found = bad_pixels[stage, cell, p]
            if not np.isfinite(photons):
                found = np.uint32(found | _NAN)
                photons = np.float32(np.nan)
            elif abs(photons) > VALUE_LIMIT:
                found = np.uint32(found | _RANGE)
            out[frame, p] = photons
            mask[frame, p] = found


@njit(nogil=True, cache=True)
def combine_parallel(
    raw: U16,
    high_limit: int,
    medium_limit: int,
    data: F32,
    gain: U8,
    mask: U32,
    out: F32,
    stages: U8,
    bits: U32,
) -> None:
    """One frame for each pulse out of three; see `lpd_reference.combine_parallel`."""
    pulses, pixels = out.shape
    for pulse in range(pulses):
        for p in range(pixels):
            row = pulse
            if (raw[row, p] & 0x0FFF) > high_limit:
                row += pulses
                if (raw[row, p] & 0x0FFF) > medium_limit:
                    row += pulses
            out[pulse, p] = data[row, p]
            stages[pulse, p] = gain[row, p]
            bits[pulse, p] = mask[row, p]
