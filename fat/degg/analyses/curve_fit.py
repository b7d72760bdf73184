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
    residual = (y - model(x, values)) / sigma
    chi2, damping, converged = float(residual @ residual), 1e-3, False
    for _ in range(STEPS):
        slopes = _slopes(model, x, values, low, high) / sigma[:, None]
        normal = slopes.T @ slopes
        pull = slopes.T @ residual
        step = _solve(normal + damping * np.diag(np.maximum(np.diag(normal), 1e-30)), pull)
        tried = np.clip(values + step, low, high)
        left = (y - model(x, tried)) / sigma
        new = float(left @ left)
        if np.isfinite(new) and new <= chi2:
            converged = chi2 - new <= STILL * max(chi2, 1e-30)
            values, residual, chi2, damping = tried, left, new, max(damping / 5, 1e-12)
            if converged:
                break
        else:
            damping *= 4
            if damping > 1e12:
                converged = True
                break
    slopes = _slopes(model, x, values, low, high) / sigma[:, None]
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
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(n, parameters): how the model changes with each parameter, within the bounds."""
    columns = []
    for place in range(values.size):
        nudge = NUDGE * max(abs(values[place]), 1e-3)
        above, below = values.copy(), values.copy()
        above[place] = min(values[place] + nudge, high[place])
        below[place] = max(values[place] - nudge, low[place])
        width = above[place] - below[place]
        columns.append((model(x, above) - model(x, below)) / width if width > 0 else np.zeros(x.size))
    return np.stack(columns, axis=1)
