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
            steps = [
                step
                for step in table.steps_of("AGIPD")
                # In fixed gain there is no threshold to compare with: every pixel is in the stage that was set.
                if step != "thresholding" or not conditions.gain_mode
            ]
            return AgipdRecipe(AgipdSettings.of_steps(steps, max(0, conditions.gain_mode - 1)))
        case _:
            raise SettingRejected("type", detector, "AGIPD, LPD or DSSC")
