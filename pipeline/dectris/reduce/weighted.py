"""Weighted sums of each frame: virtual detectors and the centre of mass.

Mask and flat field are linear and belong into the weights: they cost nothing per frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.reduce.reduction import Bad, FrameReduction, check_shape, per_frame
from pipeline.dectris.values import SeriesStart
from pipeline.errors import SettingRejected
from pipeline.model import F32, U64


def disk(height: int, width: int, cy: float, cx: float, radius: float) -> F32:
    """(height, width): 1 where a pixel's centre is at most *radius* pixels from (cy, cx), else 0."""
    return (_distance(height, width, cy, cx) <= radius).astype(np.float32)


def ring(height: int, width: int, cy: float, cx: float, inner: float, outer: float) -> F32:
    """(height, width): 1 where a pixel's centre is more than *inner*, at most *outer* pixels from (cy, cx)."""
    distance = _distance(height, width, cy, cx)
    return ((distance > inner) & (distance <= outer)).astype(np.float32)


def _distance(height: int, width: int, cy: float, cx: float) -> NDArray[np.float64]:
    y, x = np.ogrid[:height, :width]
    return np.asarray(np.hypot(y - cy, x - cx))


class VirtualDetectors(FrameReduction):
    """Each frame weighted with each of *weights* (detectors, height, width) and summed: (detectors, frames) float64.

    excluded: (height, width), True where a pixel is bad. flatfield: (height, width), each pixel is multiplied by it,
    as the control unit does it. ignore_maximum: pixels at their type's maximum count 0.
    """

    def __init__(
        self,
        weights: NDArray[np.floating],
        *,
        channel: str | None = None,
        excluded: Bad | None = None,
        flatfield: F32 | None = None,
        ignore_maximum: bool = False,
    ) -> None:
        super().__init__(channel, ignore_maximum)
        if weights.ndim != 3:
            raise SettingRejected("weights", weights.shape, "of shape (detectors, height, width)")
        self._given, self._excluded, self._flatfield = weights, excluded, flatfield
        self._values = np.zeros((0, 0))
        self._came = np.zeros(0, bool)

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected when weights, mask or flat field have another shape."""
        check_shape("weights", self._given[0] if len(self._given) else None, start)
        self.weights = corrected(self._given, self._excluded, self._flatfield, start)
        self._values = per_frame(start, len(self._given), np.dtype("float64"))
        self._came = per_frame(start, 1, np.dtype(bool))[:, 0]

    def put(self, frames: NDArray[np.int64], sums: U64, weighted: NDArray[np.float64]) -> None:  # noqa: ARG002
        """The engine's."""
        self._values[frames] = weighted
        self._came[frames] = True

    def result(self) -> NDArray[np.float64]:
        """(detectors, frames); NaN where a frame is missing."""
        return np.where(self._came[None, :], self._values.T, np.nan)


class CentreOfMass(FrameReduction):
    """(frames, 2): y and x of each frame's centre of mass in pixels; NaN where a frame is missing or empty.

    region: (height, width), True where pixels count; the other arguments as of VirtualDetectors.
    """

    def __init__(
        self,
        *,
        channel: str | None = None,
        excluded: Bad | None = None,
        flatfield: F32 | None = None,
        region: Bad | None = None,
        ignore_maximum: bool = False,
    ) -> None:
        super().__init__(channel, ignore_maximum)
        self._excluded, self._flatfield, self._region = excluded, flatfield, region
        self._moments = np.zeros((0, 3))

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected when region, mask or flat field have another shape."""
        check_shape("region", self._region, start)
        shape = (start.height, start.width)
        region = np.ones(shape, np.float32) if self._region is None else self._region.astype(np.float32)
        y, x = np.mgrid[: start.height, : start.width].astype(np.float32)
        self.weights = corrected(
            np.stack([region, y * region, x * region]), self._excluded, self._flatfield, start
        )
        self._moments = per_frame(start, 3, np.dtype("float64"))

    def put(self, frames: NDArray[np.int64], sums: U64, weighted: NDArray[np.float64]) -> None:  # noqa: ARG002
        """The engine's."""
        self._moments[frames] = weighted

    def result(self) -> NDArray[np.float64]:
        """(frames, 2)."""
        mass = self._moments[:, :1]
        centres: NDArray[np.float64] = np.divide(
            self._moments[:, 1:], mass, out=np.full((len(mass), 2), np.nan), where=mass != 0
        )
        return centres


def corrected(
    weights: NDArray[np.floating], excluded: Bad | None, flatfield: F32 | None, start: SeriesStart
) -> F32:
    """(k, pixels): weights with bad pixels 0 and the flat field multiplied in. Raises SettingRejected."""
    check_shape("excluded", excluded, start)
    check_shape("flatfield", flatfield, start)
    found = np.array(weights, np.float32)
    if flatfield is not None:
        found *= flatfield
    if excluded is not None:
        found[:, excluded] = 0
    return np.ascontiguousarray(found.reshape(len(found), -1))
