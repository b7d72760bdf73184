"""The corrections of a run's modules from the constants in force; modules that lack any are left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipeline.constants import Catalogue, Conditions, ConstantSet, Question, Strategy
from pipeline.constants.explain import missing_with_reason
from pipeline.constants.model import require
from pipeline.correct import ModuleCorrection, Recipe
from pipeline.errors import ConstantMissing


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run can be corrected with."""

    corrections: Mapping[int, ModuleCorrection]
    constants: ConstantSet
    lacking: Mapping[int, str]
    """By module: a sentence that says which constant there is none of."""


def prepare(
    catalogue: Catalogue,
    recipe: Recipe,
    conditions: Conditions,
    modules: Collection[int],
    event_at: datetime,
    strategy: Strategy = "prior",
) -> Prepared:
    """The corrections of all modules whose constants are there.

    Raises ConstantMissing when no module has all, ConstantUnreadable, CatalogueError.
    """
    found = catalogue.find(conditions, (*recipe.needed, *recipe.welcome), event_at, strategy)
    missing: dict[int, ConstantMissing] = {}
    for module in modules:
        try:
            require(found, [module], recipe.needed, conditions, event_at)
        except ConstantMissing as error:
            missing[module] = error
    complete = [module for module in modules if module not in missing]
    if missing and not complete:
        question = Question(conditions, event_at, strategy)
        raise missing_with_reason(catalogue, next(iter(missing.values())), question)
    constants = catalogue.load([version for version in found if version.module in complete], conditions)
    corrections = {module: recipe.prepare(module, constants.module(module)) for module in complete}
    return Prepared(corrections, constants, {module: str(error) for module, error in missing.items()})
