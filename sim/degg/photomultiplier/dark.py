"""Dark counts: fat.md section 9."""

from __future__ import annotations

import math
from typing import Final

from sim.degg.figures import PhotomultiplierFigures
from sim.degg.truth import PmtTruth

THERMAL_AT_C: Final = 20.0


def dark_hz(truth: PmtTruth, figures: PhotomultiplierFigures, celsius: float) -> float:
    """Dark rate at 0.25 pe in the filtered trigger: 1350 + 4300 exp((T - 20) / 17) Hz, times the truth's factor."""
    thermal = figures.dark_thermal_hz * math.exp((celsius - THERMAL_AT_C) / figures.dark_scale_c)
    return (figures.dark_floor_hz + thermal) * truth.dark_factor
