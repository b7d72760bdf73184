"""LPD correction in numpy, readable as the physics. All arithmetic in float32, one operation after the other."""

from __future__ import annotations

import numpy as np

from pipeline.constants import BadPixel
from pipeline.model import F32, U8, U16, U32

SIGNAL_BITS = 0x0FFF
WRONG_STAGE = 3
"""Gain bits that stand for no stage."""
NO_CONSTANTS = np.uint32(BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN)
WRONG_GAIN = np.uint32(BadPixel.WRONG_GAIN_VALUE | BadPixel.VALUE_IS_NAN)
VALUE_LIMIT = np.float32(1e7)


def correct_lpd(
    raw: U16, cell_id: U16, offset: F32, factor: F32, bad_pixels: U32, out: F32, gain: U8, mask: U32
) -> None:
    """Correct frames. Each frame uses the constants of its memory cell; p = 256 × 256 pixels.

    raw         (n, p) u2: bits 0…11 signal in ADU, bits 12 and 13 gain stage
    cell_id     (n,) u2
    offset      (3, cells, p) f4 ADU, by gain stage
    factor      (3, cells, p) f4 photons per ADU
    bad_pixels  (3, cells, p) u4
    out         (n, p) f4 photons, NaN where not finite; gain (n, p) u1, 3 where wrong; mask (n, p) u4, 0 = good
    """
    for frame, cell in enumerate(cell_id):
        stage = ((raw[frame] >> 12) & 3).astype(np.uint8)
        if cell >= offset.shape[1]:
            out[frame], gain[frame], mask[frame] = np.nan, stage, NO_CONSTANTS
            continue
        signal = (raw[frame] & SIGNAL_BITS).astype(np.float32)
        right = stage != WRONG_STAGE
        pick = np.where(right, stage, 0)
        # Bad pixels have constants that are no numbers; what comes of them is flagged below.
        with np.errstate(over="ignore", invalid="ignore"):
            photons = (signal - np.choose(pick, offset[:, cell])) * np.choose(pick, factor[:, cell])
        found = np.choose(pick, bad_pixels[:, cell])
        finite = np.isfinite(photons)
        found[~finite] |= np.uint32(BadPixel.VALUE_IS_NAN)
        found[finite & (np.abs(photons) > VALUE_LIMIT)] |= np.uint32(BadPixel.VALUE_OUT_OF_RANGE)
        photons[~finite | ~right] = np.nan
        found[~right] = WRONG_GAIN
        out[frame], gain[frame], mask[frame] = photons, stage, found


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
    """One frame for each pulse out of three: high gain, medium where high is beyond its limit, low likewise.

    raw   (3 n, p) u2; data, gain, mask (3 n, p) corrected: thirds in high, medium, low gain
    out, stages, bits  (n, p)
    """
    pulses = len(out)
    for pulse in range(pulses):
        signals = [raw[stage * pulses + pulse] & SIGNAL_BITS for stage in (0, 1)]
        chosen = np.where(signals[0] <= high_limit, 0, np.where(signals[1] <= medium_limit, 1, 2))
        rows = [pulse, pulses + pulse, 2 * pulses + pulse]
        for target, source in ((out, data), (stages, gain), (bits, mask)):
            target[pulse] = np.choose(chosen, [source[row] for row in rows])
