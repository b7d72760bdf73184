"""Fits of histograms by their Poisson likelihood (Fisher scoring): right for bins with few counts as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Model = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Parameters (p) -> expected counts (bins) and their derivatives (p, bins)."""

MOST_STEPS: Final = 60
CONVERGED: Final = 1e-4
"""A step that promises so little likelihood (its logarithm) moves no parameter by a fiftieth of its error."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a parameter beforehand: a normal distribution."""

    parameter: int
    mean: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model."""

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    chi2: float
    """Pearson's, for each degree of freedom."""
    converged: bool


def fit_counts(
    counts: NDArray[np.float64],
    model: Model,
    start: Sequence[float],
    least: Sequence[float],
    most: Sequence[float],
    priors: Sequence[Prior] = (),
) -> Fit:
    """The parameters between *least* and *most* with the greatest likelihood of (bins) *counts*."""
    low, high = np.asarray(least, float), np.asarray(most, float)
    at = np.clip(np.asarray(start, float), low, high)
    expected, slopes = _of(model, at)
    worth = _worth(counts, expected, at, priors)
    damping, converged = 1e-4, False
    for _ in range(MOST_STEPS):
        information, force = _information(counts, expected, slopes, at, priors)
        information.flat[:: at.size + 1] *= 1.0 + damping
        trial = np.minimum(np.maximum(at + _solved(information, force), low), high)
        expected_there, slopes_there = _of(model, trial)
        worth_there = _worth(counts, expected_there, trial, priors)
        if worth_there >= worth:
            gained = worth_there - worth
            at, expected, slopes, worth = trial, expected_there, slopes_there, worth_there
            damping = max(damping / 10.0, 1e-9)
            if gained < CONVERGED:
                converged = True
                break
        else:
            damping *= 10.0
            if damping > 1e3:
                converged = True  # no step in any direction is better
                break
    information, _ = _information(counts, expected, slopes, at, priors)
    errors = np.sqrt(np.maximum(np.diag(_inverse(information)), 0.0))
    freedom = max(1, counts.size - at.size)
    chi2 = float(((counts - expected) ** 2 / expected).sum() / freedom)
    return Fit(at, errors, chi2, converged)


def _of(model: Model, at: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    expected, slopes = model(at)
    return np.maximum(expected, 1e-9), slopes


def _worth(
    counts: NDArray[np.float64],
    expected: NDArray[np.float64],
    at: NDArray[np.float64],
    priors: Sequence[Prior],
) -> float:
    known = sum(0.5 * ((at.item(p.parameter) - p.mean) / p.sigma) ** 2 for p in priors)
    return float(counts @ np.log(expected)) - float(expected.sum()) - known


def _information(
    counts: NDArray[np.float64],
    expected: NDArray[np.float64],
    slopes: NDArray[np.float64],
    at: NDArray[np.float64],
    priors: Sequence[Prior],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fisher's information, and the slope of the likelihood's logarithm."""
    weighted = slopes / expected
    information, force = weighted @ slopes.T, weighted @ (counts - expected)
    for p in priors:
        information[p.parameter, p.parameter] += 1.0 / p.sigma**2
        force[p.parameter] -= (at[p.parameter] - p.mean) / p.sigma**2
    return information, force


def _solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    except np.linalg.LinAlgError:
        return np.zeros_like(right)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.inv(matrix), np.float64)
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.inf)
