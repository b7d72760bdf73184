"""What an analysis gives: quantities to be judged, and graphs for the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fat.measurement import Measurement

GROUPS: Final = (
    "darknoise",
    "gain",
    "charge",
    "timing",
    "linearity",
    "luminosity",
    "sensitivity",
    "transmissivity",
    "monitoring",
    "electronic-response",
    "focus-and-alignment",
)
"""What a result record may be about (`meas_group`)."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number about one part of one module. Raises ValueError for a group that there is not."""

    device: str
    """Serial number of the module, `DEgg2021-3-133`."""
    part: str
    """`LowerPmt`, `UpperPmt`, `camera-0`, or empty: the module itself."""
    group: str
    """One of GROUPS."""
    name: str
    """`hv-at-1e7-gain`"""
    value: float
    """In *unit*; what is no finite number never passes."""
    unit: str
    """`1` for plain numbers."""
    about: str
    """One phrase for the report."""
    temperature_c: float | None = None
    """Air of the box, °C: chooses among goalposts that speak for a range of temperatures."""
    goalposts: tuple[str, ...] = ()
    """Test names that judge it, in full or without their prefix; those whose temperatures do not fit do not."""

    def __post_init__(self) -> None:
        _demand_group(self.group)

    @property
    def measurement(self) -> Measurement:
        """What was measured, for the record of the run."""
        return Measurement(self.name, self.unit, self.about, self.device, self.part, self.temperature_c)


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A curve or a histogram of one part of one module, with what was fitted to it. Raises ValueError."""

    device: str
    part: str
    group: str
    name: str
    """`spe-spectrum`, `gain-curve`: graphs of one name are drawn alike, and side by side."""
    title: str
    x_label: str
    """With its unit: `charge / pC`."""
    y_label: str
    x: NDArray[Any]
    """(n,), or (n + 1,) edges of a histogram."""
    y: NDArray[Any]
    """(n,)"""
    kind: Literal["points", "line", "steps"] = "points"
    """`steps` for a histogram."""
    y_error: NDArray[Any] | None = None
    """(n,)"""
    curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    """Fits and ideals by what they are: x (m,) and y (m,)."""
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"
    text: str = ""
    """What the fit found, short: `1.602 pC at 1412 V`."""
    temperature_c: float | None = None

    def __post_init__(self) -> None:
        _demand_group(self.group)
        edges = 1 if self.kind == "steps" else 0
        if np.shape(self.x) != (len(self.y) + edges,) or np.ndim(self.y) != 1:
            raise ValueError(f"graph {self.name}: x {np.shape(self.x)} and y {np.shape(self.y)} do not fit")
        if self.y_error is not None and np.shape(self.y_error) != np.shape(self.y):
            raise ValueError(f"graph {self.name}: y_error {np.shape(self.y_error)} does not fit y")


def _demand_group(group: str) -> None:
    if group not in GROUPS:
        raise ValueError(f"there is no group {group!r} of results; there are: {', '.join(GROUPS)}")
