"""The power path of the laboratory, as wire pairs switch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from sim.kernel import SimTime


class Power(Protocol):
    """The power path as a wire pair switches it (`sim.lab.world.PowerPath`)."""

    @property
    def mains(self) -> bool:
        """Whether the field hub has power."""
        ...

    @property
    def wire_pairs(self) -> Mapping[int, bool]:
        """Switches of the wire pairs, by the first port of their group."""
        ...

    @property
    def mainboards(self) -> Mapping[int, bool]:
        """Switches of the mainboards, by port."""
        ...

    def set_wire_pair(self, now: SimTime, group: int, on: bool, /) -> None:
        """Switch a wire pair."""
        ...

    def set_mainboard(self, now: SimTime, port: int, on: bool, /) -> None:
        """Switch a mainboard."""
        ...

    def reaches(self, port: int, /) -> bool:
        """Whether the ICM of a port has power."""
        ...

    def powered_since(self, port: int, /) -> SimTime | None:
        """Since when a mainboard has power; None: it has none."""
        ...

    def watch(self, switched: Callable[[int, bool, SimTime], None], /) -> None:
        """Call with (port, whether it has power, moment) whenever a mainboard gains or loses power."""
        ...
