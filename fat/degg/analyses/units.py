"""Constants of the digitiser with which counts become charge and time (fat.md section 9)."""

from __future__ import annotations

from typing import Final

CLOCK_HZ: Final = 240e6
TICK_S: Final = 1.0 / CLOCK_HZ
VOLTS_PER_COUNT: Final = 0.075e-3
LOAD_OHM: Final = 36.96
ELECTRON_C: Final = 1.602e-19
NOMINAL_GAIN: Final = 1e7
SPE_PC: Final = ELECTRON_C * NOMINAL_GAIN * 1e12
"""Charge of a photoelectron at the nominal gain, picocoulomb: 1.602."""
SPE_VOLTS: Final = 3.5e-3
"""Height of its pulse."""
PC_PER_COUNT_SAMPLE: Final = VOLTS_PER_COUNT * TICK_S / LOAD_OHM * 1e12
"""Charge of one count over the baseline during one sample, picocoulomb."""
PC_PER_COUNT_OF_HEIGHT: Final = SPE_PC / (SPE_VOLTS / VOLTS_PER_COUNT)
"""Charge of a pulse for each count of its height, picocoulomb."""
