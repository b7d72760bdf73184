"""All paths together, and the laboratory as one module sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.degg.surroundings import Light
from sim.kernel import SimTime
from sim.lab.figures import LabFigures
from sim.lab.world.cold import ColdPath
from sim.lab.world.light import LightPath
from sim.lab.world.power import PowerPath


class World:
    """The one state that all parts of a laboratory share. All of it belongs to one asyncio loop."""

    def __init__(self, figures: LabFigures, ports: Sequence[int]) -> None:
        self.figures = figures
        self.light = LightPath(figures.light)
        self.cold = ColdPath(figures.cold)
        self.power = PowerPath(ports, figures.cold.board_lag_h)

    def room(self, port: int, warmth_c: float) -> RoomAt:
        """The laboratory for the module at a nominal port, whose board runs so much warmer than its glass."""
        return RoomAt(self, port, warmth_c)


@dataclass(frozen=True, slots=True)
class RoomAt:
    """`sim.degg.surroundings.Room` for one port."""

    world: World
    port: int
    warmth_c: float

    def light(self, at: SimTime) -> Light | None:
        """What leaves the filters."""
        return self.world.light.light(at)

    def sync(self, at: SimTime) -> Light | None:
        """The sync signal."""
        return self.world.light.sync(at)

    def light_changes_after(self, at: SimTime) -> SimTime | None:
        """The next change."""
        return self.world.light.changes_after(at)

    def dark_for_s(self, at: SimTime) -> float:
        """Seconds without light."""
        return self.world.light.dark_for_s(at)

    def glass_temperature(self, at: SimTime) -> float:
        """Celsius."""
        return self.world.cold.glass(at)

    def board_temperature(self, at: SimTime) -> float:
        """Celsius."""
        return self.glass_temperature(at) + self.warmth_c * self.world.power.warmed(self.port, at)

    def powered_since(self, at: SimTime) -> SimTime | None:  # noqa: ARG002  # power is known for the present only
        """Since when there has been power."""
        return self.world.power.powered_since(self.port)
