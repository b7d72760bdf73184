"""Limits of the monitoring (fat.md section 8): currents and rails of a mainboard, and repeated measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fat.degg.analyses.units import SPE_PC

CURRENTS: Final[Mapping[int, tuple[str, float]]] = {
    0: ("1.1 V", 1000.0),
    1: ("1.35 V", 400.0),
    2: ("1.8 V", 400.0),
    3: ("2.5 V", 500.0),
    4: ("3.3 V", 300.0),
}
"""Channel of the slow ADC: rail, most mA."""
RAILS: Final[Mapping[int, float]] = {5: 1.8, 12: 1.1, 13: 1.35, 14: 2.5, 15: 3.3}
"""Channel of the slow ADC: nominal volts."""
RAIL_SPREAD: Final = 0.10
"""A rail that is farther from its nominal than this is named; a choice, nobody published one."""
TEMPERATURE: Final = 7
LEAST_PEAKS: Final = 5
"""A spread is judged from so many peaks on. Two of a healthy photomultiplier spread by more than the limit, 0.055 pC,
once in 4500 pairs, as each has an error of 0.015 pC; five, or more, never do (decision 224)."""


def board_faults(slow_adc: Mapping[int, float]) -> list[str]:
    """What is wrong with values of the slow ADC by channel (mA, V), a phrase for each."""
    found = []
    for channel, (rail, most) in CURRENTS.items():
        value = slow_adc.get(channel)
        if value is not None and not value <= most:
            found.append(f"the current of the {rail} rail is {value:.0f} mA, more than {most:.0f} mA")
    for channel, nominal in RAILS.items():
        value = slow_adc.get(channel)
        if value is not None and not abs(value / nominal - 1.0) <= RAIL_SPREAD:
            found.append(f"the {nominal:g} V rail is at {value:.2f} V")
    return found


def peak_spread_pc(peaks: Sequence[float]) -> float:
    """Standard deviation of the peaks of repeated spectra, picocoulomb at a gain of 1e7; NaN with fewer than two.

    The peaks may be those of another gain, all of the same, in any unit.
    """
    values = np.array([peak for peak in peaks if math.isfinite(peak)])
    return SPE_PC * float(values.std(ddof=1) / values.mean()) if values.size > 1 else float("nan")
