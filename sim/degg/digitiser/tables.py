"""Tables that kernels read: made once."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.layout import BESIDE, SATURATION_STEP
from sim.degg.draws.kernels import normal_table
from sim.degg.photomultiplier import layout, pulse
from sim.degg.photomultiplier.saturation import observed

SATURATION_ENTRIES: Final = 2048
MA_PER_COUNT: Final = pulse.VOLTS_PER_COUNT / pulse.LOAD_OHM * 1e3

assert (pulse.PHASES, pulse.BEFORE, pulse.LENGTH) == (
    layout.SHAPE_PHASES,
    layout.SHAPE_BEFORE,
    layout.SHAPE_LENGTH,
)


@cache
def normal() -> NDArray[np.float32]:
    """Standard normal deviates, (65536,)."""
    return normal_table()


@cache
def shapes() -> NDArray[np.float32]:
    """`pulse.shape_table`, with zeros behind it: (PHASES, BESIDE)."""
    table = pulse.shape_table()
    return np.ascontiguousarray(np.pad(table, ((0, 0), (0, BESIDE - pulse.LENGTH))))


def saturation(p0: float, p1: float, p2: float) -> NDArray[np.float32]:
    """Observed counts of ideal ones, every SATURATION_STEP counts; beyond 65 504 counts it stays."""
    ideal = np.arange(SATURATION_ENTRIES, dtype=np.float64) * SATURATION_STEP
    return np.asarray(observed(ideal * MA_PER_COUNT, p0, p1, p2) / MA_PER_COUNT, np.float32)


def linear() -> NDArray[np.float32]:
    """No saturation."""
    return np.asarray(np.arange(SATURATION_ENTRIES) * SATURATION_STEP, np.float32)
