"""A picture of a plan in its time: a row for each function, a bar for each time that it is called.

A schedule of days has a thousand tasks but two dozen functions; so it stays one page. Conditions, such as the laser's,
are strips below.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scheduler.schedule.durations import spoken
from scheduler.schedule.forecast import Expected, Forecast

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#1b1b1b"
BARS: Final = {"in turn": ("#0072b2", 0.7), "beside": ("#56b4e9", 0.35), "unknown": ("#e69f00", 0.7)}
"""Colour and height of tasks that others wait for, of those beside, and of those whose length nobody knows: a set that
colour-blind people tell apart, and the thin bars need no colour."""
STRIPS: Final = ("#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
ROW_IN: Final = 0.27
LEAST: Final = 0.002
"""Shortest bar, as a share of the whole, so that no task is invisible."""


def draw_gantt(forecast: Forecast, begins: dict[str, str], begin: datetime, title: str, path: Path) -> None:
    """Write the picture; the suffix of *path* says as what (.png, .svg, .pdf)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    rows = list(dict.fromkeys(expected.task.call for expected in forecast.tasks))
    strips = sorted({*begins, *(name for e in forecast.tasks for name in e.task.leaves)})
    height_in = 1.5 + ROW_IN * (len(rows) + len(strips))
    figure = Figure(figsize=(11, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    least_h = max(forecast.lasts_s, 1.0) / 3600 * LEAST
    for row, call in enumerate(rows):
        for kind, (colour, height) in BARS.items():
            bars = [
                (e.begins_s / 3600, max(e.lasts_s / 3600, least_h))
                for e in forecast.tasks
                if e.task.call == call and _kind(e) == kind
            ]
            axes.broken_barh(bars, (row - height / 2, height), color=colour, linewidth=0)
    colours: dict[str, str] = {}
    for number, name in enumerate(strips):
        _draw_strip(axes, len(rows) + number, name, forecast, begins, colours)
    if colours:
        patches = [Patch(color=tint, alpha=0.55, label=value) for value, tint in colours.items()]
        figure.legend(
            handles=patches, loc="outside lower right", ncols=len(patches), frameon=False, fontsize=8
        )
    names = [call.rpartition(":")[2] for call in rows] + strips
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(forecast.lasts_s / 3600, least_h) * 1.01)
    axes.set_xlabel(f"hours after {begin:%Y-%m-%d %H:%M}")
    end = begin + timedelta(seconds=forecast.lasts_s)
    beside = "; thin: beside others" if any(e.task.beside for e in forecast.tasks) else ""
    doubt = f"; {forecast.unknown} of unknown length (orange, counted as nothing)" if forecast.unknown else ""
    axes.set_title(
        f"{title}: {len(forecast.tasks)} tasks, {spoken(forecast.lasts_s)}, until {end:%Y-%m-%d %H:%M}{beside}{doubt}",
        loc="left",
        color=INK,
        fontsize=10,
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    figure.savefig(path, dpi=130)


def _kind(expected: Expected) -> str:
    if expected.known == "nothing":
        return "unknown"
    return "beside" if expected.task.beside else "in turn"


def _draw_strip(
    axes: Axes, row: int, name: str, forecast: Forecast, begins: dict[str, str], colours: dict[str, str]
) -> None:
    """One condition over time. Each value has its colour, which *colours* gathers."""
    changes = (e for e in forecast.tasks if name in e.task.leaves)
    pieces = [
        (0.0, begins.get(name, "")),
        *(((e.begins_s + e.lasts_s) / 3600, e.task.leaves[name]) for e in changes),
    ]
    ends = [piece[0] for piece in pieces[1:]] + [forecast.lasts_s / 3600]
    for (start_h, value), end_h in zip(pieces, ends, strict=True):
        if value and end_h > start_h:
            colour = colours.setdefault(value, STRIPS[len(colours) % len(STRIPS)])
            axes.broken_barh(
                [(start_h, end_h - start_h)], (row - 0.25, 0.5), color=colour, alpha=0.55, linewidth=0
            )
