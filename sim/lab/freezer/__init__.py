"""The freezer: its panel, the pins and the camera at it, and the chamber protocols that it can speak instead."""

from sim.lab.freezer.building import FAULTS, servers
from sim.lab.freezer.table import FreezerTable

__all__ = ["FAULTS", "FreezerTable", "servers"]
