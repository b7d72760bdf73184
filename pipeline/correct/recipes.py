"""Which recipe a detector's data are corrected with."""

from __future__ import annotations

from pipeline.config import CorrectionTable
from pipeline.constants import AgipdConditions, Conditions, DsscConditions, LpdConditions
from pipeline.correct.agipd import AgipdRecipe, AgipdSettings
from pipeline.correct.dssc import DsscRecipe
from pipeline.correct.lpd import LpdRecipe
from pipeline.correct.recipe import Recipe
from pipeline.errors import SettingRejected


def recipe_of(table: CorrectionTable, conditions: Conditions) -> Recipe:
    """The recipe for data that were taken under *conditions*. Raises SettingRejected.

    AGIPD's gain mode decides whether stages are told apart, LPD's parallel gain how many frames a pulse has.
    """
    match conditions:
        case AgipdConditions():
            return AgipdRecipe(AgipdSettings.of(table, conditions.gain_mode))
        case LpdConditions():
            return LpdRecipe(table, conditions.parallel_gain)
        case DsscConditions():
            return DsscRecipe(table)
        case _:
            raise SettingRejected("type", conditions.detector, "AGIPD, LPD or DSSC")
