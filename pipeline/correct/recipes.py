"""Which recipe a detector's data are corrected with."""

from __future__ import annotations

from typing import Any

from pipeline.config import CorrectionTable
from pipeline.correct.agipd import AgipdRecipe, AgipdSettings
from pipeline.correct.recipe import Recipe
from pipeline.errors import SettingRejected


def recipe_of(detector: str, table: CorrectionTable, conditions: Any) -> Recipe:
    """The recipe of a type of detector.

    conditions  operating conditions of that type: AGIPD's gain mode decides whether stages are told apart
    Raises SettingRejected for a type that has none.
    """
    match detector:
        case "AGIPD":
            return AgipdRecipe(AgipdSettings.of(table, conditions.gain_mode))
        case _:
            raise SettingRejected("type", detector, "AGIPD, LPD or DSSC")
