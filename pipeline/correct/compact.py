"""Constants as whole numbers of 16 bits: half the memory of floats, and fewer bytes for each pixel to be read.

A map of values becomes base + number × step. Base and step are chosen so that this is exact in float32: the step is a
power of two and the base a multiple of it (docs/decisions/0055-compact-agipd-constants.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.model import F32, U16, U32

LARGEST: Final = 65535


@dataclass(frozen=True, slots=True)
class Compact:
    """A map of values in 16 bits."""

    numbers: U16
    base: float
    step: float

    @property
    def values(self) -> F32:
        """The values that the numbers stand for, any shape, f4."""
        return np.float32(self.base) + self.numbers.astype(np.float32) * np.float32(self.step)


def compact(values: NDArray[Any], least_step: float = 2.0**-40) -> Compact:
    """Round finite values to a grid that spans them; what is not finite becomes the smallest value.

    values  any shape; the error is at most half a step, and a step about the span / 65535
    """
    finite = np.isfinite(values)
    if not finite.any():
        return Compact(np.zeros(values.shape, np.uint16), 0.0, 1.0)
    low, high = float(values[finite].min()), float(values[finite].max())
    step = 2.0 ** math.ceil(math.log2(max((high - low) / (LARGEST - 1), least_step)))
    # Base and largest value must be whole numbers of steps below 2^24, or float32 could not hold them exactly.
    while max(abs(low), abs(high)) / step >= 2**23:
        step *= 2
    base = math.floor(low / step) * step
    rounded = np.rint((np.where(finite, values, low) - base) / step)
    return Compact(rounded.clip(0, LARGEST).astype(np.uint16), base, step)


def reached_from(threshold: NDArray[Any]) -> U16:
    """The smallest digital level that lies above a threshold, u2; 65535 where none does or it is no number.

    A level is a whole number below 16384, so comparing with this is the same as comparing with the threshold.
    """
    with np.errstate(invalid="ignore"):
        above = np.floor(threshold) + 1
    return np.where(np.isnan(above), LARGEST, above).clip(0, LARGEST).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class BadPixelList:
    """Bad pixels of each memory cell, one after the other."""

    first: NDArray[np.int64]
    """(cells + 1,) where the entries of each cell begin."""
    pixel: U16
    """(entries,) pixel number, slow scan × fast pixels + fast scan."""
    bits: U32
    """(entries, 3) bad-pixel bits by gain stage."""

    @classmethod
    def of(cls, maps: U32) -> BadPixelList:
        """From maps (3, cells, pixels) u4 by gain stage; at most 65536 pixels."""
        cell, pixel = np.nonzero(np.bitwise_or.reduce(maps, axis=0))
        first = np.searchsorted(cell, np.arange(maps.shape[1] + 1)).astype(np.int64)
        bits = np.ascontiguousarray(maps[:, cell, pixel].T)
        return cls(first, pixel.astype(np.uint16), bits)

    @property
    def nbytes(self) -> int:
        """Memory that the list takes."""
        return self.first.nbytes + self.pixel.nbytes + self.bits.nbytes
