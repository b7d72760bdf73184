"""One AGIPD module's constants in the compact form that the kernels read.

15 bytes for each pixel and memory cell, and 18 bytes for each bad pixel: a detector of 16 modules and 352 cells takes
5.5 GB. Thresholds lose nothing. Offsets are rounded by at most an eighth of an ADU, factors by about 3e-5 of the
median (docs/decisions/0055-compact-agipd-constants.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.constants import BadPixel
from pipeline.correct.compact import BadPixelList, Compact, compact, reached_from
from pipeline.correct.recipe import kernel_order
from pipeline.errors import SettingRejected
from pipeline.model import F32, U16, U32

LATE_FLAT: Final = frozenset({"baseline", "common_mode"})
"""Steps that need ADU, so that the photon gain comes after them."""
IMAGE: Final = (512, 128)
MEDIUM_TO_LOW: Final = 4.48
"""High-gain equivalent of low gain over medium gain (public AGIPD calibration notebooks)."""
POSSIBLE_OFFSETS: Final = (0.0, 16383.0)
"""ADU. A mean of 14-bit values lies between these; an offset beyond is no offset."""
MOST_FACTOR: Final = 4.0
"""A pixel whose factor is beyond so many medians of its module is of no use and would coarsen the others' grid."""
CALIBRATIONS: Final[Mapping[str, str]] = {
    "thresholding": "ThresholdsDark",
    "medium_baseline": "SlopesPC",
    "relative_gain": "SlopesPC",
    "photon_gain": "SlopesFF",
    "mask": "BadPixelsDark",
}
"""What a step needs beside the offsets."""
_NAN: Final = np.uint32(BadPixel.VALUE_IS_NAN)


@dataclass(frozen=True, slots=True)
class AgipdConstants:
    """Prepared constants; p = 512 × 128 pixels. See `kernels.agipd_reference` for what each array means."""

    threshold: U16
    """(2, cells, p)"""
    offset: U16
    """(3, cells, p)"""
    factor: U16
    """(2, cells, p)"""
    offset_scale: F32
    """(3, 2) base and step, ADU"""
    factor_scale: F32
    """(2, 2) base and step"""
    low_ratio: float
    flat: U16
    """(cells, p) photons per ADU where the common mode is subtracted before; else (0, p), it is in `factor`"""
    flat_scale: F32
    """(2,) base and step"""
    bad: BadPixelList

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        arrays = (self.threshold, self.offset, self.factor, self.flat)
        return sum(array.nbytes for array in arrays) + self.bad.nbytes

    @staticmethod
    def needed(steps: Collection[str]) -> tuple[str, ...]:
        """Calibrations that these steps need, each once."""
        return tuple(dict.fromkeys(["Offset", *(CALIBRATIONS[s] for s in CALIBRATIONS if s in steps)]))

    @classmethod
    def prepare(cls, stored: Mapping[str, NDArray[Any]], steps: Collection[str]) -> AgipdConstants:
        """From constants as they are stored, (128, 512, cells, k), by calibration.

        BadPixelsPC and BadPixelsFF are used where they are there. Raises SettingRejected when a constant lacks.
        """
        for name in cls.needed(steps):
            if name not in stored:
                raise SettingRejected(
                    "steps", sorted(steps), f"without those that need {name}, or inject {name}"
                )
        offset = kernel_order(stored["Offset"])[:3]
        cells, pixels = offset.shape[1:]
        bits = _stored_bits(stored, cells) if "mask" in steps else np.zeros((3, cells, pixels), np.uint32)
        if "medium_baseline" in steps:
            offset[1] = _medium_baseline(offset, kernel_order(stored["SlopesPC"]))
        if "offset" not in steps:
            offset = np.zeros_like(offset)
        relative, low_ratio = _relative(stored, steps, offset[:2])
        photons = _photons(stored, steps, offset[0])
        late_flat = bool(LATE_FLAT & set(steps))
        factors = relative if late_flat else relative * photons
        shifts = [_compact_offset(offset[g], bits[g]) for g in range(3)]
        scales = [_compact_factor(factors[k], bits[k:] if k else bits[:1]) for k in range(2)]
        flat = (
            _compact_factor(photons, bits) if late_flat else Compact(np.zeros((0, pixels), np.uint16), 1, 0)
        )
        return cls(
            threshold=(
                np.stack([reached_from(t) for t in kernel_order(stored["ThresholdsDark"])[:2]])
                if "thresholding" in steps
                else np.zeros((2, 0, pixels), np.uint16)
            ),
            offset=np.stack([shift.numbers for shift in shifts]),
            factor=np.stack([scale.numbers for scale in scales]),
            offset_scale=np.array([(shift.base, shift.step) for shift in shifts], np.float32),
            factor_scale=np.array([(scale.base, scale.step) for scale in scales], np.float32),
            low_ratio=low_ratio,
            flat=flat.numbers,
            flat_scale=np.array([flat.base, flat.step], np.float32),
            bad=BadPixelList.of(bits),
        )


