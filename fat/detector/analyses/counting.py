"""A photon-counting detector: uniformity, thresholds, count rates, and what its own mask says of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NOISY: Final = 8.0
"""Poisson standard deviations above the median, and at least a count an image: a pixel that counts by itself."""
BLIND: Final = 0.5
"""Part of the median below which a lit pixel sees too little."""
HOT: Final = 1.5
"""The same above which it counts too much."""


@dataclass(frozen=True, slots=True)
class CountedPixels:
    """Pixels that a flat field and a dark find, against the detector's own mask."""

    blind: int
    hot: int
    unmasked: int
    """Bad ones that the mask does not name."""
    masked: int
    """Pixels that the mask names, gaps between modules left out."""


def bad_counters(
    flat: NDArray[Any], dark: NDArray[Any], images: int, mask: NDArray[Any], gaps: NDArray[np.bool_]
) -> CountedPixels:
    """Look for bad pixels in sums of images that the unit did not mask.

    flat, dark  (height, width) counts of *images* images each, with light and without
    mask        (height, width) the unit's, 0 = good
    gaps        (height, width) where no sensor is
    """
    real = ~gaps
    middle = float(np.median(flat[real]))
    blind = real & (flat < BLIND * middle)
    hot = real & ((flat > HOT * middle) | (dark > images + NOISY * sqrt(images)))
    known = mask != 0
    return CountedPixels(
        blind=int(np.count_nonzero(blind)),
        hot=int(np.count_nonzero(hot & ~blind)),
        unmasked=int(np.count_nonzero((blind | hot) & ~known)),
        masked=int(np.count_nonzero(known & real)),
    )


def dark_rate_hz(dark: NDArray[Any], good: NDArray[np.bool_], exposure_s: float) -> float:
    """Counts of a good pixel each second without light.

    dark        (height, width) counts of all images together
    exposure_s  their count times together
    """
    counted = dark[good]
    return float(counted.sum(dtype=np.float64) / counted.size / exposure_s) if counted.size else float("nan")


def non_uniformity(flat: NDArray[Any], good: NDArray[np.bool_]) -> float:
    """Spread of the pixels' responses, relative: what a flat field varies beyond the statistics of counting.

    flat  (height, width) counts of all images together
    NaN without light.
    """
    counts = flat[good].astype(np.float64)
    mean = counts.mean() if counts.size else 0.0
    return sqrt(max(0.0, counts.var() - mean)) / mean if mean > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class ThresholdEdge:
    """Where counts vanish as the threshold rises: the energy of the photons as the threshold sees it."""

    at: float
    """Threshold over photon energy at the edge."""
    width: float
    """Standard deviation of the pulses' heights, as a part of the photon energy."""
    terms: tuple[float, float, float]
    """Counts of the step, of shared charge, and of what lies above."""

    def curve(self, thresholds: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) counts at thresholds over the photon energy."""
        counts: NDArray[np.float64] = _terms(np.asarray(thresholds), self.at, self.width) @ np.array(
            self.terms
        )
        return counts


def threshold_edge(thresholds: NDArray[Any], counts: NDArray[Any]) -> ThresholdEdge:
    """Fit (A + B · (1 − t)) · erfc((t − at) / (width √2)) / 2 + C to a threshold scan.

    thresholds  (n,) over the photon energy, rising; below and above the edge
    counts      (n,) for each pixel and image

    B is charge that neighbouring pixels share, C what lies above: harmonics of the beam. For each edge and width on a
    grid the three are a linear least-squares problem. NaN with fewer than six points.
    """
    t, y = np.asarray(thresholds, np.float64), np.asarray(counts, np.float64)
    if t.size < 6 or not np.isfinite(y).all() or y.max() <= 0:
        nan = float("nan")
        return ThresholdEdge(nan, nan, (nan, nan, nan))
    low, high = float(t.min()), float(t.max())
    at, width = (low + high) / 2, 0.06
    span = (high - low) / 2
    spread = (0.01, 0.2)
    for _ in range(5):
        ats = np.linspace(max(low, at - span), min(high, at + span), 25)
        widths = np.linspace(*spread, 16)
        costs = [(_edge_cost(t, y, a, w)[0], a, w) for a in ats for w in widths]
        _, at, width = min(costs)
        span /= 6
        spread = max(0.002, width - (spread[1] - spread[0]) / 8), width + (spread[1] - spread[0]) / 8
    step, shared, above = _edge_cost(t, y, at, width)[1]
    return ThresholdEdge(float(at), float(width), (float(step), float(shared), float(above)))


def _edge_cost(
    t: NDArray[np.float64], y: NDArray[np.float64], at: float, width: float
) -> tuple[float, NDArray[np.float64]]:
    """Sum of squares, and the three terms that make it least."""
    terms = _terms(t, at, width)
    found: NDArray[np.float64] = np.asarray(np.linalg.lstsq(terms, y, rcond=None)[0], np.float64)
    return float(((y - terms @ found) ** 2).sum()), found


def _terms(t: NDArray[np.float64], at: float, width: float) -> NDArray[np.float64]:
    """(n, 3) step, shared charge, what lies above."""
    step = np.array([0.5 * erfc((value - at) / (width * sqrt(2))) for value in t])
    return np.stack([step, (1 - t) * step, np.ones_like(t)], axis=1)


@dataclass(frozen=True, slots=True)
class DeadTime:
    """How counts are lost at high rates."""

    seconds: float
    """Of a paralysable counter."""
    residuals: NDArray[np.float64]
    """(points,) counts over the model's, less 1."""


def dead_time(true_hz: NDArray[Any], measured_hz: NDArray[Any]) -> DeadTime:
    """Dead time of a paralysable counter: measured = true · exp(−true · dead time).

    true_hz, measured_hz  (n,) counts each second of a pixel, the first from a reference

    ln(true / measured) is a straight line through the origin; least squares. NaN without a point above zero.
    """
    n, m = np.asarray(true_hz, np.float64), np.asarray(measured_hz, np.float64)
    if not n.size or not (n > 0).all() or not (m > 0).all():
        return DeadTime(float("nan"), np.full(n.shape, np.nan))
    tau = float((n * np.log(n / m)).sum() / (n**2).sum())
    return DeadTime(tau, m / (n * np.exp(-n * tau)) - 1)
