"""Linearity: what a photomultiplier shows of ever more light, against what its answer to little light promises.

Ten filters (fat.md section 7). What filter 0.05 gives, scaled by the filters' strengths, is ideal; the curve through
observed against ideal is the public one, 1 / (1/I + log1p((I/p1)^3) / (p0 log1p(I/p2))). Two numbers are judged:
observed over ideal charge at 200 photoelectrons, and observed over ideal peak current at 10 mA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.curve_fit import CurveFit, curve_fit
from fat.degg.analyses.laser_lock import lock
from fat.degg.analyses.pulses import ELECTRON_PC, MA_PER_COUNT, Pulses

STRENGTHS: Final = (0.01, 0.025, 0.05, 0.1, 0.125, 0.16, 0.25, 0.32, 0.5, 1.0)
THRESHOLDS: Final = (40, 95, 280, 600, 650, 700, 1150, 1200, 1600, 2100)
"""Counts over the baseline, for each strength."""
REFERENCE: Final = 0.05
CHARGE_AT_PE: Final = 200.0
CURRENT_AT_MA: Final = 10.0
NOMINAL_GAIN: Final = 1e7
FEWEST: Final = 40
"""Pulses of the laser that a step needs."""
MOST_CLIPPED: Final = 0.01
"""Share of pulses that reach the digitiser's end; with more the step tells nothing."""
FEWEST_SEEN: Final = 0.2
"""Share of the laser's pulses that a step must see."""
MISSED_AT: Final = 0.65
"""Mean height of pulses below the threshold, in thresholds: they crowd under it."""
MISSED_OFF: Final = 0.2
"""How far that may be off."""
SYSTEMATIC: Final = 0.005
"""Relative error of a point besides its statistics: how well a filter's strength is known."""
PARTS: Final = 10
BOUNDS: Final = ((1.0, 1e6), (0.5, 100.0), (0.5, 100.0))
"""Of p0, p1, p2, mA: from a photomultiplier that gives nothing to one without saturation."""
START: Final = (80.0, 7.0, 5.0)


@dataclass(frozen=True, slots=True)
class LightStep:
    """Mean answer to the laser at one strength of the light.

    charge_pc, peak_ma  means over the laser's pulses, those below the threshold included; with their errors
    efficiency          share of the laser's pulses that passed the threshold
    clipped             share of them that reached the digitiser's end
    events              pulses of the laser among all events
    """

    strength: float
    charge_pc: float
    charge_error: float
    peak_ma: float
    peak_error: float
    efficiency: float
    clipped: float
    events: int


@dataclass(frozen=True, slots=True)
class Saturation:
    """Observed against ideal, in one quantity (mA, or photoelectrons).

    ideal, observed, errors  (steps)
    fit                      p0, p1, p2
    ratio                    observed / ideal at *at*
    """

    ideal: NDArray[np.float64]
    observed: NDArray[np.float64]
    errors: NDArray[np.float64]
    fit: CurveFit
    at: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Linearity:
    """Result for one photomultiplier."""

    charge: Saturation
    current: Saturation


