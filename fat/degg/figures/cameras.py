"""Pictures of all cameras on one sheet: whose LED is not found is seen at once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

BLOCK: Final = 8
"""Pixels of a side that become one of the sheet."""
COLUMNS: Final = 6
MOST: Final = 96
"""Cameras of a sheet."""
FOUND, MISSING = "#56b4e9", "#d55e00"
DPI: Final = 110
GAP, TITLE = 12, 22
"""Pixels between two pictures of the sheet, and above each for its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture. row, column: centre of the LED in pixels of the usable part, when it was found."""

    name: str
    picture: NDArray[np.uint16]
    """(977, 1309), the usable part."""
    found: bool
    row: float = 0.0
    column: float = 0.0


def contact_sheet(shots: Sequence[Shot]) -> bytes:
    """A PNG of all pictures in one scale of brightness: a circle where an LED was found, a cross where not.

    All lie in one image with one pair of axes: forty-eight pairs would take seconds to lay out.
    """
    shots = list(shots)[:MOST]
    columns = min(COLUMNS, max(1, len(shots)))
    rows = max(1, ceil(len(shots) / columns))
    small = [_small(shot.picture) for shot in shots]
    height, width = (max((part.shape[axis] for part in small), default=1) for axis in (0, 1))
    across, down = columns * (width + GAP), rows * (height + GAP + TITLE)
    sheet = np.full((down, across), np.nan)
    figure = Figure(figsize=(across / DPI, down / DPI), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), frameon=False, xticks=[], yticks=[])
    for number, (shot, part) in enumerate(zip(shots, small, strict=True)):
        top, left = (
            number // columns * (height + GAP + TITLE) + TITLE,
            number % columns * (width + GAP) + GAP / 2,
        )
        sheet[top : top + part.shape[0], int(left) : int(left) + part.shape[1]] = part
        middle = left + width / 2
        colour = "black" if shot.found else MISSING
        axes.text(middle, top - 3, shot.name, fontsize=6.5, ha="center", va="bottom", color=colour)
        if shot.found:
            at = left + shot.column / BLOCK, top + shot.row / BLOCK
            axes.plot(*at, "o", markersize=15, markerfacecolor="none", markeredgecolor=FOUND)
        else:
            axes.text(middle, top + height / 2, "✕", color=MISSING, ha="center", va="center", fontsize=22)
    brightest = max((float(np.percentile(part, 99.9)) for part in small), default=1.0)
    axes.imshow(sheet, cmap="cividis", vmin=0.0, vmax=brightest, aspect="auto", interpolation="nearest")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _small(picture: NDArray[np.uint16]) -> NDArray[np.float64]:
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    cut = picture[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    return np.asarray(cut.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3)))
