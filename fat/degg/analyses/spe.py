"""The peak of single photoelectrons in a spectrum of charges.

Gain is the charge of the peak over the electron's. What is fitted, between the charge at which every pulse triggers and
three peaks: a Gaussian, pairs at twice its mean, and the under-amplified pulses below it (about 12 % of all, fat.md
section 9), whose share where the fit looks is small. A Gaussian alone, fitted around the highest bin, is pulled up by
pairs and, when the threshold cuts into the peak, by the cut.

Where the threshold lies far below the peak, `whole_peak` takes the lower half of it into the fit, and looks for share
and scale of the under-amplified pulses as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.histogram_fit import Fit, Prior, fit_counts
from fat.degg.analyses.spe_model import TAIL_SCALE, TAIL_SHARE, expected
from fat.degg.analyses.units import (
    ELECTRON_C,
    PC_PER_COUNT_OF_HEIGHT,
    PC_PER_COUNT_SAMPLE,
    VOLTS_PER_COUNT,
)

FROM_PEAKS: Final = 0.72
"""The fit begins so many peaks up, where one pulse in thirty is an under-amplified one, or, if that is higher, where
the trigger is sure."""
STEADY_FROM_PEAKS: Final = 0.5
"""Where the fit begins that compares spectra of one photomultiplier: under-amplified pulses move the peak alike in all
of them, and the lower half of the peak takes a third off the error."""
STEADY_WIDTH_ERROR: Final = 0.01
"""How well a width that was measured before is known, of the peak."""
WHOLE_FROM_PEAKS: Final = 0.45
"""Where the fit begins that looks for the under-amplified pulses too. A threshold of a quarter of a photoelectron is
sure from 0.38 on."""
TO_PEAKS: Final = 3.0
BINS_PER_PEAK: Final = 25
LEAST_EVENTS: Final = 60
TAIL_KNOWN: Final = ((TAIL_SHARE, 0.02), (TAIL_SCALE, 0.03))
"""Share and scale, and what is uncertain of them, for a fit that looks for them."""
SURE: Final = 1.28
"""A pulse that is so much higher than the threshold triggers surely: where it lies between two samples takes up to a
tenth of its height away, noise the rest."""
WIDTH_KNOWN: Final = (0.33, 0.03)
"""Width of the peak, of its mean, and what is uncertain of it: holds the fit where a threshold hides half the peak."""
WIDTH_ALIKE: Final = 0.004
"""How much the width differs between high voltages: the noise of the digitiser widens small peaks more."""
PAIRS_KNOWN: Final = (0.018, 0.015)


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


def whole_peak(charges_pc: NDArray[np.float64], sure_pc: float) -> SpePeak:
    """Fit the peak of (n) charges together with what lies below it: 0.55 % of error by 10 000 charges, not 0.77 %.

    sure_pc  below it the trigger may have missed pulses; well below half a peak, or little is won
    """
    return spe_peak(charges_pc, sure_pc, from_peaks=WHOLE_FROM_PEAKS, tail_known=TAIL_KNOWN)


def spe_peak(
    charges_pc: NDArray[np.float64],
    sure_pc: float,
    guess_pc: float | None = None,
    width_known: tuple[float, float] = WIDTH_KNOWN,
    from_peaks: float = FROM_PEAKS,
    tail_known: Sequence[tuple[float, float]] = (),
) -> SpePeak:
    """Fit the peak of (n) charges.

    sure_pc      below it the trigger may have missed pulses
    guess_pc     where the peak is, roughly; None: look for it
    width_known  of the peak, of its mean, and what is uncertain of it
    from_peaks   where the fit begins, of the peak
    tail_known   share and scale of the under-amplified pulses, which the fit looks for then; empty: they are what
                 they usually are
    """
    charges = np.asarray(charges_pc, float)
    charges = charges[np.isfinite(charges)]
    above = charges[charges > sure_pc]
    if above.size < LEAST_EVENTS:
        return _none(charges.size)
    peak = _guess(above, sure_pc) if guess_pc is None else guess_pc
    known = (width_known, PAIRS_KNOWN, *tail_known)
    start = (peak, *(mean for mean, _ in known))
    fit, centres, counts = None, np.zeros(0), np.zeros(0)
    for _ in range(4):
        centres, counts, inside = _histogram(charges, peak, max(sure_pc, from_peaks * peak))
        if counts[inside].sum() < LEAST_EVENTS:
            return _none(charges.size)
        # From where the last fit ended: what a new histogram moves is found in two steps.
        fit = _fitted(centres[inside], counts[inside], float(centres[1] - centres[0]), start, known)
        before, start = peak, tuple(fit.values[1:].tolist())
        peak = start[0]
        if abs(peak - before) < 0.003 * before:
            break
    assert fit is not None
    model = np.full(centres.size, np.nan)
    model[inside] = expected(centres[inside], fit.values)[0]
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
    """Centres and counts of bins, and which of them lie above *low*.

    Charges are whole sums of counts over one baseline: bins of another width hold seven of them here and eight there.
    """
    step = max(1, round(peak / BINS_PER_PEAK / PC_PER_COUNT_SAMPLE)) * PC_PER_COUNT_SAMPLE
    first = (charges[0] / PC_PER_COUNT_SAMPLE % 1.0 - 0.5) * PC_PER_COUNT_SAMPLE
    bins = max(2, math.ceil(TO_PEAKS * peak / step))
    places = (charges - first) / step
    inside = places[(places >= 0.0) & (places < bins)].astype(np.intp)
    edges = first + np.arange(bins) * step
    counts = np.bincount(inside, minlength=bins).astype(np.float64)
    return edges + 0.5 * step, counts, edges >= low


def _fitted(
    centres: NDArray[np.float64],
    counts: NDArray[np.float64],
    step: float,
    start: Sequence[float],
    known: Sequence[tuple[float, float]],
) -> Fit:
    """Fit bins *step* wide.

    start  peak, width, pairs, and share and scale of the tail if the fit looks for them; known: all but the peak
    """
    peak, free = start[0], len(start) - 1
    return fit_counts(
        counts,
        lambda at: expected(centres, at),
        (1.2 * counts.sum() * step, *start),
        (1e-9, 0.3 * peak, *(0.1, 0.0, 0.0, 0.1)[:free]),
        (1e4 * counts.sum() * peak, 3.0 * peak, *(0.8, 0.3, 0.5, 0.5)[:free]),
        [Prior(place, mean, sigma) for place, (mean, sigma) in enumerate(known, 2)],
    )
