"""High voltage: is it on, is it steady, and what does its read-back say (fat.md section 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ON_VOLTS: Final = 1000.0
LEAST_SET_VOLTS: Final = 500.0
"""Nothing is set lower while spectra are taken."""
MOST_VOLTS: Final = 2000.0
FROM_NOMINAL_VOLTS: Final = 150.0
MOST_SPREAD: Final = 0.02


@dataclass(frozen=True, slots=True)
class Readings:
    """Some reads of one high voltage."""

    mean: float
    """Volts."""
    std: float
    reads: int

    @property
    def on(self) -> bool:
        """Whether it is on."""
        return self.mean > ON_VOLTS

    def faults(self, nominal: float | None) -> list[str]:
        """What is wrong, a phrase for each; nothing for a good one.

        nominal  high voltage of the nominal gain; None: not known
        """
        if not self.on:
            return [f"high voltage is off ({self.mean:.0f} V)"]
        found = []
        if self.mean > MOST_VOLTS:
            found.append(f"high voltage is {self.mean:.0f} V, more than {MOST_VOLTS:.0f} V")
        if nominal is not None and abs(self.mean - nominal) > FROM_NOMINAL_VOLTS:
            found.append(f"high voltage is {self.mean:.0f} V, {self.mean - nominal:+.0f} V from its nominal")
        if self.std > MOST_SPREAD * self.mean:
            found.append(f"high voltage is noisy ({self.std / self.mean:.1%} rms at {self.mean:.0f} V)")
        return found


def readings(volts: NDArray[Any]) -> Readings:
    """Mean and sample deviation of reads (n)."""
    volts = np.asarray(volts, float)
    if not volts.size:
        return Readings(float("nan"), float("nan"), 0)
    return Readings(float(volts.mean()), float(volts.std(ddof=1)) if volts.size > 1 else 0.0, volts.size)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Read-back against set point: read = set x slope + offset at the middle."""

    slope: float
    offset_volts: float
    """Read less set, at the middle of the set points."""
    noise_volts: float
    """Of one read."""
    worst_volts: float
    """The mean read of one set point that lies farthest from the line."""


def read_back(set_volts: NDArray[Any], read_volts: NDArray[Any]) -> ReadBack:
    """A line through reads (n, m) at set points (n). Raises ValueError with fewer than two set points."""
    given, read = np.asarray(set_volts, float), np.asarray(read_volts, float)
    if given.size < 2 or read.ndim != 2 or len(read) != given.size:
        raise ValueError("two set points or more are needed, with the same number of reads each")
    middle, means = float(given.mean()), read.mean(axis=1)
    slope, level = np.polyfit(given - middle, means, 1)
    rest = means - level - slope * (given - middle)
    noise = math.sqrt(float(read.var(axis=1, ddof=1).mean())) if read.shape[1] > 1 else float("nan")
    return ReadBack(float(slope), float(level - middle), noise, float(np.abs(rest).max()))
