"""AGIPD correction in numba, no lock held. Arguments as in `agipd_reference`.

Most pixels are in high gain and good. Each row is corrected as if all its pixels were, in one loop over the row that
compilers turn into vector instructions; a row in which a digital level passed the first threshold is gone through
again pixel by pixel, and bad pixels are few and have a list of their own. So the constants of medium and low gain are
read where they are needed only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.constants import BadPixel
from pipeline.correct.kernels.agipd_reference import NO_CONSTANTS, VALUE_LIMIT
from pipeline.model import F32, U8, U16, U32

_NAN = np.uint32(BadPixel.VALUE_IS_NAN)
_RANGE = np.uint32(BadPixel.VALUE_OUT_OF_RANGE)
_CONTIGUOUS_ROW = 512
"""Pixels that are corrected together; small enough to stay in the first cache."""


# No fastmath: it would reorder float operations, and online and offline results must be equal to the bit.
@njit(nogil=True, cache=True)
def correct_agipd(  # type: ignore[no-untyped-def]
    raw: U16, cell_id: U16, threshold: U16, offset: U16, factor: U16, offset_scale: F32, factor_scale: F32,
    low_ratio, bad_first, bad_pixel: U16, bad_bits: U32, stage, force_medium, force_high,
    out: F32, gain: U8, mask: U32,
) -> None:  # fmt: skip
    """Correct frames; see `agipd_reference.correct_agipd`."""
    frames, _, pixels = raw.shape
    cells = offset.shape[1]
    for frame in range(frames):
        cell = np.int64(cell_id[frame])
        if cell >= cells:
            out[frame] = np.nan
            gain[frame] = 0
            mask[frame] = NO_CONSTANTS
            continue
        if stage < 0:
            _adaptive(
                raw[frame], cell, threshold, offset, factor, offset_scale, factor_scale,
                low_ratio, force_medium, force_high, out[frame], gain[frame],
            )  # fmt: skip
        else:
            for p in range(pixels):
                out[frame, p] = _value(
                    raw[frame, 0, p], cell, p, stage, offset, factor, offset_scale, factor_scale, low_ratio
                )
            gain[frame] = stage
        mask[frame] = 0
        for entry in range(bad_first[cell], bad_first[cell + 1]):
            pixel = np.int64(bad_pixel[entry])
            found = bad_bits[entry, gain[frame, pixel]]
            mask[frame, pixel] = found
            if found & _NAN:
                out[frame, pixel] = np.nan


@njit(nogil=True, cache=True, inline="always")
def _signal(analogue, g, cell, p, offset, offset_scale):  # type: ignore[no-untyped-def]
    return (analogue - offset_scale[g, 0]) - np.float32(offset[g, cell, p]) * offset_scale[g, 1]


@njit(nogil=True, cache=True, inline="always")
def _value(analogue, cell, p, g, offset, factor, offset_scale, factor_scale, low_ratio):  # type: ignore[no-untyped-def]
    signal = _signal(np.float32(analogue), g, cell, p, offset, offset_scale)
    kind = min(g, 1)
    scaled = factor_scale[kind, 0] + np.float32(factor[kind, cell, p]) * factor_scale[kind, 1]
    if g == 2:
        scaled = np.float32(scaled * low_ratio)
    return np.float32(signal * scaled)


@njit(nogil=True, cache=True)
def _adaptive(  # type: ignore[no-untyped-def]
    raw, cell, threshold, offset, factor, offset_scale, factor_scale, low_ratio, force_medium, force_high, out, gain,
):  # fmt: skip
    pixels = raw.shape[1]
    base, step = offset_scale[0, 0], offset_scale[0, 1]
    factor_base, factor_step = factor_scale[0, 0], factor_scale[0, 1]
    for start in range(0, pixels, _CONTIGUOUS_ROW):
        stop = min(start + _CONTIGUOUS_ROW, pixels)
        analogue, level = raw[0, start:stop], raw[1, start:stop]
        limit = threshold[0, cell, start:stop]
        shift, scale = offset[0, cell, start:stop], factor[0, cell, start:stop]
        here, stages = out[start:stop], gain[start:stop]
        switched = np.uint16(0)
        for x in range(stop - start):
            switched |= np.uint16(level[x] >= limit[x])
        for x in range(stop - start):
            signal = (np.float32(analogue[x]) - base) - np.float32(shift[x]) * step
            here[x] = signal * (factor_base + np.float32(scale[x]) * factor_step)
        stages[:] = 0
        if switched:
            _switched(
                raw, cell, start, stop, threshold, offset, factor, offset_scale, factor_scale,
                low_ratio, force_medium, force_high, out, gain,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _switched(  # type: ignore[no-untyped-def]
    raw, cell, start, stop, threshold, offset, factor, offset_scale, factor_scale, low_ratio,
    force_medium, force_high, out, gain,
):  # fmt: skip
    """Go through pixels of which at least one has left high gain."""
    for p in range(start, stop):
        level = raw[1, p]
        if level < threshold[0, cell, p]:
            continue
        g = 2 if level >= threshold[1, cell, p] else 1
        analogue = np.float32(raw[0, p])
        if g == 2 and _signal(analogue, 1, cell, p, offset, offset_scale) < force_medium:
            g = 1
        if _signal(analogue, 0, cell, p, offset, offset_scale) < force_high:
            g = 0
        out[p] = _value(raw[0, p], cell, p, g, offset, factor, offset_scale, factor_scale, low_ratio)
        gain[p] = g


@njit(nogil=True, cache=True)
def subtract_baseline(out: F32, gain: U8, mask: U32, asic, reach, least) -> None:  # type: ignore[no-untyped-def]
    """Shift each ASIC's noise peak to zero; see `agipd_reference.subtract_baseline`."""
    frames, height, width = out.shape
    bins = np.zeros(2 * reach, np.int64)
    for frame in range(frames):
        for top in range(0, height, asic):
            for left in range(0, width, asic):
                part = out[frame, top : top + asic, left : left + asic]
                stages = gain[frame, top : top + asic, left : left + asic]
                bits = mask[frame, top : top + asic, left : left + asic]
                bins[:] = 0
                for y in range(part.shape[0]):
                    for x in range(part.shape[1]):
                        value = part[y, x]
                        if stages[y, x] == 0 and bits[y, x] == 0 and -reach <= value < reach:
                            bins[np.int64(value + np.float32(reach))] += 1
                most, first = 0, 0
                for k in range(2 * reach - 2):
                    three = bins[k] + bins[k + 1] + bins[k + 2]
                    if three > most:
                        most, first = three, k - reach
                if most == 0 or most < least:
                    continue
                total, count = 0.0, 0
                for y in range(part.shape[0]):
                    for x in range(part.shape[1]):
                        value = part[y, x]
                        near = stages[y, x] == 0 and bits[y, x] == 0 and -reach <= value < reach
                        if near and first <= value < first + 3:
                            total += np.float64(value)
                            count += 1
                if count == 0:
                    continue
                shift = np.float32(total / count)
                for y in range(part.shape[0]):
                    for x in range(part.shape[1]):
                        if stages[y, x] == 0:
                            part[y, x] -= shift


