"""Thresholds of the trigger as fractions of a photoelectron's height (fat.md section 7)."""

from __future__ import annotations

import math
from typing import Final

from fat.degg.analyses.dark_rate import LEAST_PEAK_V, MOST_PEAK_V
from fat.degg.analyses.units import SPE_VOLTS, VOLTS_PER_COUNT
from fat.degg.station.acquisition import Window, fir_threshold
from fat.degg.tasks.photomultipliers import Pmt
from fat.errors import FatError

STANDARD_PE: Final = 0.25
CHARGE_GATE: Final = Window(first=4, last=11)
"""Samples before and after the peak that charge stamps are summed over: the sixteen by which gain is defined, when the
analysis takes them from waveforms. The public scripts' 10 and 15 find 1.5 % more."""


class PeakHeightUnusable(FatError):
    """The papers give a photoelectron a height that it cannot have."""

    def __init__(self, pmt: str, volts: float) -> None:
        super().__init__(
            f"{pmt}: SPEPeakHeight is {volts * 1e3:.2f} mV, not {LEAST_PEAK_V * 1e3:g} to {MOST_PEAK_V * 1e3:g} mV; "
            "measure its gain again"
        )


def counts_over_baseline(pmt: Pmt, pe: float = STANDARD_PE) -> float:
    """Counts over the baseline of a pulse of so many photoelectrons, at a gain of 1e7. Raises PeakHeightUnusable.

    A photomultiplier whose height is not known yet is taken for one as the data sheet has them.
    """
    volts = pmt.entry.spe_peak_height or SPE_VOLTS
    if not LEAST_PEAK_V <= volts <= MOST_PEAK_V:
        raise PeakHeightUnusable(pmt.name, volts)
    return pe * volts / VOLTS_PER_COUNT


def filtered(pmt: Pmt, pe: float = STANDARD_PE) -> int:
    """Threshold of the filtered trigger, which knows the baseline by itself."""
    return fir_threshold(counts_over_baseline(pmt, pe))


def level(pmt: Pmt, baseline: float, pe: float = STANDARD_PE) -> int:
    """Threshold of the unfiltered trigger, ADC counts."""
    return math.ceil(baseline + counts_over_baseline(pmt, pe))
