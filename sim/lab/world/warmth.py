"""How warm mainboards are: with power they rise above their glass, without they fall back to it, with one lag."""

from __future__ import annotations

import math
from typing import Final

from sim.kernel import NS_PER_S, SimTime
from sim.lab.world.power import PowerPath

WARM: Final = 1.0


class Warmth:
    """Of each mainboard, as a share of what it rises to; a closed formula between two switches of its power.

    A power cycle of some seconds therefore cools nobody.
    """

    def __init__(self, power: PowerPath, lag_h: float) -> None:
        self._power, self._lag_h = power, lag_h
        # Boards that have power from the beginning are warm already.
        self._last = {
            port: (SimTime(0), WARM if power.powered_since(port) is not None else 0.0)
            for port in power.mainboards
        }
        power.watch(self._switched)

    def share(self, port: int, at: SimTime) -> float:
        """0: as cold as its glass, 1: as warm as it gets."""
        return self._share(port, at, powered=self._power.powered_since(port) is not None)

    def _share(self, port: int, at: SimTime, *, powered: bool) -> float:
        since, was = self._last[port]
        goal = WARM if powered else 0.0
        hours = max(0, at - since) / (3600 * NS_PER_S)
        return goal + (was - goal) * math.exp(-hours / self._lag_h)

    def _switched(self, port: int, on: bool, now: SimTime) -> None:
        self._last[port] = (now, self._share(port, now, powered=not on))
