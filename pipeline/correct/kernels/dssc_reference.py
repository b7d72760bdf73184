"""DSSC correction in numpy: a DSSC has no gain stages, its offset is subtracted."""

from __future__ import annotations

import numpy as np

from pipeline.constants import BadPixel
from pipeline.model import F32, U16, U32

NO_CONSTANTS = np.uint32(BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN)


def correct_dssc(
    raw: U16, cell_id: U16, offset: F32, bad_pixels: U32, eight_bit: bool, out: F32, mask: U32
) -> None:
    """Correct frames. Each frame uses the constants of its memory cell; p = 128 × 512 pixels.

    raw         (n, p) u2 ADU; eight_bit: 256 arrived as 0
    cell_id     (n,) u2
    offset      (cells, p) f4 ADU; bad_pixels (cells, p) u4
    out         (n, p) f4 ADU, NaN where not finite; mask (n, p) u4, 0 = good
    """
    for frame, cell in enumerate(cell_id):
        if cell >= len(offset):
            out[frame], mask[frame] = np.nan, NO_CONSTANTS
            continue
        value = raw[frame].astype(np.float32)
        if eight_bit:
            value[raw[frame] == 0] = 256
        with np.errstate(invalid="ignore"):
            signal = value - offset[cell]
        found = bad_pixels[cell].copy()
        finite = np.isfinite(signal)
        found[~finite] |= np.uint32(BadPixel.VALUE_IS_NAN)
        signal[~finite] = np.nan
        out[frame], mask[frame] = signal, found
