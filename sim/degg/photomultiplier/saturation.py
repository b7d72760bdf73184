"""How the anode's current falls behind the light (public analysis: `linearity_current_curve_func`; fat.md section 9).

Currents are in milliampere: volts over the load of 36.96 ohm. The law says what peaks do; we apply it to each sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.photomultiplier.pulse import LOAD_OHM, PEAK_VOLTS, shape_at

REFERENCE_MA: Final = 10.0
PE_MA: Final = PEAK_VOLTS / LOAD_OHM * 1e3
"""Peak current of one photoelectron at a gain of 1e7."""


def observed(current: NDArray[np.float64], p0: float, p1: float, p2: float) -> NDArray[np.float64]:
    """Observed current of an ideal one: 1 / (1/I + log1p((I/p1)^3) / (p0 log1p(I/p2)))."""
    return np.asarray(current / (1.0 + current * _bend(current, p1, p2) / p0))


def p0_for(ratio: float, p1: float, p2: float) -> float:
    """The p0 with which observed / ideal is *ratio* at 10 mA."""
    bend = float(_bend(np.array([REFERENCE_MA]), p1, p2)[0])
    return REFERENCE_MA * bend * ratio / (1.0 - ratio)


def current_ratio(p0: float, p1: float, p2: float) -> float:
    """Observed / ideal peak current at 10 mA ideal."""
    return float(observed(np.array([REFERENCE_MA]), p0, p1, p2)[0]) / REFERENCE_MA


def charge_ratio(photoelectrons: float, p0: float, p1: float, p2: float) -> float:
    """Observed / ideal charge of a pulse of so many photoelectrons at a gain of 1e7."""
    ideal = photoelectrons * PE_MA * shape_at(np.arange(-20.0, 100.0, 1.0))
    return float(observed(ideal, p0, p1, p2).sum() / ideal.sum())


def _bend(current: NDArray[np.float64], p1: float, p2: float) -> NDArray[np.float64]:
    safe = np.maximum(current, 1e-12)
    return np.asarray(np.log1p((safe / p1) ** 3) / np.log1p(safe / p2))
