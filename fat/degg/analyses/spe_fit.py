"""Fits of the peak of single photoelectrons, of many spectra at once; `fat.degg.analyses.spe` says what is fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.histogram_fit import Fits, Known, fit_counts
from fat.degg.analyses.units import ELECTRON_C, PC_PER_COUNT_SAMPLE

FROM_PEAKS: Final = 0.72
"""The fit begins so many peaks up, where one pulse in thirty is an under-amplified one, or, if that is higher, where
the trigger is sure."""
TO_PEAKS: Final = 3.0
BINS_PER_PEAK: Final = 25
BINS: Final = round(TO_PEAKS * BINS_PER_PEAK)
LEAST_EVENTS: Final = 60
ROUNDS: Final = 4
"""Each with bins that follow the peak."""
STAYS: Final = 0.003
"""A peak that has moved by so little, of itself, needs no other bins."""
TAIL_SHARE: Final = 0.14
"""Under-amplified pulses for each of the peak's."""
TAIL_SCALE: Final = 0.22
"""Their mean charge, peaks. What it is matters little: 0.15 and 0.30 move the peak by less than 0.5 %."""
WIDTH_KNOWN: Final = (0.33, 0.03)
"""Width of the peak, of its mean, and what is uncertain of it: holds the fit where a threshold hides half the peak."""
PAIRS_KNOWN: Final = (0.018, 0.015)
TAIL_KNOWN: Final = ((TAIL_SHARE, 0.02), (TAIL_SCALE, 0.03))
"""Share and mean charge of the under-amplified pulses, and what is uncertain of them, for fits that look for them."""
LEAST: Final = np.array([0.1, 0.0, 0.0, 0.1])
MOST: Final = np.array([0.8, 0.3, 0.5, 0.5])
"""Of width, pairs, and share and mean charge of the tail."""
ROOT_2: Final = math.sqrt(2.0)
ROOT_2PI: Final = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, slots=True, eq=False)
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
    inside: NDArray[np.bool_]
    """(b) where it was fitted."""
    values: NDArray[np.float64]
    """(4) of the model: area, peak, width and pairs; or (6), with share and mean charge of the tail."""

    @property
    def fitted(self) -> NDArray[np.float64]:
        """(b) the model; NaN where it was not fitted."""
        if not self.centres_pc.size:
            return np.zeros(0)
        return np.where(self.inside, _expected(self.centres_pc[None], self.values[None])[0][0], np.nan)

    @property
    def gain(self) -> float:
        """Of the photomultiplier."""
        return self.charge_pc * 1e-12 / ELECTRON_C

    @property
    def relative_error(self) -> float:
        """Of charge and gain."""
        return self.error_pc / self.charge_pc


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Charges in which there is a peak."""

    charges_pc: NDArray[np.float64]
    """(n)"""
    sure_pc: float
    """Below it the trigger may have missed pulses."""
    guess_pc: float | None = None
    """Where the peak is, roughly; None: look for it."""
    width_known: tuple[float, float] = WIDTH_KNOWN
    """Of the peak, of its mean, and what is uncertain of it."""
    from_peaks: float = FROM_PEAKS
    """Where the fit begins, of the peak."""
    looks_for_tail: bool = False
    """Whether share and mean charge of the under-amplified pulses are fitted too, or what they usually are."""


def fit_peaks(spectra: Sequence[Spectrum]) -> list[SpePeak]:
    """Fit each by itself, side by side."""
    found = [_Search(spectrum) for spectrum in spectra]
    for _ in range(ROUNDS):
        searching = [one for one in found if one.goes_on()]
        for looks_for_tail in (False, True):
            alike = [one for one in searching if one.spectrum.looks_for_tail is looks_for_tail]
            fits = _fitted(alike) if alike else None
            for row, one in enumerate(alike):
                assert fits is not None
                one.take(fits, row)
    return [one.peak() for one in found]


class _Search:
    """The peak of one spectrum: bins follow it, and each fit begins where the last one has ended."""

    def __init__(self, spectrum: Spectrum) -> None:
        charges = np.asarray(spectrum.charges_pc, float)
        self._charges = charges[np.isfinite(charges)]
        self.spectrum = spectrum
        self._converged, self._ended = False, False
        self._error, self._chi2, self._values = math.nan, math.nan, np.zeros(0)
        above = self._charges[self._charges > spectrum.sure_pc]
        self._void = above.size < LEAST_EVENTS
        self.at = math.nan
        self.known = (spectrum.width_known, PAIRS_KNOWN, *(TAIL_KNOWN if spectrum.looks_for_tail else ()))
        self.others = [mean for mean, _ in self.known]
        if not self._void:
            guess = spectrum.guess_pc
            self.at = _guess(above, spectrum.sure_pc) if guess is None else guess

    def goes_on(self) -> bool:
        """Whether there is another fit to be made; with its bins, then."""
        if self._void or self._ended:
            return False
        low = max(self.spectrum.sure_pc, self.spectrum.from_peaks * self.at)
        self.centres, self.counts, self.inside = _histogram(self._charges, self.at, low)
        self.inside_events = float(self.counts[self.inside].sum())
        self._void = self.inside_events < LEAST_EVENTS
        return not self._void

    def take(self, fits: Fits, row: int) -> None:
        """What a fit has found."""
        before, self._values = self.at, fits.values[row]
        _, self.at, *self.others = self._values.tolist()
        self._error, self._chi2 = float(fits.errors[row, 1]), float(fits.chi2[row])
        self._converged = bool(fits.converged[row])
        self._ended = abs(self.at - before) < STAYS * before

    def peak(self) -> SpePeak:
        """What was found."""
        if self._void:
            nan, nothing = math.nan, np.zeros(0)
            nowhere = np.zeros(0, bool)
            return SpePeak(
                nan, nan, nan, nan, nan, self._charges.size, False, nothing, nothing, nowhere, nothing
            )
        error = self._error
        good = self._converged and math.isfinite(error) and error < 0.2 * self.at and self._chi2 < 5.0
        width, pairs = self.others[:2]
        found = (self.at, error, width, pairs, self._chi2, self._charges.size, good)
        return SpePeak(*found, self.centres, self.counts, self.inside, self._values)


def _guess(above: NDArray[np.float64], sure_pc: float) -> float:
    """The highest place of a coarse histogram; half the median charge wide bins, because events may be few."""
    ordered = np.sort(above)
    middle = ordered.size // 2
    median = float(ordered[middle] if ordered.size % 2 else 0.5 * (ordered[middle - 1] + ordered[middle]))
    edges = np.arange(sure_pc, 3.0 * median, 0.2 * median)
    counts = np.diff(np.searchsorted(ordered, edges))  # numpy's median and histogram would each sort again
    if counts.size < 3:
        return median
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), "same")
    at = int(smooth.argmax())
    return float(edges[at] + 0.1 * median) if 0 < at < counts.size - 1 else 0.9 * median


def _histogram(
    charges: NDArray[np.float64], peak: float, low: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Centres and counts of bins up to some three peaks, and which of them begin at *low* or above.

    Charges are whole sums of counts over one baseline: bins of any width would hold seven of them here and eight there.
    """
    step = max(1, round(peak / BINS_PER_PEAK / PC_PER_COUNT_SAMPLE)) * PC_PER_COUNT_SAMPLE
    first = (charges[0] / PC_PER_COUNT_SAMPLE % 1.0 - 0.5) * PC_PER_COUNT_SAMPLE
    places = (charges - first) / step
    inside = places[(places >= 0.0) & (places < BINS)].astype(np.intp)
    edges = first + np.arange(BINS) * step
    counts = np.bincount(inside, minlength=BINS).astype(np.float64)
    return edges + 0.5 * step, counts, edges >= low


