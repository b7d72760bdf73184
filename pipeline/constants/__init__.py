"""Calibration constants: conditions and versions, the catalogue and its store, and how darks become constants."""

from pipeline.constants.badpixels import BadPixel
from pipeline.constants.cache import ConstantsCache
from pipeline.constants.catalogue import Catalogue
from pipeline.constants.conditions import (
    AgipdConditions,
    Conditions,
    DsscConditions,
    LpdConditions,
    conditions_of,
)
from pipeline.constants.darkflags import DarkSettings
from pipeline.constants.darkframes import run_start
from pipeline.constants.darks import DarkRuns, ModuleDark, derive
from pipeline.constants.explain import Report, explain
from pipeline.constants.injection import Origin, inject
from pipeline.constants.judging import Question
from pipeline.constants.kept import KeptAnswers
from pipeline.constants.model import (
    Constant,
    ConstantSet,
    ConstantVersion,
    Strategy,
)
from pipeline.constants.opening import cache_folder, open_catalogue
from pipeline.constants.rest import CatalogueRest
from pipeline.constants.selection import strategy_of

__all__ = [
    "AgipdConditions",
    "BadPixel",
    "Catalogue",
    "CatalogueRest",
    "Conditions",
    "Constant",
    "ConstantSet",
    "ConstantVersion",
    "ConstantsCache",
    "DarkRuns",
    "DarkSettings",
    "DsscConditions",
    "KeptAnswers",
    "LpdConditions",
    "ModuleDark",
    "Origin",
    "Question",
    "Report",
    "Strategy",
    "cache_folder",
    "conditions_of",
    "derive",
    "explain",
    "inject",
    "open_catalogue",
    "run_start",
    "strategy_of",
]
