"""Least squares for a few parameters, after Levenberg and Marquardt, with numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STEPS: Final = 200
STILL: Final = 1e-6
"""A relative fall of chi2 below this ends the search."""
NUDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class CurveFit:
    """Parameters that fit best.

    values, errors  of the parameters; errors are those of a parabolic chi2
    chi2, freedom   their quotient is about 1 when the model is right and the errors of the points are
    converged       False: chi2 still fell after the last step
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    chi2: float
    freedom: int
    converged: bool

    @property
    def reduced_chi2(self) -> float:
        """chi2 for each degree of freedom; infinity without any."""
        return self.chi2 / self.freedom if self.freedom > 0 else float("inf")


Model = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def curve_fit(
    model: Model,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: NDArray[np.float64],
    start: Sequence[float],
    bounds: Sequence[tuple[float, float]],
) -> CurveFit:
    """Fit ``model(x, parameters)`` to points.

    x, y, sigma  (n) points and their errors, all above 0
    start        of the parameters, within their bounds
    bounds       (lowest, highest) of each
    Raises ValueError when there are fewer points than parameters or one is not finite.
    """
    if y.size < len(start):
        raise ValueError(f"{y.size} points are too few for {len(start)} parameters")
    if not (np.isfinite(y).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("points and errors must be finite, and errors above 0")
    low, high = (np.array(side, np.float64) for side in zip(*bounds, strict=True))
    values = np.clip(np.asarray(start, np.float64), low, high)
    here = model(x, values)
    residual = (y - here) / sigma
    chi2, damping, converged = float(residual @ residual), 1e-3, False
    for _ in range(STEPS):
        slopes = _slopes(model, x, values, here, high) / sigma[:, None]
        normal = slopes.T @ slopes
        pull = slopes.T @ residual
        step = _solve(normal + damping * np.diag(np.maximum(np.diag(normal), 1e-30)), pull)
        tried = np.clip(values + step, low, high)
        there = model(x, tried)
        left = (y - there) / sigma
        new = float(left @ left)
        if np.isfinite(new) and new <= chi2:
            converged = chi2 - new <= STILL * max(chi2, 1e-30)
            values, here, residual, chi2, damping = tried, there, left, new, max(damping / 5, 1e-12)
            if converged:
                break
        else:
            damping *= 4
            if damping > 1e12:
                converged = True
                break
    slopes = _slopes(model, x, values, here, high) / sigma[:, None]
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(slopes.T @ slopes)), 0.0))
    return CurveFit(values, errors, chi2, y.size - values.size, converged)


def _solve(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(np.linalg.solve(matrix, vector))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(matrix) @ vector)


def _slopes(
    model: Model,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    here: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n, parameters): how the model changes with each parameter, within the bounds.

    here  (n) the model at these values
    """
    columns = []
    for place in range(values.size):
        nudge = NUDGE * max(abs(values[place]), 1e-3)
        if values[place] + nudge > high[place]:
            nudge = -nudge
        moved = values.copy()
        moved[place] += nudge
        columns.append((model(x, moved) - here) / nudge)
    return np.stack(columns, axis=1)
