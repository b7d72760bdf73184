"""Charges and peaks of recorded pulses (fat.md section 9; gates of the public analysis)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

VOLTS_PER_COUNT: Final = 0.075e-3
LOAD_OHM: Final = 36.96
TICK_NS: Final = 1e3 / 240.0
ELECTRON_PC: Final = 1.602e-7
"""Charge of an electron, picocoulomb: a photoelectron at a gain of 1e7 is 1.602 pC."""
MA_PER_COUNT: Final = VOLTS_PER_COUNT / LOAD_OHM * 1e3
PC_PER_COUNT_SAMPLE: Final = VOLTS_PER_COUNT * TICK_NS * 1e-9 / LOAD_OHM * 1e12
BASELINE_SAMPLES: Final = 10
GATE_FIRST: Final = 13
GATE: Final = 16
TOP: Final = 16383
"""The digitiser's largest count."""


@dataclass(frozen=True, slots=True)
class Pulses:
    """What recorded pulses hold.

    charge_pc  (n) picocoulomb, in 16 samples from sample 13 on
    peak_ma    (n) milliampere at the anode
    clipped    (n) bool: a sample reached the digitiser's end
    baseline   counts, median over all records
    """

    charge_pc: NDArray[np.float64]
    peak_ma: NDArray[np.float64]
    clipped: NDArray[np.bool_]
    baseline: float


def pulses_in(samples: NDArray[np.uint16]) -> Pulses:
    """Charge and peak of each record over the common baseline.

    samples  (n, at least 29) counts; the trigger lies in sample 16
    The baseline is the median of the first ten samples of all records: their own ten would add noise.
    """
    if samples.shape[0] == 0:
        nothing = np.empty(0)
        return Pulses(nothing, nothing, np.empty(0, np.bool_), float("nan"))
    baseline = float(np.mean(np.median(samples[:, :BASELINE_SAMPLES], axis=1)))
    gate = samples[:, GATE_FIRST : GATE_FIRST + GATE]
    charge = (gate.sum(axis=1, dtype=np.int64) - GATE * baseline) * PC_PER_COUNT_SAMPLE
    top = gate.max(axis=1)
    return Pulses(charge, (top - baseline) * MA_PER_COUNT, top >= TOP, baseline)
