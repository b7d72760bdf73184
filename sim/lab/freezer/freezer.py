"""The one freezer, whoever controls it: a chamber protocol, or the keys of its panel."""

from __future__ import annotations

import asyncio
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.kernel.clock import SimClock
from sim.lab.figures import ColdFigures
from sim.lab.world import ColdPath

FREEZER_FAULTS: Final = (
    FaultSpec(
        "open_freezer",
        "The freezer's door stands open: the air warms up to the laboratory's temperature, humidity rises.",
        "the door lamp on the panel; box temperature and humidity",
    ),
    FaultSpec(
        "stop_compressor",
        "The compressor stands still, whatever it is told; every way of control goes on to show that it runs.",
        "the run lamp on the panel is dark; the temperature rises although the set-point is right",
    ),
)
"""Both act at once and until they are switched off; with `times` until anything is switched again."""


class Freezer:
    """What can be done to it. Set-points are in Celsius and stay within what the freezer can do."""

    def __init__(self, cold: ColdPath, figures: ColdFigures) -> None:
        self.cold = cold
        self.lowest, self.highest = figures.min_c, figures.max_c
        self.runs = cold.running
        """Whether it was told to run."""
        self._stands_still = False

    @property
    def set_point(self) -> float:
        """The true one."""
        return self.cold.set_point

    @property
    def cools(self) -> bool:
        """Whether the compressor really runs."""
        return self.cold.running

    def aim(self, now: SimTime, celsius: float) -> None:
        """Give it another set-point."""
        self.cold.set_freezer(now, celsius)

    def run(self, now: SimTime, runs: bool) -> None:
        """Tell it to run or to stop."""
        self.runs = runs
        self.cold.run(now, runs and not self._stands_still)

    def break_compressor(self, now: SimTime, broken: bool) -> None:
        """Let the compressor stand still whatever it is told, or not any more."""
        self._stands_still = broken
        self.run(now, self.runs)


class FreezerFaults:
    """Carries the freezer's faults out at the moment at which they are switched."""

    def __init__(self, freezer: Freezer, clock: SimClock, faults: FaultBoard) -> None:
        self._freezer, self._clock, self._faults = freezer, clock, faults
        self._moves: set[asyncio.Task[None]] = set()
        faults.watch(self._switched)

    async def follow(self, fault: str) -> None:
        """Bring the freezer to whether a fault is on now."""
        now = await self._clock.read()
        on = self._faults.strike(fault) is not None
        if fault == "open_freezer":
            self._freezer.cold.open_door(now, on)
        elif fault == "stop_compressor":
            self._freezer.break_compressor(now, on)

    def close(self) -> None:
        """Forget what has not been carried out yet."""
        for move in list(self._moves):
            move.cancel()

    def _switched(self, fault: str) -> None:
        move = asyncio.get_running_loop().create_task(self.follow(fault), name=f"freezer: {fault}")
        self._moves.add(move)
        move.add_done_callback(self._moves.discard)
