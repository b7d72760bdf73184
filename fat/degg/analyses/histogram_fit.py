"""Fits of histograms by their Poisson likelihood (Fisher scoring): right for bins with few counts as well.

Many histograms at once, each by itself: a step of one costs as much as a step of thirty, for it is numpy's calls that
take time, not its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Model = Callable[[Rows, NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Which histograms (k), their parameters (k, p) -> expected counts (k, bins), their derivatives (k, p, bins)."""

MOST_STEPS: Final = 60
CONVERGED: Final = 1e-4
"""A step that promises so little likelihood (its logarithm) moves no parameter by a fiftieth of its error."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of parameters beforehand: normal distributions; infinite sigma: nothing."""

    mean: NDArray[np.float64]
    """(n, p)"""
    sigma: NDArray[np.float64]
    """(n, p)"""


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Fitted models."""

    values: NDArray[np.float64]
    """(n, p)"""
    errors: NDArray[np.float64]
    """(n, p)"""
    chi2: NDArray[np.float64]
    """(n) Pearson's, for each degree of freedom."""
    converged: NDArray[np.bool_]
    """(n)"""


@dataclass(slots=True, eq=False)
class _Place:
    """Where some of the fits are."""

    at: NDArray[np.float64]
    expected: NDArray[np.float64]
    slopes: NDArray[np.float64]
    worth: NDArray[np.float64]
    """Logarithm of the likelihood, but for a constant."""

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Go on with some."""
        self.at, self.expected = self.at[which], self.expected[which]
        self.slopes, self.worth = self.slopes[which], self.worth[which]

    def move(self, which: NDArray[np.bool_], there: _Place) -> None:
        """Go there, some or all."""
        if which.all():
            self.at, self.expected, self.slopes, self.worth = (
                there.at,
                there.expected,
                there.slopes,
                there.worth,
            )
            return
        self.at[which], self.expected[which] = there.at[which], there.expected[which]
        self.slopes[which], self.worth[which] = there.slopes[which], there.worth[which]


def fit_counts(
    counts: NDArray[np.float64],
    counted: NDArray[np.bool_],
    model: Model,
    start: NDArray[np.float64],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
    known: Known,
) -> Fits:
    """The parameters (n, p) between *least* and *most* (n, p) with the greatest likelihood of *counts* (n, bins).

    counted  (n, bins) which bins take part in each
    """
    values = np.clip(start, least, most)
    rows = np.arange(len(values))
    every = fit = _Fit(rows, np.where(counted, counts, 0.0), counted.astype(np.float64), model, known)
    converged = np.zeros(len(values), bool)
    damping = np.full(len(values), 1e-4)
    place = fit.place(values)
    for _ in range(MOST_STEPS):
        information, force = fit.information(place)
        np.einsum("kii->ki", information)[...] *= 1.0 + damping[:, None]
        trial = np.minimum(np.maximum(place.at + _solved(information, force), least[rows]), most[rows])
        there = fit.place(trial)
        gained = there.worth - place.worth
        better = gained >= 0.0
        place.move(better, there)
        damping = np.where(better, np.maximum(damping / 10.0, 1e-9), damping * 10.0)
        # Where no step in any direction is better, it has converged as well.
        ended = np.where(better, gained < CONVERGED, damping > 1e3)
        values[rows], converged[rows] = place.at, ended
        if ended.all():
            break
        if ended.any():
            rows, damping = rows[~ended], damping[~ended]
            fit = every.of(rows)
            place.keep(~ended)
    return every.ended(values, converged)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """What is fitted."""

    rows: Rows
    """(k) which histograms."""
    counts: NDArray[np.float64]
    """(k, bins) nothing where it is not counted."""
    counted: NDArray[np.float64]
    """(k, bins) one or none."""
    model: Model
    known: Known
    """Of (k, p)."""

    def of(self, rows: Rows) -> _Fit:
        """Some of them."""
        known = Known(self.known.mean[rows], self.known.sigma[rows])
        return _Fit(rows, self.counts[rows], self.counted[rows], self.model, known)

    def place(self, at: NDArray[np.float64]) -> _Place:
        """What is expected with parameters (k, p), and what they are worth."""
        expected, slopes = self.model(self.rows, at)
        expected = np.maximum(expected, 1e-9)
        away = (at - self.known.mean) / self.known.sigma
        worth = (self.counts * np.log(expected) - self.counted * expected).sum(axis=1)
        return _Place(at, expected, slopes, worth - 0.5 * (away * away).sum(axis=1))

    def information(self, place: _Place) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fisher's information (k, p, p), and the slope (k, p) of the likelihood's logarithm."""
        weighted = place.slopes * (self.counted / place.expected)[:, None, :]
        information = weighted @ place.slopes.transpose(0, 2, 1)
        force = (weighted @ (self.counts - place.expected)[:, :, None])[:, :, 0]
        weight = 1.0 / self.known.sigma**2
        np.einsum("kii->ki", information)[...] += weight
        return information, force - (place.at - self.known.mean) * weight

    def ended(self, values: NDArray[np.float64], converged: NDArray[np.bool_]) -> Fits:
        """What was found, with errors."""
        place = self.place(values)
        covariance = _inverse(self.information(place)[0])
        errors = np.sqrt(np.maximum(np.einsum("kii->ki", covariance), 0.0))
        freedom = np.maximum(1, self.counted.sum(axis=1) - values.shape[1])
        apart = self.counted * (self.counts - place.expected) ** 2 / place.expected
        return Fits(values, errors, apart.sum(axis=1) / freedom, converged)


def _solved(matrices: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, p); zeros where a matrix has no inverse."""
    try:
        return np.asarray(np.linalg.solve(matrices, right[:, :, None])[:, :, 0], np.float64)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.zeros_like(right)
        return np.concatenate([_solved(m[None], r[None]) for m, r in zip(matrices, right, strict=True)])


def _inverse(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k, p, p); infinite where there is none."""
    try:
        return np.asarray(np.linalg.inv(matrices), np.float64)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.full_like(matrices, np.inf)
        return np.concatenate([_inverse(matrix[None]) for matrix in matrices])
