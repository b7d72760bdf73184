"""Light of the flasher's twelve LEDs at the lower photomultiplier; how bright they are is our choice."""

from __future__ import annotations

import math
from typing import Final

from sim.degg.figures import PhotomultiplierFigures
from sim.degg.truth import LEDS, PmtTruth

FIRST_BIAS: Final = 0x5000
"""The first of the ten that the acceptance test takes, 0x400 apart."""


def led_mu(truth: PmtTruth, figures: PhotomultiplierFigures, mask: int, bias: int, dead: int | None) -> float:
    """Mean photoelectrons of one flash.

    mask  bit n: LED n + 1
    bias  light grows with the square of what lies above `led_off_bias`
    dead  number of the LED (1..12) that gives no light
    """
    over = max(0.0, (bias - figures.led_off_bias) / max(1, FIRST_BIAS - figures.led_off_bias))
    lit = [n for n in range(LEDS) if mask >> n & 1 and n + 1 != dead]
    return (
        figures.led_pe * over**2 * math.fsum(math.exp(figures.led_spread * truth.led_factors[n]) for n in lit)
    )
