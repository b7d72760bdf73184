"""The order of axes: stored constants say theirs, everybody else asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FAST_FIRST: Final = ("fast_scan", "slow_scan", "cell")
"""Storage order of constants; one more axis may follow, gain or threshold."""


def stored_dims(calibration: str, axes: int = 4) -> tuple[str, ...]:
    """Axis labels of a constant with so many axes in storage order; a DSSC has no gain stages."""
    return (*FAST_FIRST, "threshold" if calibration == "ThresholdsDark" else "gain")[:axes]


def fast_first(data: NDArray[Any], dims: Sequence[str]) -> NDArray[Any]:
    """A view with the axes fast scan, slow scan, cell, and then the one other axis, if any, whatever it is called.

    data  three or four axes
    dims  their labels, in order
    Raises ValueError when the labels do not say where each axis is.
    """
    axes = data.ndim
    if axes not in (3, 4) or len(dims) != axes or len(set(dims)) != axes or not set(FAST_FIRST) <= set(dims):
        raise ValueError(
            f"axes {list(dims)} of shape {data.shape} are not fast_scan, slow_scan, cell and at most one other"
        )
    order = [dims.index(axis) for axis in FAST_FIRST]
    return data.transpose(*order, *(axis for axis in range(axes) if axis not in order))


def to_storage(data: NDArray[Any]) -> NDArray[Any]:
    """From (cell, k, slow, fast), the order of images, to a contiguous (fast, slow, cell, k)."""
    return np.ascontiguousarray(data.transpose(3, 2, 0, 1))


def to_images(data: NDArray[Any]) -> NDArray[Any]:
    """From (fast, slow, cell, k) to a view (cell, k, slow, fast): `view[cell, gain]` is an image (512, 128)."""
    return data.transpose(2, 3, 1, 0)
