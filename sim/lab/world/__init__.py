"""The physics that instruments and modules share: closed formulas between changes, nothing ticks."""

from sim.lab.world.cold import ColdPath
from sim.lab.world.light import Generator, LightPath
from sim.lab.world.power import PowerPath
from sim.lab.world.world import World

__all__ = ["ColdPath", "Generator", "LightPath", "PowerPath", "World"]
