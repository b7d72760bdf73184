"""Noise and bad pixels of one module, from its dark constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

KINDS: Final[Mapping[str, int]] = {
    "offset": 1 << 0,
    "noise": 1 << 1,
    "gain level": 1 << 13,
    "no data": 1 << 3,
}
"""Kinds of bad pixels that darks show, and their public bits (`pipeline.constants.BadPixel`)."""


@dataclass(frozen=True, slots=True)
class DarkQuality:
    """What the darks of one module show."""

    noise: tuple[float, ...]
    """Median over good pixels and all memory cells, ADU rms, of each gain stage; NaN where no pixel is good."""
    offset: tuple[float, ...]
    """The same of the pedestal, ADU."""
    bad: Mapping[str, int]
    """Pixels that are bad in any memory cell and stage, by kind; a pixel may be of several kinds."""
    bad_any: int
    pixels: int
    kinds: NDArray[np.uint32]
    """(slow, fast) bits of all cells and stages together."""


def dark_quality(offset: NDArray[Any], noise: NDArray[Any], bits: NDArray[Any]) -> DarkQuality:
    """Judge one module.

    offset, noise, bits  (fast, slow, cells[, stages]) in storage order: ADU, ADU rms, bits of bad pixels
    """
    offset, noise, bits = (_by_stage(values) for values in (offset, noise, bits))
    stages = range(bits.shape[3])
    worst = np.bitwise_or.reduce(bits, axis=(2, 3)).T.astype(np.uint32)
    return DarkQuality(
        noise=tuple(_median(noise[..., stage], bits[..., stage]) for stage in stages),
        offset=tuple(_median(offset[..., stage], bits[..., stage]) for stage in stages),
        bad={kind: int(np.count_nonzero(worst & np.uint32(bit))) for kind, bit in KINDS.items()},
        bad_any=int(np.count_nonzero(worst)),
        pixels=worst.size,
        kinds=worst,
    )


def level_separation(levels: NDArray[Any]) -> float:
    """Least distance of neighbouring digital gain levels of an AGIPD, in sums of their spreads over the pixels.

    levels  (fast, slow, cells, 3) mean digital level of each stage, ADU; NaN where it was not measured
    Negative when the levels are in the wrong order; NaN when a cell shows a stage in no pixel.
    """
    if not np.isfinite(levels).any(axis=(0, 1)).all():
        return float("nan")
    low, middle, high = np.nanpercentile(levels, (15.9, 50, 84.1), axis=(0, 1))
    spread = (high - low) / 2
    steps = np.diff(middle, axis=-1) / np.maximum(spread[..., :-1] + spread[..., 1:], 1.0)
    return float(np.min(steps))


def _by_stage(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.ndim == 4 else values[..., None]


def _median(values: NDArray[Any], bits: NDArray[Any]) -> float:
    good = values[(bits == 0) & np.isfinite(values)]
    return float(np.median(good)) if good.size else float("nan")
