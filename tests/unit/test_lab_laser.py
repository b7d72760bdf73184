"""The laser head's cable."""

from __future__ import annotations

from pathlib import Path

from sim.kernel import FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock
from sim.lab.figures import LabFigures
from sim.lab.laser import LASER_FAULTS, follow_the_sync_cable
from sim.lab.site import Site
from sim.lab.world import Generator, World


async def test_without_its_cable_there_is_light_and_no_sync(tmp_path: Path) -> None:
    clock, world = manual_clock(), World(LabFigures(), [5000])
    board = FaultBoard("lab.laser", LASER_FAULTS)
    site = Site("lab", 1, tmp_path, clock, world, {"lab.laser": board}, Transcript(None, lambda: 0), "")
    follow_the_sync_cable(site)
    world.light.set_supply(SimTime(0), 12.0, True)
    world.light.set_generator(SimTime(0), Generator(True, 100.0, 3.0))
    room = world.room(5000, 12.0)
    await clock.advance(10)
    board.switch_on("miss_sync")
    await clock.advance(10)
    assert room.sync(SimTime(9)) is not None
    assert room.sync(SimTime(10)) is None
    assert room.light(SimTime(10)) is not None
    board.switch_off("miss_sync")
    assert room.sync(SimTime(19)) is None
    assert room.sync(SimTime(20)) is not None
    assert board.struck() == {"miss_sync": 1}
