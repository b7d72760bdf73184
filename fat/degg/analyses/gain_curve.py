"""Gain against high voltage: the power law, the high voltage of a gain of 1e7, and where a scan measures next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.units import NOMINAL_GAIN

SYSTEMATIC: Final = 0.02
"""Of every point (fat.md section 7)."""
LEAST_VOLTS: Final = 1000.0
MOST_VOLTS: Final = 2000.0
REACH_VOLTS: Final = 480.0
"""The high voltage of the nominal gain is looked for so far beyond the scan."""
STEP_VOLTS: Final = 40.0
BY_STEPS: Final = 5
"""So many points are taken in steps before the fit decides."""
MOST_POINTS: Final = 10
CLOSE: Final = 0.02
LOW_RATE_HZ: Final = 200.0
LOW_RATE_VOLTS: Final = 200.0


@dataclass(frozen=True, slots=True)
class GainPoint:
    """One step of a scan."""

    volts: float
    """As set: the read-back has an offset of its own."""
    gain: float
    """NaN where there was no peak."""
    relative_error: float
    rate_hz: float
    """Of the trigger."""

    @property
    def usable(self) -> bool:
        """Whether a peak was found."""
        return math.isfinite(self.gain) and self.gain > 0 and math.isfinite(self.relative_error)


@dataclass(frozen=True, slots=True)
class GainCurve:
    """gain = norm x volts^exponent."""

    norm: float
    """Gain at one volt."""
    exponent: float
    hv_1e7: float
    """Volts; NaN if the law has no root where it is looked for."""
    hv_error: float
    chi2: float
    """For each degree of freedom."""
    points: int

    def gain(self, volts: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """By the law."""
        return np.asarray(self.norm * np.asarray(volts, float) ** self.exponent)


def gain_curve(points: Sequence[GainPoint]) -> GainCurve | None:
    """The law through the usable points; None with fewer than two different high voltages.

    Fitted in logarithms, where the law is a line; a point counts by its own error and the systematic one.
    """
    usable = [point for point in points if point.usable]
    if len({point.volts for point in usable}) < 2:
        return None
    volts = np.array([point.volts for point in usable])
    gains = np.array([point.gain for point in usable])
    sigma = np.hypot(SYSTEMATIC, [point.relative_error for point in usable])
    centre = float(np.log(volts).mean())
    # A line about the middle of the scan: norm and exponent themselves are correlated to nine digits.
    design = np.stack([np.ones_like(volts), np.log(volts) - centre], axis=1) / sigma[:, None]
    covariance = np.linalg.inv(design.T @ design)
    level, exponent = (float(value) for value in covariance @ design.T @ (np.log(gains) / sigma))
    rest = np.log(gains) - level - exponent * (np.log(volts) - centre)
    chi2 = float(((rest / sigma) ** 2).sum() / max(1, volts.size - 2))
    root, error = _root(level, exponent, centre, covariance, volts)
    norm = math.exp(level - exponent * centre) if abs(level - exponent * centre) < 700 else float("nan")
    return GainCurve(norm, exponent, root, error, chi2, len(usable))


def _root(
    level: float,
    exponent: float,
    centre: float,
    covariance: NDArray[np.float64],
    volts: NDArray[np.float64],
) -> tuple[float, float]:
    """Where the law reaches the nominal gain, and its error, volts; NaN outside of where it is looked for."""
    if exponent <= 0.5:
        return float("nan"), float("nan")
    beyond = (math.log(NOMINAL_GAIN) - level) / exponent
    if abs(beyond) > 2.0:
        return float("nan"), float("nan")
    root = math.exp(centre + beyond)
    low = max(LEAST_VOLTS, float(volts.min()) - REACH_VOLTS)
    high = min(MOST_VOLTS, float(volts.max()) + REACH_VOLTS)
    if not low <= root <= high:
        return float("nan"), float("nan")
    slope = np.array([1.0, beyond])
    return root, root / exponent * math.sqrt(float(slope @ covariance @ slope))


def next_volts(points: Sequence[GainPoint], first: float) -> float | None:
    """Where the scan measures next, whole volts; None when it ends (fat.md section 7).

    First the last known high voltage, or 1500 V. Then steps of 40 V towards the nominal gain until five peaks are
    found; one that was measured already is passed over, upwards, where the peak stands clear of the threshold. Then
    the law decides, until a point is within 2 %, a high voltage comes twice, or there are ten points. Too low a rate:
    200 V more.
    """
    if not points:
        return _inside(first)
    if len(points) >= MOST_POINTS:
        return None
    last = points[-1]
    if last.rate_hz < LOW_RATE_HZ or not last.usable:
        higher = _inside(last.volts + LOW_RATE_VOLTS)
        return higher if higher not in {point.volts for point in points} else None
    found = [point for point in points if point.usable]
    if len(found) < BY_STEPS:
        return _step(points, last)
    if abs(last.gain / NOMINAL_GAIN - 1.0) <= CLOSE:
        return None
    curve = gain_curve(found)
    if curve is None or not math.isfinite(curve.hv_1e7):
        return None
    wanted = _inside(curve.hv_1e7)
    return None if wanted in {point.volts for point in points} else wanted


def _step(points: Sequence[GainPoint], last: GainPoint) -> float | None:
    taken = {point.volts for point in points}
    wanted = last.volts + (STEP_VOLTS if last.gain < NOMINAL_GAIN else -STEP_VOLTS)
    if LEAST_VOLTS <= wanted <= MOST_VOLTS and wanted not in taken:
        return wanted
    above, below = max(taken) + STEP_VOLTS, min(taken) - STEP_VOLTS
    if above <= MOST_VOLTS:
        return above
    return below if below >= LEAST_VOLTS else None


def _inside(volts: float) -> float:
    return float(round(min(MOST_VOLTS, max(LEAST_VOLTS, volts))))