def saturated(ideal: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """The public curve. ideal  above 0; parameters  p0, p1, p2 in the same unit."""
    p0, p1, p2 = parameters
    return np.asarray(ideal / (1.0 + ideal * np.log1p((ideal / p1) ** 3) / (p0 * np.log1p(ideal / p2))))


def light_step(
    strength: float,
    threshold_counts: float,
    ticks: NDArray[np.int64],
    pulses: Pulses,
    frequency_hz: float,
) -> LightStep | None:
    """Mean answer at one strength; None when the laser is not seen.

    threshold_counts  over the baseline
    ticks             (n) of the records, ascending; pulses  of the same records
    """
    found = lock(ticks, frequency_hz)
    if found is None or found.chosen.sum() < FEWEST or found.efficiency < FEWEST_SEEN:
        return None
    charge, peak = pulses.charge_pc[found.chosen], pulses.peak_ma[found.chosen]
    missed = 1.0 - found.efficiency
    threshold_ma = threshold_counts * MA_PER_COUNT
    mean_peak, peak_error = _with_missed(peak, missed, threshold_ma)
    charge_of_peak = float(charge.mean() / max(peak.mean(), 1e-12))
    mean_charge, charge_error = _with_missed(charge, missed, threshold_ma * charge_of_peak)
    return LightStep(
        strength,
        mean_charge,
        charge_error,
        mean_peak,
        peak_error,
        found.efficiency,
        float(pulses.clipped[found.chosen].mean()),
        int(found.chosen.sum()),
    )


def _with_missed(seen: NDArray[np.float64], missed: float, threshold: float) -> tuple[float, float]:
    """Mean over all pulses, of which a share stayed below the threshold, and its error."""
    mean = (1.0 - missed) * float(seen.mean()) + missed * MISSED_AT * threshold
    statistical = float(seen.std()) / np.sqrt(seen.size)
    return mean, float(np.hypot(statistical, missed * MISSED_OFF * threshold))


def output_range(charge_pc: NDArray[np.floating]) -> float:
    """How far the laser's light moved during a step, percent: highest less lowest mean of ten parts, of the mean.

    charge_pc  (n) of the step's pulses in their order; NaN with fewer than a hundred
    """
    if charge_pc.size < 10 * PARTS:
        return float("nan")
    means = np.array([part.mean(dtype=np.float64) for part in np.array_split(charge_pc, PARTS)])
    return float(100.0 * (means.max() - means.min()) / means.mean())


def linearity(steps: Sequence[LightStep], gain: float = NOMINAL_GAIN) -> Linearity | None:
    """Saturation of charge and of current; None without light at 0.05, or with fewer than six good steps.

    gain  at which the steps were taken: it tells how many photoelectrons a charge is
    """
    good = [step for step in steps if step.clipped <= MOST_CLIPPED]
    if len(good) < 6 or all(step.strength != REFERENCE for step in good):
        return None
    pe_pc = ELECTRON_PC * gain
    strengths = np.array([step.strength for step in good])
    charge = np.array([(step.charge_pc / pe_pc, step.charge_error / pe_pc) for step in good])
    current = np.array([(step.peak_ma, step.peak_error) for step in good])
    # A photoelectron's peak is some tenth of a milliampere: the curve of charges has the shape of that of currents.
    scale = float(np.median(charge[:, 0] / current[:, 0]))
    return Linearity(
        _saturation(strengths, charge, CHARGE_AT_PE, scale),
        _saturation(strengths, current, CURRENT_AT_MA, 1.0),
    )


def _saturation(
    strengths: NDArray[np.float64], points: NDArray[np.float64], at: float, scale: float
) -> Saturation:
    """Fit the curve through (n, 2) observed values and errors; *scale* is the unit, in mA-like units."""
    observed = points[:, 0]
    errors = np.hypot(points[:, 1], SYSTEMATIC * observed)
    reference = float(observed[strengths == REFERENCE][0])

    def curve(x: NDArray[np.float64], parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return saturated(x / REFERENCE * _unbent(reference, parameters), parameters)

    bounds = [(low * scale, high * scale) for low, high in BOUNDS]
    fit = curve_fit(curve, strengths, observed, errors, [value * scale for value in START], bounds)
    ratio = float(saturated(np.array([at]), fit.values)[0]) / at
    ideal = strengths / REFERENCE * _unbent(reference, fit.values)
    return Saturation(ideal, observed, errors, fit, at, ratio)


def _unbent(observed: float, parameters: NDArray[np.float64]) -> float:
    """What an observed value is ideally, where little is lost: the curve's inverse by iteration."""
    ideal = observed
    for _ in range(4):
        ideal *= observed / float(saturated(np.array([ideal]), parameters)[0])
    return ideal
