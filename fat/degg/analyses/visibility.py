"""Whether a photomultiplier sees the laser.

The check-list of the shifter (fat.md section 2) says yes when records come more often than every 15 ms. At a low
threshold dark counts alone do that, so a dead fibre would pass: the records must keep the laser's period as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.laser_lock import TICKS_PER_S, lock

MOST_SPACING_S: Final = 0.015
LEAST_EFFICIENCY: Final = 0.5
"""Of the laser's pulses; at 0.25 of its light a good fibre brings more than fifty photoelectrons with each."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a photomultiplier saw.

    spacing_s   mean time between records; infinity with fewer than two
    efficiency  share of the laser's pulses that were seen, 0 when nothing keeps its period
    """

    spacing_s: float
    efficiency: float

    @property
    def sees_laser(self) -> bool:
        """Records come often enough, and they are the laser's."""
        return self.spacing_s < MOST_SPACING_S and self.efficiency >= LEAST_EFFICIENCY


def visibility(ticks: NDArray[np.int64], frequency_hz: float) -> Visibility:
    """Judge the times of records.

    ticks  (n) int64, 240 MHz, ascending
    """
    if ticks.size < 2:
        return Visibility(float("inf"), 0.0)
    found = lock(ticks, frequency_hz)
    spacing = float(ticks[-1] - ticks[0]) / (ticks.size - 1) / TICKS_PER_S
    return Visibility(spacing, 0.0 if found is None else found.efficiency)


def good_gaps(ticks: NDArray[np.int64], low_s: float, high_s: float) -> int:
    """How many gaps of sync pulses lie between two times (check-laser-freq)."""
    gaps = np.diff(ticks) / TICKS_PER_S
    return int(((gaps > low_s) & (gaps < high_s)).sum())
