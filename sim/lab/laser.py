"""The laser head: it has no address; what is left to break is the cable of its sync signal."""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultSpec
from sim.lab.site import Site

LASER_FAULTS: Final = (
    FaultSpec(
        "miss_sync",
        "The cable of the laser's sync signal is off: there is light, and nothing tells when.",
        "the tabletop mainboard sees no sync (check-laser-freq); arrival times cannot be measured",
    ),
)


def follow_the_sync_cable(site: Site) -> None:
    """Let the fault's switch pull the cable and put it back."""
    board = site.faults("laser")

    def switched(fault: str) -> None:
        pulled = board.is_on(fault)
        site.world.light.block_sync(site.clock.now, pulled)
        if pulled:
            board.strike(fault)

    board.watch(switched)
