"""Charts of a report as values: small panels of series. `fat.report.panel` lays them out, page and PDF draw that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from numpy.typing import NDArray

Tone = Literal["blue", "green", "orange", "pink", "grey", "ink", "line"]
"""Names of colours, after Okabe and Ito: told apart by everyone. A page has others for the dark."""
RGB: Final[dict[Tone, tuple[int, int, int]]] = {
    "blue": (0, 114, 178),
    "green": (0, 158, 115),
    "orange": (213, 94, 0),
    "pink": (204, 121, 167),
    "grey": (122, 135, 148),
    "ink": (29, 39, 49),
    "line": (223, 228, 232),
}
"""On paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One curve, its points, or a histogram."""

    x: NDArray[Any]
    """(n,), or (n + 1,) edges of `steps`; what is no finite number is left out."""
    y: NDArray[Any]
    """(n,)"""
    kind: Literal["line", "points", "steps"] = "line"
    tone: Tone = "blue"
    label: str = ""
    """In the legend; empty: not there."""
    error: NDArray[Any] | None = None
    """(n,) of points"""
    dashed: bool = False
    weight: float = 1.0
    """How thick its lines and dots are, against others."""
    filled: bool = False
    """The area of `steps`."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    limits: tuple[float, ...] = ()
    """Values of y that must not be crossed; always within the axis."""
    x_log: bool = False
    y_log: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Panels that belong together, side by side where there is room."""

    title: str
    caption: str
    panels: tuple[Panel, ...]
