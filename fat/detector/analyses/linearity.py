"""A response against a known relative stimulus: a straight line through the origin, and what is left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Line:
    """The line through the origin that is nearest in relative terms."""

    slope: float
    """Response for each unit of the stimulus; NaN with fewer than two points."""
    residuals: NDArray[np.float64]
    """(points,) response over the line, less 1."""

    @property
    def worst(self) -> float:
        """The largest residual, without its sign; NaN where a point is no number."""
        return float(np.max(np.abs(self.residuals))) if self.residuals.size else float("nan")


def fit_line(stimulus: NDArray[Any], response: NDArray[Any]) -> Line:
    """Fit response = slope · stimulus.

    stimulus, response  (points,), any unit; stimuli of zero are left out

    The slope is the median of the points' ratios, so that one that is off does not move the others: over several
    decades every point counts alike.
    """
    lit = np.asarray(stimulus) > 0
    ratios = np.asarray(response, np.float64)[lit] / np.asarray(stimulus, np.float64)[lit]
    finite = ratios[np.isfinite(ratios)]
    if finite.size < 2:
        return Line(float("nan"), np.full(ratios.shape, np.nan))
    slope = float(np.median(finite))
    if slope <= 0:
        return Line(float("nan"), np.full(ratios.shape, np.nan))
    return Line(slope, ratios / slope - 1)


@dataclass(slots=True)
class StageSums:
    """Pixels of many frames, added up by gain stage."""

    sums: NDArray[np.float64]
    """(stages,) ADU above the pedestals."""
    counts: NDArray[np.int64]
    """(stages,) pixels."""

    @classmethod
    def empty(cls, stages: int) -> Self:
        """Nothing yet."""
        return cls(np.zeros(stages), np.zeros(stages, np.int64))

    def add(self, signal: NDArray[Any], stage: NDArray[Any]) -> None:
        """Add pixels: (n,) ADU above the pedestal of each one's own stage, and (n,) stage."""
        stages = len(self.counts)
        self.sums += np.bincount(stage, weights=signal, minlength=stages)[:stages]
        self.counts += np.bincount(stage, minlength=stages)[:stages]

    def photons(self, gains: NDArray[Any]) -> float:
        """Mean photons of a pixel; NaN without pixels. *gains* (stages,) ADU for each photon."""
        used = self.counts > 0
        if not used.any():
            return float("nan")
        return float((self.sums[used] / np.asarray(gains)[used]).sum() / self.counts.sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """(stages,) share of the pixels in each; NaN without pixels."""
        total = int(self.counts.sum())
        return self.counts / total if total else np.full(len(self.counts), np.nan)


def stages_of_levels(levels: NDArray[Any], thresholds: NDArray[Any]) -> NDArray[np.uint8]:
    """Gain stage by the digital level of an AGIPD.

    levels      (…,) ADU
    thresholds  (2, …) between high and medium, and medium and low gain, ADU
    """
    stage: NDArray[np.uint8] = (levels > thresholds[0]).astype(np.uint8)
    stage += levels > thresholds[1]
    return stage
