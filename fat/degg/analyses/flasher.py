"""Which of a module's twelve LEDs work: mean charge of the lower photomultiplier at ten biases (fat.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.pulses import ELECTRON_PC

LEDS: Final = 12
BIASES: Final = tuple(0x5000 + 0x400 * step for step in range(10))
FIRST_SAMPLE: Final = 135
LAST_SAMPLE: Final = 160
"""Window of the public scripts in which the light falls."""
LEAST_PE: Final = 2.0
"""Photoelectrons that a working LED gives at its highest bias; a dead one gives none, dark counts a hundredth."""
SIGNIFICANT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Flasher:
    """Twelve LEDs at ten biases.

    mean_pc, error_pc  (LEDs, biases) charge of the window
    working            (LEDs) bool
    """

    mean_pc: NDArray[np.float64]
    error_pc: NDArray[np.float64]
    working: NDArray[np.bool_]

    @property
    def dead(self) -> tuple[int, ...]:
        """Numbers of the LEDs that do not work, 1 to 12."""
        return tuple(int(led) + 1 for led in np.flatnonzero(~self.working))


def flasher(mean_pc: NDArray[np.float64], error_pc: NDArray[np.float64], gain: float = 1e7) -> Flasher:
    """Judge mean charges, (LEDs, biases), and their errors; NaN where nothing came.

    An LED works when it gives light at the highest bias and more of it there than at the lowest.
    """
    highest, lowest = mean_pc[:, -1], mean_pc[:, 0]
    bright = highest >= LEAST_PE * ELECTRON_PC * gain
    clear = highest >= SIGNIFICANT * error_pc[:, -1]
    rising = ~(lowest >= highest)
    return Flasher(mean_pc, error_pc, bright & clear & rising & np.isfinite(highest))


def mean_charge(charge_pc: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and its error of the charges of one LED at one bias, pC; NaN with fewer than two."""
    if charge_pc.size < 2:
        return float("nan"), float("nan")
    return float(charge_pc.mean()), float(charge_pc.std(ddof=1) / np.sqrt(charge_pc.size))
