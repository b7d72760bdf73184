"""The peak of single photoelectrons in a spectrum of charges.

Gain is the charge of the peak over the electron's. What is fitted, between the charge at which every pulse triggers and
three peaks: a Gaussian, pairs at twice its mean, and the under-amplified pulses below it (about 12 % of all, fat.md
section 9), whose share where the fit looks is small. A Gaussian alone, fitted around the highest bin, is pulled up by
pairs and, when the threshold cuts into the peak, by the cut.

Where the threshold lies far below the peak, `whole_peak` takes the lower half of it into the fit, and looks for share
and scale of the under-amplified pulses as well.

Spectra are fitted side by side: of all photomultipliers at once in a tenth of the time of one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.spe_fit import WIDTH_KNOWN, Spectrum, SpePeak, fit_peaks
from fat.degg.analyses.units import PC_PER_COUNT_OF_HEIGHT, VOLTS_PER_COUNT

__all__ = [
    "SpePeak",
    "Spectrum",
    "fit_peaks",
    "height_volts",
    "peaks_alike",
    "spe_peak",
    "spe_peaks",
    "steady",
    "sure_charge_pc",
    "whole_peak",
]

STEADY_FROM_PEAKS: Final = 0.5
"""Where the fit begins that compares spectra of one photomultiplier: under-amplified pulses move the peak alike in all
of them, and the lower half of the peak takes a third off the error."""
STEADY_WIDTH_ERROR: Final = 0.01
"""How well a width that was measured before is known, of the peak."""
WHOLE_FROM_PEAKS: Final = 0.45
"""Where the fit begins that looks for the under-amplified pulses too. A threshold of a quarter of a photoelectron is
sure from 0.38 on."""
SURE: Final = 1.28
"""A pulse that is so much higher than the threshold triggers surely: where it lies between two samples takes up to a
tenth of its height away, noise the rest."""
WIDTH_ALIKE: Final = 0.004
"""How much the width differs between high voltages: the noise of the digitiser widens small peaks more."""


def sure_charge_pc(threshold: float) -> float:
    """From which charge on a threshold so many counts over the baseline triggers surely, picocoulomb."""
    return SURE * threshold * PC_PER_COUNT_OF_HEIGHT


def spe_peak(charges_pc: NDArray[np.float64], sure_pc: float) -> SpePeak:
    """Fit the peak of (n) charges; below *sure_pc* the trigger may have missed pulses."""
    return fit_peaks([Spectrum(charges_pc, sure_pc)])[0]


def whole_peak(charges_pc: NDArray[np.float64], sure_pc: float) -> SpePeak:
    """Fit the peak of (n) charges together with what lies below it: 0.5 % of error by 10 000 charges, not 0.8 %.

    sure_pc  below it the trigger may have missed pulses; well below half a peak, or little is won
    """
    return fit_peaks([Spectrum(charges_pc, sure_pc, from_peaks=WHOLE_FROM_PEAKS, looks_for_tail=True)])[0]


def spe_peaks(charges_pc: Sequence[NDArray[np.float64]], sure_pc: Sequence[float]) -> list[SpePeak]:
    """Fit the peaks of spectra of one photomultiplier at several high voltages, as `peaks_alike` says."""
    spectra = [Spectrum(charges, sure) for charges, sure in zip(charges_pc, sure_pc, strict=True)]
    return peaks_alike([spectra], [fit_peaks(spectra)])[0]


def peaks_alike(
    spectra: Sequence[Sequence[Spectrum]], alone: Sequence[Sequence[SpePeak]]
) -> list[list[SpePeak]]:
    """Fit the peaks of spectra of photomultipliers, each at several high voltages.

    The width of a photomultiplier's peak, relative to the peak, is the same in all: it is taken from all of them, and
    each is fitted again with it. Where the threshold hides half the peak, that halves the error.

    alone  what each of them, fitted by itself, has
    """
    again: list[Spectrum] = []
    places: list[tuple[int, int]] = []
    for number, (those, peaks) in enumerate(zip(spectra, alone, strict=True)):
        width = _common_width(peaks)
        for step, (one, peak) in enumerate(zip(those, peaks, strict=True)):
            if width is not None and peak.good:
                known = (width, WIDTH_ALIKE)
                again.append(Spectrum(one.charges_pc, one.sure_pc, peak.charge_pc, known, one.from_peaks))
                places.append((number, step))
    found = [list(peaks) for peaks in alone]
    for (number, step), peak in zip(places, fit_peaks(again), strict=True):
        found[number][step] = peak
    return found


def _common_width(peaks: Sequence[SpePeak]) -> float | None:
    """Of the peaks of one photomultiplier; None with fewer than two."""
    good = [peak for peak in peaks if peak.good]
    if len(good) < 2:
        return None
    weights = [1.0 / peak.relative_error**2 for peak in good]
    return float(np.average([peak.width for peak in good], weights=weights))


def steady(charges_pc: NDArray[np.float64], sure_pc: float, width: float | None = None) -> Spectrum:
    """A spectrum whose peak is to show whether it stays where it is: 0.9 % of error by 2000 charges, not 1.6 %.

    sure_pc  below it the trigger may have missed pulses
    width    what an earlier, larger spectrum has found, of the peak; None: there was none
    """
    known = WIDTH_KNOWN if width is None else (width, STEADY_WIDTH_ERROR)
    return Spectrum(charges_pc, sure_pc, None, known, STEADY_FROM_PEAKS)


def height_volts(charges_pc: NDArray[np.float64], heights: NDArray[np.float64], peak: SpePeak) -> float:
    """Height of the pulse of one photoelectron, volts.

    From heights (n), counts over the baseline, of pulses with charges (n) near the peak: the median of height over
    charge, times the peak.
    """
    near = np.abs(charges_pc / peak.charge_pc - 1.0) < 0.4
    if not np.any(near):
        return float("nan")
    return float(np.median(heights[near] / charges_pc[near])) * peak.charge_pc * VOLTS_PER_COUNT
