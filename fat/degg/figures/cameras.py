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
    """A PNG of all pictures in one scale of brightness: a circle where an LED was found, a cross where not."""
    shots = list(shots)[:MOST]
    columns = min(COLUMNS, max(1, len(shots)))
    rows = max(1, ceil(len(shots) / columns))
    figure = Figure(figsize=(1.75 * columns, 1.6 * rows + 0.3), layout="constrained")
    top = max((float(np.percentile(shot.picture, 99.9)) for shot in shots), default=1.0)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, shot in zip(grid.flat, shots, strict=False):
        axes.imshow(_small(shot.picture), cmap="cividis", vmin=0.0, vmax=top)
        axes.set_title(shot.name, fontsize=6.5, color="black" if shot.found else MISSING)
        if shot.found:
            at = shot.column / BLOCK, shot.row / BLOCK
            axes.plot(*at, "o", markersize=15, markerfacecolor="none", markeredgecolor=FOUND)
        else:
            axes.text(
                0.5, 0.5, "✕", transform=axes.transAxes, color=MISSING, ha="center", va="center", fontsize=22
            )
    figure.set_dpi(DPI)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _small(picture: NDArray[np.uint16]) -> NDArray[np.float64]:
    rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    cut = picture[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    return np.asarray(cut.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3)))
