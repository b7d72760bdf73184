"""The reductions that a command line names: by their words, for images of a size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dectris.corrections import Corrections
from pipeline.dectris.reduce import CentreOfMass, FrameSums, Sum, VirtualDetectors, disk, ring
from pipeline.dectris.stack import ImageStack
from pipeline.errors import SettingRejected


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user asked for. Lengths are pixels of the image."""

    sum: bool = True
    frame_sums: bool = False
    disk: float | None = None
    """Radius."""
    ring: tuple[float, float] | None = None
    """Inner and outer radius."""
    com: bool = False
    centre: tuple[float, float] | None = None
    """(y, x) of disk and ring; None: the middle of the image."""
    stack: Path | None = None


@dataclass(slots=True)
class Planned:
    """Reductions in order, and the names under which results are shown and written."""

    reductions: list[Any] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, reduction: object, *, shown: bool = True) -> None:
        """One more."""
        if shown:
            self.names[name] = len(self.reductions)
        self.reductions.append(reduction)


def plan(wanted: Wanted, shape: tuple[int, int], corrections: Corrections) -> Planned:
    """The reductions for images of *shape* (height, width). Raises SettingRejected."""
    height, width = shape
    bad, flatfield = corrections.fitting(shape).excluded, corrections.flatfield
    y, x = wanted.centre if wanted.centre is not None else ((height - 1) / 2, (width - 1) / 2)
    planned = Planned()
    if wanted.sum:
        planned.add("sum", Sum(excluded=bad))
    if wanted.frame_sums:
        planned.add("frame_sums", FrameSums())
    detectors: Mapping[str, Any] = {
        "disk": None if wanted.disk is None else disk(height, width, y, x, wanted.disk),
        "ring": None if wanted.ring is None else ring(height, width, y, x, *wanted.ring),
    }
    for name, weights in detectors.items():
        if weights is not None:
            planned.add(name, VirtualDetectors(weights[np.newaxis], excluded=bad, flatfield=flatfield))
    if wanted.com:
        planned.add("com", CentreOfMass(excluded=bad, flatfield=flatfield))
    if wanted.stack is not None:
        planned.add("stack", ImageStack(wanted.stack, corrections), shown=False)
    if not planned.reductions:
        raise SettingRejected("the reductions", "none", "at least one of sum, disk, ring, com, stack")
    return planned


def pair_of(text: str, what: str, separator: str) -> tuple[float, float]:
    """Two numbers from `A:B` or `A,B`. Raises SettingRejected."""
    first, found, second = text.partition(separator)
    try:
        if found:
            return float(first), float(second)
    except ValueError:
        pass
    raise SettingRejected(what, text, f"two numbers, A{separator}B")


def shape_of(text: str) -> tuple[int, ...]:
    """A scan's shape from `128x128` or `16384`. Raises SettingRejected."""
    try:
        sides = tuple(int(side) for side in text.lower().replace("×", "x").split("x"))
    except ValueError:
        sides = ()
    if not sides or min(sides) < 1:
        raise SettingRejected("the scan", text, "a number of images, or sides as 128x128")
    return sides