def _fitted(searching: Sequence[_Search]) -> Fits:
    """Fits of all, which have the same parameters, from where each is."""
    peak = np.array([one.at for one in searching])
    events = np.array([one.inside_events for one in searching])
    centres = np.stack([one.centres for one in searching])
    known = np.array([one.known for one in searching])
    others = known.shape[1]
    open_, of_all = np.full(peak.size, np.inf), np.ones((peak.size, 1))
    return fit_counts(
        np.stack([one.counts for one in searching]),
        np.stack([one.inside for one in searching]),
        lambda rows, at: _expected(centres[rows], at),
        np.column_stack([1.2 * events * (peak / BINS_PER_PEAK), peak, [one.others for one in searching]]),
        np.column_stack([1e-9 * of_all, 0.3 * peak, of_all * LEAST[:others]]),
        np.column_stack([1e4 * events * peak, 3.0 * peak, of_all * MOST[:others]]),
        Known(
            np.column_stack([0.0 * peak, peak, known[:, :, 0]]),
            np.column_stack([open_, open_, known[:, :, 1]]),
        ),
    )


def _expected(
    q: NDArray[np.float64], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of bins about *q* (k, b), and derivatives by area, peak, width (of the peak) and pairs, *at* (k, 4).

    With *at* (k, 6): and by share and mean charge of the tail.
    """
    area, peak, width, pairs, *of_tail = at.T[:, :, None]
    share, scale = of_tail or (TAIL_SHARE, TAIL_SCALE)
    x = q / peak
    u, v = (x - 1.0) / width, (x - 2.0) / (ROOT_2 * width)
    uu, vv = u * u, v * v
    height = 1.0 / (ROOT_2PI * width * peak)
    one, two = height * np.exp(-0.5 * uu), height / ROOT_2 * np.exp(-0.5 * vv)
    of_one = 1.0 / (scale * peak) * np.exp(x / -scale)
    tail = share * of_one
    paired = pairs * two
    shape = one + paired + tail
    wider = (uu - 1.0) * one + (vv - 1.0) * paired
    falling = (x / scale - 1.0) * tail
    # sigma follows the peak, so a Gaussian's slope by the peak is that of its place and of its width.
    moved = (u * one + ROOT_2 * v * paired) / width + wider + falling
    slopes = [shape, area / peak * moved, area / width * wider, area * two]
    if of_tail:
        slopes += [area * of_one, area / scale * falling]
    return area * shape, np.stack(slopes, axis=1)
