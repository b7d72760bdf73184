"""Calibration constants: conditions and versions, the catalogue and its store, and how darks become constants."""

from pipeline.constants.badpixels import BadPixel
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
from pipeline.constants.injection import Origin, inject
from pipeline.constants.model import (
    Constant,
    ConstantSet,
    ConstantVersion,
    Strategy,
)
from pipeline.constants.rest import CatalogueRest

__all__ = [
    "AgipdConditions",
    "BadPixel",
    "Catalogue",
    "CatalogueRest",
    "Conditions",
    "Constant",
    "ConstantSet",
    "ConstantVersion",
    "DarkRuns",
    "DarkSettings",
    "DsscConditions",
    "LpdConditions",
    "ModuleDark",
    "Origin",
    "Strategy",
    "conditions_of",
    "derive",
    "inject",
    "run_start",
]
