"""AGIPD correction in numpy, readable as the physics.

Order of the steps: thresholding, forced stages, offset, relative gain, baseline, common mode, x-ray gain, mask,
cleaning, as public documentation gives it. Constants come in the compact form of `AgipdConstants`; all
arithmetic is in float32, one operation after the other, so that the fast kernel can give the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.constants import BadPixel
from pipeline.model import F32, U8, U16, U32

VALUE_LIMIT = np.float32(1e7)
"""Photons beyond which a value is out of range."""
NO_CONSTANTS = np.uint32(BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN)


def correct_agipd(
    raw: U16,
    cell_id: U16,
    threshold: U16,
    offset: U16,
    factor: U16,
    offset_scale: F32,
    factor_scale: F32,
    low_ratio: np.float32,
    bad_first: NDArray[np.int64],
    bad_pixel: U16,
    bad_bits: U32,
    stage: int,
    force_medium: np.float32,
    force_high: np.float32,
    out: F32,
    gain: U8,
    mask: U32,
) -> None:
    """Correct frames. Each frame uses the constants of its memory cell; p = pixels of an image, at most 65536.

    raw           (n, 2, p) u2: plane 0 analogue signal in ADU, plane 1 digitised gain level
    cell_id       (n,) u2
    threshold     (2, cells, p) u2: from [0] on medium gain, from [1] on low gain
    offset        (3, cells, p) u2 by gain stage; offset_scale (3, 2) f4 ADU: offset = [0] + value × [1]
    factor        (2, cells, p) u2 of high and medium gain; factor_scale (2, 2) f4 photons per ADU, likewise
    low_ratio     f4, factor of low gain over that of medium gain
    bad_first     (cells + 1,) i8: the bad pixels of a cell are entries bad_first[cell] … bad_first[cell + 1] - 1
    bad_pixel     (entries,) u2 pixel; bad_bits (entries, 3) u4 by gain stage; VALUE_IS_NAN makes the result NaN
    stage         of every pixel in fixed gain; −1 adaptive
    force_medium  f4 ADU: a pixel in low gain with less signal over its medium-gain offset is in medium gain
    force_high    f4 ADU: a pixel that left high gain with less signal over its high-gain offset is in high gain
    out           (n, p) f4 photons
    gain          (n, p) u1
    mask          (n, p) u4, 0 = good
    """
    cells = offset.shape[1]
    for frame, cell in enumerate(cell_id):
        if cell >= cells:
            out[frame], gain[frame], mask[frame] = np.nan, 0, NO_CONSTANTS
            continue
        analogue, level = raw[frame, 0].astype(np.float32), raw[frame, 1]
        signals = [
            (analogue - offset_scale[g, 0]) - offset[g, cell].astype(np.float32) * offset_scale[g, 1]
            for g in range(3)
        ]
        stages = np.full(level.shape, max(stage, 0), np.uint8)
        if stage < 0:
            left_high = level >= threshold[0, cell]
            stages[left_high] = 1
            stages[left_high & (level >= threshold[1, cell])] = 2
            stages[(stages == 2) & (signals[1] < force_medium)] = 1
            stages[(stages > 0) & (signals[0] < force_high)] = 0
        factors = [
            factor_scale[k, 0] + factor[k, cell].astype(np.float32) * factor_scale[k, 1] for k in (0, 1)
        ]
        factors.append(factors[1] * np.float32(low_ratio))
        out[frame] = np.choose(stages, [s * f for s, f in zip(signals, factors, strict=True)])
        gain[frame], mask[frame] = stages, 0
        bad = slice(bad_first[cell], bad_first[cell + 1])
        pixels = bad_pixel[bad].astype(np.intp)
        mask[frame, pixels] = bad_bits[bad][np.arange(len(pixels)), stages[pixels]]
        out[frame, (mask[frame] & np.uint32(BadPixel.VALUE_IS_NAN)) != 0] = np.nan


def subtract_baseline(out: F32, gain: U8, mask: U32, asic: int, reach: int, least: int) -> None:
    """Shift each ASIC so that its noise peak, most pixels without light, lies at zero.

    out    (n, slow, fast) f4 in ADU, changed; gain, mask likewise. Pixels that left high gain stay as they are
    asic   pixels along each side of an ASIC
    reach  the peak is looked for in bins of 1 ADU from −reach to reach
    least  pixels in the fullest three neighbouring bins for an ASIC to be shifted
    """
    frames, height, width = out.shape
    for frame in range(frames):
        for top in range(0, height, asic):
            for left in range(0, width, asic):
                place = frame, slice(top, top + asic), slice(left, left + asic)
                part, in_high = out[place], gain[place] == 0
                near = in_high & (mask[place] == 0) & (part >= -reach) & (part < reach)
                bins = np.bincount((part[near] + np.float32(reach)).astype(np.int64), minlength=2 * reach)
                three = bins[:-2] + bins[1:-1] + bins[2:]
                if not near.any() or three.max() < least:
                    continue
                first = int(np.argmax(three)) - reach
                peak = near & (part >= first) & (part < first + 3)
                total = np.cumsum(part[peak].astype(np.float64))[-1]
                part[in_high] -= np.float32(total / np.count_nonzero(peak))


def clean(out: F32, mask: U32, rounding: np.float32, zero_out_of_range: bool, zero_nans: bool) -> None:
    """Round to photons, and put zero where there is no usable number; the mask keeps why.

    rounding  the fraction from which on a photon counts; 0: values are not rounded
    """
    if rounding > 0:
        rounded = np.floor(out + (np.float32(1) - rounding))
        out[...] = np.where(rounded <= 0, np.float32(0), rounded)
    if zero_out_of_range:
        far = np.abs(out) > VALUE_LIMIT
        mask[far] |= np.uint32(BadPixel.VALUE_OUT_OF_RANGE)
        out[far] = 0
    if zero_nans:
        missing = np.isnan(out)
        mask[missing] |= np.uint32(BadPixel.VALUE_IS_NAN)
        out[missing] = 0


def subtract_common_mode(
    out: F32, gain: U8, mask: U32, asic: int, low: float, high: float, fraction: float, iterations: int
) -> None:
    """Subtract from each ASIC the mean of its dark pixels, as long as enough of them are dark.

    out       (n, slow, fast) f4 in ADU, changed; gain, mask likewise. Pixels that left high gain stay as they are
    asic      pixels along each side of an ASIC
    low, high dark is a good pixel in high gain with low ≤ signal ≤ high
    fraction  least share of dark pixels of an ASIC
    """
    frames, height, width = out.shape
    for frame in range(frames):
        for top in range(0, height, asic):
            for left in range(0, width, asic):
                place = frame, slice(top, top + asic), slice(left, left + asic)
                part, in_high = out[place], gain[place] == 0
                for _ in range(iterations):
                    dark = in_high & (mask[place] == 0) & (part >= low) & (part <= high)
                    count = int(np.count_nonzero(dark))
                    if count < fraction * part.size or count == 0:
                        break
                    # One after the other, as the fast kernel adds them: pairwise sums differ in the last bit.
                    total = np.cumsum(part[dark].astype(np.float64))[-1]
                    part[in_high] -= np.float32(total / count)


def apply_flat(cell_id: U16, flat: U16, flat_scale: F32, out: F32) -> None:
    """Multiply by photons per ADU.

    flat  (cells, p) u2; flat_scale (2,) f4: factor = [0] + value × [1]
    out   (n, p) f4, changed; frames of cells without constants stay as they are
    """
    for frame, cell in enumerate(cell_id):
        if cell < len(flat):
            out[frame] *= flat_scale[0] + flat[cell].astype(np.float32) * flat_scale[1]
