"""Constants through the calibration database's remotes, one of them at random (docs/caldb-remotes.md)."""

from pipeline.constants.remotes.client import Patience, Remotes
from pipeline.constants.remotes.provider import RemoteCatalogue

__all__ = ["Patience", "RemoteCatalogue", "Remotes"]
