"""Equidistant peaks in a histogram: no, one, two photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEAR: Final = 0.25
"""Half the window around a peak, as a part of the distance of two."""
ROUNDS: Final = 20
LEAST: Final = 50
"""Entries of a peak below which it is none."""
VALLEY: Final = 0.75
"""Entries half-way between two peaks, over those at the lower one, above which they do not stand apart."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Where the peaks are."""

    zero: float
    """Position of the peak of no photon, in the unit of the edges."""
    distance: float
    """From one peak to the next."""
    width: float
    """Standard deviation of the peak of no photon."""
    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


def find_peaks(edges: NDArray[Any], counts: NDArray[Any], guess: float) -> Peaks | None:
    """Find the peaks of none and one, starting from a guess of their distance; None when they do not stand apart.

    Each position is the mean of what lies near, repeated until it stays: as the mean of a Gaussian cut symmetrically.
    """
    centres = (edges[:-1] + edges[1:]) / 2
    zero, one = 0.0, guess
    for _ in range(ROUNDS):
        window = NEAR * (one - zero)
        before = zero, one
        zero, one = _centre(centres, counts, zero, window), _centre(centres, counts, one, window)
        if not (np.isfinite(zero) and np.isfinite(one) and one > zero):
            return None
        if max(abs(zero - before[0]), abs(one - before[1])) < 1e-4 * guess:
            break
    heights = [_height(centres, counts, at, guess) for at in (zero, one, (zero + one) / 2)]
    if heights[2] > VALLEY * min(heights[:2]):
        return None
    near = np.abs(centres - zero) < 2 * NEAR * (one - zero)
    width = float(np.sqrt(np.average((centres[near] - zero) ** 2, weights=counts[near])))
    return Peaks(zero, one - zero, width, np.asarray(edges, np.float64), np.asarray(counts, np.int64))


def _centre(centres: NDArray[Any], counts: NDArray[Any], at: float, window: float) -> float:
    near = np.abs(centres - at) < window
    if counts[near].sum() < LEAST:
        return float("nan")
    return float(np.average(centres[near], weights=counts[near]))


def _height(centres: NDArray[Any], counts: NDArray[Any], at: float, guess: float) -> float:
    near = np.abs(centres - at) < 0.08 * guess
    return float(counts[near].mean()) if near.any() else 0.0
