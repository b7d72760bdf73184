"""The shape of a photoelectron's pulse at the digitiser.

Known are its height (3.5 mV at a gain of 1e7) and its area (5.92e-11 Vs); fat.md section 9. Its form is our choice: an
exponentially modified Gaussian, fast up and slow down, whose two parameters make two pulses 20 ns apart as deep a
valley as the acceptance test expects of a good module (section 7, double pulses).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.clock import TICK_NS

ELECTRON_C: Final = 1.602e-19
LOAD_OHM: Final = 36.96
VOLTS_PER_COUNT: Final = 0.075e-3
PEAK_VOLTS: Final = 3.5e-3
AREA_VS: Final = ELECTRON_C * 1e7 * LOAD_OHM
"""5.92e-11 Vs: the charge of one photoelectron at a gain of 1e7 through the load."""
PEAK_COUNTS: Final = PEAK_VOLTS / VOLTS_PER_COUNT
COULOMB_PER_COUNT_SAMPLE: Final = VOLTS_PER_COUNT * TICK_NS * 1e-9 / LOAD_OHM

RISE_NS: Final = 3.2
DECAY_NS: Final = 9.7
PHASES: Final = 64
"""Positions of a pulse between two samples that the digitiser tells apart (65 ps)."""
BEFORE: Final = 4
GATE: Final = 16
LENGTH: Final = 24
"""Samples of a pulse: 4 before its peak, 19 after."""


def _raw(at_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    erfc = np.frompyfunc(math.erfc, 1, 1)
    ratio = RISE_NS / DECAY_NS
    tail = np.asarray(erfc((ratio - at_ns / RISE_NS) / math.sqrt(2)), np.float64)
    return np.asarray(np.exp(np.minimum(ratio * ratio / 2 - at_ns / DECAY_NS, 50.0)) * tail)


@cache
def _peak() -> tuple[float, float]:
    """Where the raw shape is highest, ns, and how high."""
    at = np.arange(0.0, 12.0, 0.001)
    raw = _raw(at)
    return float(at[raw.argmax()]), float(raw.max())


def shape_at(since_peak_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the pulse, 1 at its peak."""
    peak_ns, height = _peak()
    return _raw(since_peak_ns + peak_ns) / height


@cache
def shape_table() -> NDArray[np.float32]:
    """(PHASES, LENGTH): samples of a pulse whose peak lies *phase* / PHASES after sample BEFORE.

    Each row has the same area in the 16 samples that the analysis integrates (4 before the peak to 11 after), that of
    one photoelectron: a charge does not depend on where between two samples a pulse came.
    """
    phase = np.arange(PHASES)[:, None] / PHASES
    at_ns = (np.arange(LENGTH)[None, :] - BEFORE - phase) * TICK_NS
    table = shape_at(at_ns)
    area = AREA_VS / PEAK_VOLTS / (TICK_NS * 1e-9)
    table *= area / table[:, :GATE].sum(axis=1, keepdims=True)
    return np.ascontiguousarray(table, np.float32)
