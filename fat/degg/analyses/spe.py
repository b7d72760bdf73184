"""The peak of single photoelectrons in a spectrum of charges.

Gain is the charge of the peak over the electron's. What is fitted, between the charge at which every pulse triggers and
three peaks: a Gaussian, pairs at twice its mean, and the under-amplified pulses below it (about 12 % of all, fat.md
section 9), whose share where the fit looks is small. A Gaussian alone, fitted around the highest bin, is pulled up by
pairs and, when the threshold cuts into the peak, by the cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.histogram_fit import Fit, Prior, fit_counts
from fat.degg.analyses.units import ELECTRON_C, PC_PER_COUNT_OF_HEIGHT, VOLTS_PER_COUNT

FROM_PEAKS: Final = 0.72
"""The fit begins so many peaks up, where one pulse in thirty is an under-amplified one, or, if that is higher, where
the trigger is sure."""
STEADY_FROM_PEAKS: Final = 0.5
"""Where the fit begins that compares spectra of one photomultiplier: under-amplified pulses move the peak alike in all
of them, and the lower half of the peak takes a third off the error."""
STEADY_WIDTH_ERROR: Final = 0.01
"""How well a width that was measured before is known, of the peak."""
TO_PEAKS: Final = 3.0
BINS_PER_PEAK: Final = 25
LEAST_EVENTS: Final = 60
TAIL_SHARE: Final = 0.14
"""Under-amplified pulses for each of the peak's."""
TAIL_SCALE: Final = 0.22
"""Their mean charge, peaks. What it is matters little: 0.15 and 0.30 move the peak by less than 0.5 %."""
SURE: Final = 1.28
"""A pulse that is so much higher than the threshold triggers surely: where it lies between two samples takes up to a
tenth of its height away, noise the rest."""
WIDTH_KNOWN: Final = (0.33, 0.03)
"""Width of the peak, of its mean, and what is uncertain of it: holds the fit where a threshold hides half the peak."""
WIDTH_ALIKE: Final = 0.004
"""How much the width differs between high voltages: the noise of the digitiser widens small peaks more."""
PAIRS_KNOWN: Final = (0.018, 0.015)
ROOT_2: Final = math.sqrt(2.0)
ROOT_2PI: Final = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class SpePeak:
    """A fitted peak."""

    charge_pc: float
    """NaN without a fit."""
    error_pc: float
    width: float
    """Of the charge."""
    pairs: float
    """For each of the peak's."""
    chi2: float
    """For each degree of freedom."""
    events: int
    """All that there were."""
    good: bool
    centres_pc: NDArray[np.float64]
    """(b) of the histogram's bins."""
    counts: NDArray[np.float64]
    """(b)"""
    fitted: NDArray[np.float64]
    """(b) the model; NaN where it was not fitted."""

    @property
    def gain(self) -> float:
        """Of the photomultiplier."""
        return self.charge_pc * 1e-12 / ELECTRON_C

    @property
    def relative_error(self) -> float:
        """Of charge and gain."""
        return self.error_pc / self.charge_pc


def sure_charge_pc(threshold: float) -> float:
    """From which charge on a threshold so many counts over the baseline triggers surely, picocoulomb."""
    return SURE * threshold * PC_PER_COUNT_OF_HEIGHT


def spe_peaks(
    charges_pc: Sequence[NDArray[np.float64]],
    sure_pc: Sequence[float],
    alone: Sequence[SpePeak] | None = None,
) -> list[SpePeak]:
    """Fit the peaks of spectra of one photomultiplier at several high voltages.

    Its width, relative to the peak, is the same in all: it is taken from all of them, and each is fitted again with
    it. Where the threshold hides half the peak, that halves the error.

    alone  what `spe_peak` has found in each of them, if that is known already
    """
    if alone is None:
        alone = [spe_peak(charges, sure) for charges, sure in zip(charges_pc, sure_pc, strict=True)]
    good = [peak for peak in alone if peak.good]
    if len(good) < 2:
        return list(alone)
    weights = [1.0 / peak.relative_error**2 for peak in good]
    width = float(np.average([peak.width for peak in good], weights=weights))
    return [
        spe_peak(charges, sure, peak.charge_pc, (width, WIDTH_ALIKE)) if peak.good else peak
        for charges, sure, peak in zip(charges_pc, sure_pc, alone, strict=True)
    ]


def steady_peak(charges_pc: NDArray[np.float64], sure_pc: float, width: float | None = None) -> SpePeak:
    """Fit the peak of (n) charges to see whether it stays where it is: 0.9 % of error by 2000 charges, not 1.6 %.

    sure_pc  below it the trigger may have missed pulses
    width    what an earlier, larger spectrum has found, of the peak; None: there was none
    """
    known = WIDTH_KNOWN if width is None else (width, STEADY_WIDTH_ERROR)
    return spe_peak(charges_pc, sure_pc, width_known=known, from_peaks=STEADY_FROM_PEAKS)


