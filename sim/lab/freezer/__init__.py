"""The freezer: its panel, the pins and the camera at it, and the chamber protocols that it can speak instead."""

from sim.lab.freezer.building import FAULTS, servers

__all__ = ["FAULTS", "servers"]