@njit(nogil=True, cache=True)
def clean(out: F32, mask: U32, rounding, zero_out_of_range, zero_nans) -> None:  # type: ignore[no-untyped-def]
    """Round, and zero what is no usable number; see `agipd_reference.clean`."""
    values, bits = out.reshape(-1), mask.reshape(-1)
    up = np.float32(1) - np.float32(rounding)
    for p in range(values.size):
        value = values[p]
        if rounding > 0:
            value = np.floor(np.float32(value + up))
            if value <= 0:
                value = np.float32(0)
        if zero_out_of_range and abs(value) > VALUE_LIMIT:
            bits[p] |= _RANGE
            value = np.float32(0)
        if zero_nans and np.isnan(value):
            bits[p] |= _NAN
            value = np.float32(0)
        values[p] = value


@njit(nogil=True, cache=True)
def subtract_common_mode(out: F32, gain: U8, mask: U32, asic, low, high, fraction, iterations) -> None:  # type: ignore[no-untyped-def]
    """Subtract the common mode of each ASIC; see `agipd_reference.subtract_common_mode`."""
    frames, height, width = out.shape
    for frame in range(frames):
        for top in range(0, height, asic):
            for left in range(0, width, asic):
                part = out[frame, top : top + asic, left : left + asic]
                stages = gain[frame, top : top + asic, left : left + asic]
                bits = mask[frame, top : top + asic, left : left + asic]
                for _ in range(iterations):
                    total, count = 0.0, 0
                    for y in range(part.shape[0]):
                        for x in range(part.shape[1]):
                            value = part[y, x]
                            if stages[y, x] == 0 and bits[y, x] == 0 and low <= value <= high:
                                total += np.float64(value)
                                count += 1
                    if count < fraction * part.size or count == 0:
                        break
                    mean = np.float32(total / count)
                    for y in range(part.shape[0]):
                        for x in range(part.shape[1]):
                            if stages[y, x] == 0:
                                part[y, x] -= mean


@njit(nogil=True, cache=True)
def apply_flat(cell_id: U16, flat: U16, flat_scale: F32, out: F32) -> None:
    """Multiply by the photon gain's inverse; see `agipd_reference.apply_flat`."""
    frames, pixels = out.shape
    cells = flat.shape[0]
    for frame in range(frames):
        cell = np.int64(cell_id[frame])
        if cell < cells:
            for p in range(pixels):
                out[frame, p] = out[frame, p] * (flat_scale[0] + np.float32(flat[cell, p]) * flat_scale[1])
