"""Weighted sums of each frame: virtual detectors and the centre of mass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.values import SeriesStart
from pipeline.model import F32


def disk(height: int, width: int, cy: float, cx: float, radius: float) -> F32:
    """(height, width): 1 where a pixel's centre is at most *radius* pixels from (cy, cx), else 0."""
    raise NotImplementedError


def ring(height: int, width: int, cy: float, cx: float, inner: float, outer: float) -> F32:
    """(height, width): 1 where a pixel's centre is more than *inner*, at most *outer* pixels from (cy, cx)."""
    raise NotImplementedError


class VirtualDetectors:
    """Each frame weighted with each of *weights* (detectors, height, width) and summed: (detectors, frames) float64."""

    def __init__(
        self,
        weights: NDArray[np.floating],
        *,
        channel: str | None = None,
        excluded: NDArray[np.bool_] | None = None,
        flatfield: F32 | None = None,
        ignore_maximum: bool = False,
    ) -> None:
        self.channel, self.ignore_maximum = channel, ignore_maximum

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        raise NotImplementedError

    def result(self) -> NDArray[np.float64]:
        """(detectors, frames); NaN where a frame is missing."""
        raise NotImplementedError


class CentreOfMass:
    """(frames, 2): y and x of each frame's centre of mass in pixels; NaN where a frame is missing or empty."""

    def __init__(
        self,
        *,
        channel: str | None = None,
        excluded: NDArray[np.bool_] | None = None,
        flatfield: F32 | None = None,
        region: NDArray[np.bool_] | None = None,
        ignore_maximum: bool = False,
    ) -> None:
        self.channel, self.ignore_maximum = channel, ignore_maximum

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        raise NotImplementedError

    def result(self) -> NDArray[np.float64]:
        """(frames, 2)."""
        raise NotImplementedError
