"""What every part of a laboratory is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.kernel import FaultBoard, Transcript
from sim.kernel.clock import SimClock
from sim.lab.world import World


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

    def faults(self, part: str) -> FaultBoard:
        """The switches of a part: `filter_wheel_0`, or `degg.5003`."""
        return self.boards[part] if part in self.boards else self.boards[f"{self.name}.{part}"]
