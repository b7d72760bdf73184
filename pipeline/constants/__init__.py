"""Calibration constants: conditions and versions, the catalogue and its store, and how darks become constants."""

from pipeline.constants.badpixels import BadPixel
from pipeline.constants.catalogue import Catalogue
from pipeline.constants.darkflags import DarkSettings
from pipeline.constants.darkframes import run_start
from pipeline.constants.darks import DarkRuns, ModuleDark, derive
from pipeline.constants.injection import Origin, inject
from pipeline.constants.model import (
    AGIPD_CALIBRATIONS,
    DARK_CALIBRATIONS,
    AgipdConditions,
    Constant,
    ConstantSet,
    ConstantVersion,
    Strategy,
)
from pipeline.constants.rest import CatalogueRest

__all__ = [
    "AGIPD_CALIBRATIONS",
    "DARK_CALIBRATIONS",
    "AgipdConditions",
    "BadPixel",
    "Catalogue",
    "CatalogueRest",
    "Constant",
    "ConstantSet",
    "ConstantVersion",
    "DarkRuns",
    "DarkSettings",
    "ModuleDark",
    "Origin",
    "Strategy",
    "derive",
    "inject",
    "run_start",
]
