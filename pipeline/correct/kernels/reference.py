"""AGIPD correction in numpy, readable as the physics.

Order of the steps: thresholding, offset, relative gain, x-ray gain, mask, as public documentation of the online
correction gives it.
All arithmetic is in float32, one operation after the other, so that the fast kernel can give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.constants import BadPixel
from pipeline.model import F32, U8, U16, U32

VALUE_LIMIT = np.float32(1e7)
"""Photons beyond this, either sign, are out of range. No AGIPD stage reaches a thousandth of it."""
NO_CONSTANTS = np.uint32(BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN)


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
    """Correct frames. Each frame uses the constants of its memory cell.

    raw         (n, 2, 512, 128) u2: plane 0 analogue signal in ADU, plane 1 digitised gain level
    cell_id     (n,) u2
    thresholds  (cells, 512, 128, 2) f4: above [0] medium gain, above [1] low gain
    offset      (cells, 512, 128, 3) f4 ADU, by gain stage
    factor      (cells, 512, 128, 3) f4 photons per ADU, by gain stage
    bad_pixels  (cells, 512, 128, 3) u4, by gain stage
    fixed_gain  the stage of every pixel when *thresholding* is off
    out         (n, 512, 128) f4 photons, NaN where not finite
    gain        (n, 512, 128) u1
    mask        (n, 512, 128) u4, 0 = good
    """
    cells = len(offset)
    for frame, cell in enumerate(cell_id):
        if cell >= cells:
            out[frame], gain[frame], mask[frame] = np.nan, 0, NO_CONSTANTS
            continue
        level = raw[frame, 1].astype(np.float32)
        stage = np.full(level.shape, fixed_gain, np.uint8)
        if thresholding:
            stage[:] = 0
            stage[level > thresholds[cell, ..., 0]] = 1
            stage[level > thresholds[cell, ..., 1]] = 2
        of_stage = stage[..., np.newaxis].astype(np.intp)
        signal = raw[frame, 0].astype(np.float32) - _pick(offset[cell], of_stage)
        # Bad pixels have constants that are no numbers; what comes of them is flagged below.
        with np.errstate(over="ignore", invalid="ignore"):
            photons = signal * _pick(factor[cell], of_stage)
        found = _pick(bad_pixels[cell], of_stage).copy()
        finite = np.isfinite(photons)
        found[~finite] |= np.uint32(BadPixel.VALUE_IS_NAN)
        found[finite & (np.abs(photons) > VALUE_LIMIT)] |= np.uint32(BadPixel.VALUE_OUT_OF_RANGE)
        photons[~finite] = np.nan
        out[frame], gain[frame], mask[frame] = photons, stage, found


def _pick(values: NDArray[Any], of_stage: NDArray[np.intp]) -> NDArray[Any]:
    """From (512, 128, 3) the value of each pixel's gain stage, (512, 128)."""
    return np.take_along_axis(values, of_stage, axis=-1)[..., 0]
