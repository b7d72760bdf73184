"""A panel of a chart laid out: strokes, dots and words at places, which page and PDF draw alike. Pure.

Lengths are in units of which a panel is 360 wide; letters of 10 units are read easily at the size of a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.report.axis import Axis, axis_of
from fat.report.chart import Panel, Series, Tone

WIDE: Final = 360.0
PLOT_HIGH: Final = 130.0
LEFT: Final = 56.0
RIGHT: Final = 10.0
BELOW: Final = 36.0
LETTER: Final = 0.56
"""Width of a letter against its size, on the average and not too small."""
BOLD_LETTER: Final = 0.66
ROW: Final = 14.0
MOST_ERROR_BARS: Final = 60

Points = NDArray[np.float64]
"""(n, 2) from the upper left corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A line through points, or the area within them."""

    points: Points
    tone: Tone
    width: float = 1.2
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """A dot at each point."""

    points: Points
    tone: Tone
    radius: float


@dataclass(frozen=True, slots=True)
class Word:
    """Words on a line."""

    x: float
    y: float
    """Of the base line."""
    text: str
    size: float = 9.0
    anchor: str = "start"
    """`start`, `middle` or `end`: what stands at x."""
    tone: Tone = "ink"
    bold: bool = False
    turned: bool = False
    """Upwards, as the label of a vertical axis."""


@dataclass(frozen=True, slots=True)
class Laid:
    """All marks, in the order in which they are drawn, and the height that they need."""

    high: float
    marks: list[Stroke | Dots | Word] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where the axes are."""

    x: Axis
    y: Axis
    top: float

    def points(self, x: NDArray[Any], y: NDArray[Any]) -> Points:
        """On the panel, without what has no place."""
        across = LEFT + self.x.place(x) * (WIDE - LEFT - RIGHT)
        down = self.top + (1 - self.y.place(y)) * PLOT_HIGH
        both = np.column_stack((across, down))
        return both[np.isfinite(both).all(axis=1)]


@lru_cache(maxsize=256)
def laid_out(panel: Panel) -> Laid:
    """Where everything of a panel stands; once for the page and the PDF of a report, which follow each other."""
    legend, rows = _legend(panel.series)
    top = 20.0 + rows * ROW
    limits = np.array(panel.limits, dtype=float)
    x_axis = axis_of((series.x for series in panel.series), log=panel.x_log)
    y_axis = axis_of((*_heights(panel.series), limits), log=panel.y_log)
    plot = _Plot(x_axis, y_axis, top)
    laid = Laid(top + PLOT_HIGH + BELOW, [_title(panel.title), *legend])
    laid.marks.extend(_frame(plot, panel))
    for series in panel.series:
        laid.marks.extend(_drawn(plot, series))
    ends = np.array([LEFT, WIDE - RIGHT])
    for place in plot.y.place(limits):
        down = top + (1 - place) * PLOT_HIGH
        laid.marks.append(Stroke(np.column_stack((ends, [down, down])), "pink", 1.4, dashed=True))
    return laid


def _heights(all_series: Sequence[Series]) -> Iterator[NDArray[Any]]:
    """What an axis of y must show."""
    for series in all_series:
        yield series.y
        if series.kind == "steps" and series.filled:
            yield np.zeros(1)
        if series.error is not None:
            yield series.y - series.error
            yield series.y + series.error


def _title(text: str) -> Word:
    """Smaller where it is long."""
    return Word(2, 11, text, min(10.5, (WIDE - 4) / (max(len(text), 1) * BOLD_LETTER)), bold=True)


def _legend(all_series: Sequence[Series]) -> tuple[list[Stroke | Dots | Word], int]:
    """Entries below the title, and how many rows they take."""
    marks: list[Stroke | Dots | Word] = []
    x, row = 4.0, 0
    for series in all_series:
        if not series.label:
            continue
        width = 22 + len(series.label) * 8.5 * LETTER
        if x > 4 and x + width > WIDE:
            x, row = 4.0, row + 1
        y = 23.0 + row * ROW
        if series.kind == "points":
            marks.append(Dots(np.array([[x + 7, y - 3]]), series.tone, 2.6))
        else:
            line = np.array([[x, y - 3], [x + 14, y - 3]])
            marks.append(Stroke(line, series.tone, 1.2 + 0.6 * series.weight, series.dashed))
        marks.append(Word(x + 18, y, series.label, 8.5))
        x += width + 6
    return marks, row + 1 if marks else 0


def _frame(plot: _Plot, panel: Panel) -> Iterator[Stroke | Word]:
    low, left, right = plot.top + PLOT_HIGH, LEFT, WIDE - RIGHT
    for place, text in plot.y.ticks(4):
        down = plot.top + (1 - place) * PLOT_HIGH
        yield Stroke(np.array([[left, down], [right, down]]), "line", 0.8)
        yield Word(left - 5, down + 3, text, 8.5, "end", "grey")
    free = -1.0
    for place, text in plot.x.ticks(6):
        across = left + place * (right - left)
        half = len(text) * 8.5 * LETTER / 2
        yield Stroke(np.array([[across, low], [across, low + 3]]), "grey", 0.8)
        if across - half > free:  # labels of a logarithmic axis stand close
            yield Word(across, low + 13, text, 8.5, "middle", "grey")
            free = across + half + 3
    yield Stroke(np.array([[left, low], [right, low]]), "grey", 0.8)
    yield Word((left + right) / 2, low + 28, panel.x_label, 9, "middle")
    yield Word(10, plot.top + PLOT_HIGH / 2, panel.y_label, 9, "middle", turned=True)


def _drawn(plot: _Plot, series: Series) -> Iterator[Stroke | Dots]:
    width = 1.1 * series.weight
    if not len(series.y):
        return
    if series.kind == "steps":
        x, y = np.repeat(series.x, 2)[1:-1], np.repeat(series.y, 2)
        if series.filled:
            corners = np.concatenate((x[:1], x, x[-1:])), np.concatenate(([0.0], y, [0.0]))
            yield Stroke(plot.points(*corners), series.tone, 0, filled=True)
        yield Stroke(plot.points(x, y), series.tone, width, series.dashed)
    elif series.kind == "line":
        yield Stroke(plot.points(series.x, series.y), series.tone, width, series.dashed)
    else:
        if series.error is not None and len(series.y) <= MOST_ERROR_BARS:
            low, high = series.y - series.error, series.y + series.error
            for x, ends in zip(series.x, zip(low, high, strict=True), strict=True):
                yield Stroke(plot.points(np.array([x, x]), np.array(ends)), series.tone, 0.8)
        radius = 1.4 if len(series.y) > MOST_ERROR_BARS else 2.2
        yield Dots(plot.points(series.x, series.y), series.tone, radius * series.weight)
