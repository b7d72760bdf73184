"""What every part of a laboratory is built from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.kernel import FaultBoard, SimTime, Transcript
from sim.kernel.clock import SimClock
from sim.lab.world import World

Shown = Callable[[SimTime], Mapping[str, Any]]
"""What a part tells the operator at a moment, as JSON. Asking changes nothing: no draw, no strike of a fault."""


@dataclass(frozen=True, slots=True)
class Site:
    """The laboratory that a part stands in."""

    name: str
    """The device's name in the bench file, `lab`."""
    seed: int
    folder: Path
    """Where the laboratory writes: `data_dir / name`."""
    clock: SimClock
    world: World
    boards: Mapping[str, FaultBoard]
    """Fault switches by the part's full name."""
    transcript: Transcript
    token: str
    shown: dict[str, Shown] = field(default_factory=dict)
    """What parts tell the operator beside what the world knows, by full name; parts add themselves."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Where parts are reached, by full name, once they have started."""

    def full_name(self, part: str) -> str:
        """`lab.filter_wheel_0` for `filter_wheel_0`; `degg.5003` is one already."""
        return part if part in self.boards else f"{self.name}.{part}"

    def faults(self, part: str) -> FaultBoard:
        """The switches of a part: `filter_wheel_0`, or `degg.5003`."""
        return self.boards[self.full_name(part)]
