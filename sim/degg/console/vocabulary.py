"""All words of a mainboard."""

from __future__ import annotations

from typing import Final

from sim.degg.console.forth import table_of
from sim.degg.console.words_adc import ADC
from sim.degg.console.words_core import CORE, IDENTITY
from sim.degg.console.words_fpga import FPGA
from sim.degg.console.words_icm import ICM
from sim.degg.console.words_light import LIGHT
from sim.degg.console.words_power import POWER
from sim.degg.console.words_readout import READOUT
from sim.degg.console.words_sensors import SENSORS

WORDS: Final = table_of(CORE, IDENTITY, FPGA, POWER, READOUT, ADC, SENSORS, ICM, LIGHT)
"""Words by name. A new word is a row in one of these tables."""