def _stored_bits(stored: Mapping[str, NDArray[Any]], cells: int) -> U32:
    """(3, cells, pixels) bits of all maps that are there. BadPixelsFF may be one map for all stages."""
    bits = kernel_order(stored["BadPixelsDark"])[:3].astype(np.uint32)
    if "BadPixelsPC" in stored:
        bits |= kernel_order(stored["BadPixelsPC"])[:3].astype(np.uint32)
    if "BadPixelsFF" in stored:
        flat = stored["BadPixelsFF"]
        bits |= kernel_order(flat.reshape(*flat.shape[:2], cells, -1))[:1].astype(np.uint32)
    return bits


def _medium_baseline(offset: F32, slopes: F32) -> F32:
    """Offset of medium gain at which it joins high gain, (cells, pixels) ADU.

    The fits of SlopesPC say a = slope × charge + intercept in both stages. The dark charge is where high gain reads its
    offset; medium gain would read this there. Where the fits give no number, the dark offset stays.
    """
    high, high_intercept, medium, medium_intercept = slopes[0], slopes[1], slopes[3], slopes[4]
    with np.errstate(divide="ignore", invalid="ignore"):
        joined = medium_intercept + medium / high * (offset[0] - high_intercept)
    return np.asarray(np.where(np.isfinite(joined), joined, offset[1]), np.float32)


def _relative(stored: Mapping[str, NDArray[Any]], steps: Collection[str], like: F32) -> tuple[F32, float]:
    """Relative gain of high and medium, (2, cells, pixels), and low over medium."""
    if "relative_gain" not in steps:
        return np.ones_like(like, np.float32), 1.0
    slopes = kernel_order(stored["SlopesPC"])[[0, 3]].astype(np.float32)
    good = slopes[0][np.isfinite(slopes[0]) & (slopes[0] > 0)]
    median = np.float32(np.median(good)) if good.size else np.float32(np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(median / slopes, np.float32), MEDIUM_TO_LOW


def _photons(stored: Mapping[str, NDArray[Any]], steps: Collection[str], like: F32) -> F32:
    """Photons per high-gain ADU, (cells, pixels)."""
    if "photon_gain" not in steps:
        return np.ones_like(like, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 / kernel_order(stored["SlopesFF"])[0].astype(np.float32), np.float32)


def _compact_offset(offset: F32, bits: U32) -> Compact:
    """Flags what is no offset in *bits*, (cells, pixels), and rounds the others."""
    with np.errstate(invalid="ignore"):
        possible = (offset >= POSSIBLE_OFFSETS[0]) & (offset <= POSSIBLE_OFFSETS[1])
    bits[~possible] |= _NAN
    bits[~possible & np.isfinite(offset)] |= np.uint32(BadPixel.OFFSET_OUT_OF_THRESHOLD)
    return compact(np.where(possible, offset, np.nan))


def _compact_factor(factor: F32, bits: U32) -> Compact:
    """Flags factors that are none in *bits*, (stages, cells, pixels), and rounds the others."""
    with np.errstate(invalid="ignore"):
        good = np.isfinite(factor) & (factor > 0)
    median = float(np.median(factor[good])) if good.any() else 0.0
    usable = good & (factor <= MOST_FACTOR * median)
    bits[:, ~usable] |= _NAN
    bits[:, good & ~usable] |= np.uint32(BadPixel.CI_GAIN_OF_OF_THRESHOLD)
    return compact(np.where(usable, factor, np.nan))