def spe_peak(
    charges_pc: NDArray[np.float64],
    sure_pc: float,
    guess_pc: float | None = None,
    width_known: tuple[float, float] = WIDTH_KNOWN,
    from_peaks: float = FROM_PEAKS,
) -> SpePeak:
    """Fit the peak of (n) charges.

    sure_pc      below it the trigger may have missed pulses
    guess_pc     where the peak is, roughly; None: look for it
    width_known  of the peak, of its mean, and what is uncertain of it
    from_peaks   where the fit begins, of the peak
    """
    charges = np.asarray(charges_pc, float)
    charges = charges[np.isfinite(charges)]
    above = charges[charges > sure_pc]
    if above.size < LEAST_EVENTS:
        return _none(charges.size)
    peak = _guess(above, sure_pc) if guess_pc is None else guess_pc
    start = (peak, width_known[0], PAIRS_KNOWN[0])
    fit, centres, counts = None, np.zeros(0), np.zeros(0)
    for _ in range(4):
        centres, counts, inside = _histogram(charges, peak, max(sure_pc, from_peaks * peak))
        if counts[inside].sum() < LEAST_EVENTS:
            return _none(charges.size)
        # From where the last fit ended: what a new histogram moves is found in two steps.
        fit = _fitted(centres[inside], counts[inside], start, width_known)
        before, start = peak, (float(fit.values[1]), float(fit.values[2]), float(fit.values[3]))
        peak = start[0]
        if abs(peak - before) < 0.003 * before:
            break
    assert fit is not None
    model = np.full(centres.size, np.nan)
    model[inside] = _expected(centres[inside], fit.values)[0]
    error = float(fit.errors[1])
    good = fit.converged and np.isfinite(error) and error < 0.2 * peak and fit.chi2 < 5.0
    return SpePeak(
        peak, error, start[1], start[2], fit.chi2, charges.size, bool(good), centres, counts, model
    )


def height_volts(charges_pc: NDArray[np.float64], heights: NDArray[np.float64], peak: SpePeak) -> float:
    """Height of the pulse of one photoelectron, volts.

    From heights (n), counts over the baseline, of pulses with charges (n) near the peak: the median of height over
    charge, times the peak.
    """
    near = np.abs(charges_pc / peak.charge_pc - 1.0) < 0.4
    if not np.any(near):
        return float("nan")
    return float(np.median(heights[near] / charges_pc[near])) * peak.charge_pc * VOLTS_PER_COUNT


def _none(events: int) -> SpePeak:
    nan, nothing = float("nan"), np.zeros(0)
    return SpePeak(nan, nan, nan, nan, nan, events, False, nothing, nothing, nothing)


def _guess(above: NDArray[np.float64], sure_pc: float) -> float:
    """The highest place of a coarse histogram; half the median charge wide bins, because events may be few."""
    median = float(np.median(above))
    edges = np.arange(sure_pc, 3.0 * median, 0.2 * median)
    counts, _ = np.histogram(above, edges)
    if counts.size < 3:
        return median
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), "same")
    at = int(smooth.argmax())
    return float(edges[at] + 0.1 * median) if 0 < at < counts.size - 1 else 0.9 * median


def _histogram(
    charges: NDArray[np.float64], peak: float, low: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    bins, step = round(TO_PEAKS * BINS_PER_PEAK), peak / BINS_PER_PEAK
    inside = charges[(charges >= 0.0) & (charges < bins * step)]
    places = np.minimum((inside / step).astype(np.intp), bins - 1)
    edges = np.arange(bins) * np.float64(step)
    counts = np.bincount(places, minlength=bins).astype(np.float64)
    return edges + 0.5 * step, counts, edges >= low


def _fitted(
    centres: NDArray[np.float64],
    counts: NDArray[np.float64],
    start: tuple[float, float, float],
    width_known: tuple[float, float],
) -> Fit:
    peak, width, pairs = start
    step = peak / BINS_PER_PEAK
    return fit_counts(
        counts,
        lambda at: _expected(centres, at),
        (1.2 * counts.sum() * step, peak, width, pairs),
        (1e-9, 0.3 * peak, 0.1, 0.0),
        (1e4 * counts.sum() * peak, 3.0 * peak, 0.8, 0.3),
        (Prior(2, *width_known), Prior(3, *PAIRS_KNOWN)),
    )


def _expected(
    q: NDArray[np.float64], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of bins about *q* and their derivatives by area, peak, width (of the peak) and pairs.

    A monitoring scan calls this ten thousand times: each array is made once, in place where that can be.
    """
    area, peak, width, pairs = at.tolist()
    x = q / peak
    u, v = (x - 1.0) / width, (x - 2.0) / (ROOT_2 * width)
    uu, vv = u * u, v * v
    scale = 1.0 / (ROOT_2PI * width * peak)
    one, two = np.exp(-0.5 * uu), np.exp(-0.5 * vv)
    one *= scale
    two *= scale / ROOT_2
    tail = np.exp(x / -TAIL_SCALE)
    tail *= TAIL_SHARE / (TAIL_SCALE * peak)
    paired = pairs * two
    shape = one + paired
    shape += tail
    uu -= 1.0
    vv -= 1.0
    uu *= one
    vv *= paired
    uu += vv
    # sigma follows the peak, so a Gaussian's slope by the peak is that of its place and of its width.
    u *= one
    v *= paired
    v *= ROOT_2
    u += v
    u /= width
    u += uu
    tail *= x / TAIL_SCALE - 1.0
    u += tail
    slopes = np.empty((4, q.size))
    slopes[0] = shape
    np.multiply(u, area / peak, out=slopes[1])
    np.multiply(uu, area / width, out=slopes[2])
    np.multiply(two, area, out=slopes[3])
    return area * shape, slopes
