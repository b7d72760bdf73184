"""The reductions that a command line names: by their words, for images of a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dectris.corrections import Corrections
from pipeline.dectris.reduce import CentreOfMass, FrameSums, Sum, VirtualDetectors, disk, ring
from pipeline.dectris.stack import ChunkStack, ImageStack
from pipeline.errors import SettingRejected
from pipeline.model import F32


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

    def names(self) -> dict[str, int]:
        """Results that are shown and written, and their places among the reductions that `plan` makes."""
        asked = {
            "sum": self.sum,
            "frame_sums": self.frame_sums,
            "disk": self.disk is not None,
            "ring": self.ring is not None,
            "com": self.com,
        }
        return {name: place for place, name in enumerate(name for name, on in asked.items() if on)}


@dataclass(frozen=True, slots=True)
class Planned:
    """Reductions in order, and the names and places of those that are shown and written."""

    reductions: list[Any]
    names: dict[str, int]

    def named(self, results: Sequence[Any]) -> dict[str, Any]:
        """Results by name; disk and ring, each one detector, as maps of the scan alone."""
        found = {name: results[place] for name, place in self.names.items()}
        return {name: result[0] if name in ("disk", "ring") else result for name, result in found.items()}


def plan(wanted: Wanted, shape: tuple[int, int], corrections: Corrections) -> Planned:
    """The reductions for images of *shape* (height, width). Raises SettingRejected."""
    height, width = shape
    bad, flatfield = corrections.fitting(shape).excluded, corrections.flatfield
    y, x = wanted.centre if wanted.centre is not None else ((height - 1) / 2, (width - 1) / 2)

    def detector(weights: F32) -> VirtualDetectors:
        return VirtualDetectors(weights[np.newaxis], excluded=bad, flatfield=flatfield)

    reductions: list[Any] = []
    if wanted.sum:
        reductions.append(Sum(excluded=bad))
    if wanted.frame_sums:
        reductions.append(FrameSums())
    if wanted.disk is not None:
        reductions.append(detector(disk(height, width, y, x, wanted.disk)))
    if wanted.ring is not None:
        reductions.append(detector(ring(height, width, y, x, *wanted.ring)))
    if wanted.com:
        reductions.append(CentreOfMass(excluded=bad, flatfield=flatfield))
    if wanted.stack is not None:
        untouched = bad is None and flatfield is None
        reductions.append(ChunkStack(wanted.stack) if untouched else ImageStack(wanted.stack, corrections))
    if not reductions:
        raise SettingRejected("the reductions", "none", "at least one of sum, disk, ring, com, stack")
    return Planned(reductions, wanted.names())


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
