"""The power path: mains switch of the field hub -> a wire pair for each group -> mainboards."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sim.kernel import NS_PER_S, SimTime

MODULES_OF_A_GROUP = 4


class PowerPath:
    """Who has power. Ports are the nominal ones: 5000..5015; the group of a port is its multiple of four.

    on           all have power from the beginning, and are warm by it
    board_lag_h  with which a mainboard warms up, and cools down
    """

    def __init__(self, ports: Sequence[int], board_lag_h: float, *, on: bool = True) -> None:
        self.mains = on
        self.wire_pairs = {group_of(port): on for port in ports}
        self.mainboards = dict.fromkeys(ports, on)
        self._since: dict[int, SimTime | None] = {port: SimTime(0) if on else None for port in ports}
        self._lost: dict[int, SimTime] = {}
        self._lag_h = board_lag_h
        self._warmed: dict[int, tuple[SimTime, float]] = dict.fromkeys(ports, (SimTime(0), float(on)))
        self._watchers: list[Callable[[int, bool, SimTime], None]] = []

    def watch(self, switched: Callable[[int, bool, SimTime], None]) -> None:
        """Call with (port, whether it has power, moment) whenever a mainboard gains or loses power."""
        self._watchers.append(switched)

    def set_mains(self, now: SimTime, on: bool) -> None:
        """Switch the field hub."""
        self.mains = on
        self._settle(now)

    def set_wire_pair(self, now: SimTime, group: int, on: bool) -> None:
        """Switch a wire pair, named by the first port of its group. Raises KeyError."""
        self.wire_pairs[group_of(group)]  # a group that is not there is the caller's error
        self.wire_pairs[group] = on
        self._settle(now)

    def set_mainboard(self, now: SimTime, port: int, on: bool) -> None:
        """Switch a mainboard through its ICM. Raises KeyError."""
        self.mainboards[port]
        self.mainboards[port] = on
        self._settle(now)

    def reaches(self, port: int) -> bool:
        """Whether the wire pair of a port carries power, so that its ICM runs."""
        return self.mains and self.wire_pairs[group_of(port)]

    def powered_since(self, port: int) -> SimTime | None:
        """Since when a mainboard has power; None: it has none."""
        return self._since[port]

    def unpowered_for_h(self, port: int, at: SimTime) -> float:
        """Hours since a mainboard lost its power; 0 while it has some, infinity if it never had any."""
        if self._since[port] is not None:
            return 0.0
        return (at - self._lost[port]) / (3600 * NS_PER_S) if port in self._lost else math.inf

    def warmed(self, port: int, at: SimTime) -> float:
        """How much of its warmth a mainboard has, 0 to 1: most of it after a moment without power."""
        since, then = self._warmed[port]
        goal = 0.0 if self._since[port] is None else 1.0
        return goal + (then - goal) * math.exp(-(at - since) / (3600 * NS_PER_S * self._lag_h))

    def _settle(self, now: SimTime) -> None:
        for port, switched_on in self.mainboards.items():
            powered = switched_on and self.reaches(port)
            if powered == (self._since[port] is not None):
                continue
            self._warmed[port] = (now, self.warmed(port, now))
            self._since[port] = now if powered else None
            if not powered:
                self._lost[port] = now
            for switched in self._watchers:
                switched(port, powered, now)


def group_of(port: int) -> int:
    """First port of the group that a nominal port belongs to."""
    return port - port % MODULES_OF_A_GROUP
