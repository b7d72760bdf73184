"""Figures of the reports, from graphs to PNG. They import matplotlib: import them late.

Colours are those of Okabe and Ito; what missed a limit is also drawn thicker, and named.
"""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from fat.degg.results.quantity import Graph

DPI: Final = 130
BLUE, ORANGE, GREEN, PINK, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a8794"
OF_PART: Final = {"LowerPmt": (BLUE, "-"), "UpperPmt": (GREEN, "--")}
"""Colour and dashes."""
FEW: Final = (ORANGE, GREEN, GREY)
"""Colours of the curves of a graph, as long as there are no more."""
MOST_ERROR_BARS: Final = 60
COLUMNS: Final = 3
"""At most so many temperatures beside each other."""
NAMED: Final = 6
"""At most so many curves of one panel are named."""
BUCKET_C: Final = 10.0
FEW_DECADES: Final = 200.0


def bucket(celsius: float | None) -> float | None:
    """Temperatures that are shown as one."""
    return None if celsius is None or not math.isfinite(celsius) else BUCKET_C * round(celsius / BUCKET_C)


def overview(graphs: Sequence[Graph], marked: Collection[tuple[str, str]] = ()) -> bytes:
    """One quantity of all parts of a run, a panel for each temperature: whoever differs from the others is seen.

    graphs  of one name; of each part and temperature the last one is drawn
    marked  device and part of those that missed a limit
    """
    chosen = _latest(graphs)
    columns = _columns(chosen)
    figure = _figure(3.3 * max(2, len(columns)), 2.6, 1, len(columns))
    for axes, celsius in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True):
        here = [graph for (_, _, at), graph in chosen.items() if at == celsius]
        plain = [graph for graph in here if (graph.device, graph.part) not in marked]
        seen: set[str] = set()
        odd = [graph for graph in here if (graph.device, graph.part) in marked]
        for graph in plain:
            colour, dashes = OF_PART.get(graph.part, (GREY, "-"))
            first = graph.part not in seen
            seen.add(graph.part)
            _line(axes, graph, colour, 0.8, 0.55, (graph.part or "module") if first else "", dashes)
        for number, graph in enumerate(odd):
            label = f"{graph.device} {graph.part}" if number < NAMED else ""
            _line(axes, graph, ORANGE if number % 2 == 0 else PINK, 1.8, 1.0, label)
        _dress(axes, here[0], _title(celsius, len(here)))
        axes.legend(fontsize=6, frameon=False)
    return _png(figure)


def of_device(graphs: Sequence[Graph]) -> bytes:
    """One quantity of one module: parts below each other, temperatures side by side, with fits.

    graphs  of one name; of each part and temperature the last one is drawn
    """
    chosen = _latest(graphs)
    columns = _columns(chosen)
    parts = sorted({part for _, part, _ in chosen})
    lying = len(columns) == 1 and len(parts) <= COLUMNS
    rows, wide = (1, len(parts)) if lying else (len(parts), len(columns))
    figure = _figure(3.3 * max(2, wide), 2.3 * rows + 0.2, rows, wide, top=0.42, between=0.95)
    grid = figure.subplots(rows, wide, squeeze=False)
    for row, part in zip(grid.T if lying else grid, parts, strict=True):
        for axes, celsius in zip(row, columns, strict=True):
            graph = next((g for (_, p, at), g in chosen.items() if p == part and at == celsius), None)
            if graph is None:
                axes.axis("off")
                continue
            _points(axes, graph)
            at = "" if celsius is None else f", {celsius:.0f} °C"
            _dress(axes, graph, f"{part or 'module'}{at}", graph.text)
    return _png(figure)


def timeline(spans: Sequence[tuple[str, float, float, str]]) -> bytes:
    """How long each kind of task took, all of its runs together.

    spans  name, hours of simulated time, hours of wall time, worst verdict
    """
    figure = _figure(7.2, 0.26 * len(spans) + 0.9, 1, 2, left=2.4, gap=0.25, top=0.1)
    axes, wall = figure.subplots(1, 2, sharey=True, squeeze=True)
    for row, (_, simulated, real, verdict) in enumerate(spans):
        colour = {"PASS": GREEN, "FAIL": ORANGE, "ERROR": PINK}.get(verdict, GREY)
        axes.barh(row, simulated, height=0.62, color=colour)
        wall.barh(row, real * 60, height=0.62, color=colour)
    axes.set_yticks(
        range(len(spans)),
        [name.replace("trigger_remote_wrapper_", "analysis: ") for name, *_ in spans],
        fontsize=7,
    )
    axes.invert_yaxis()
    for panel, label in ((axes, "bench time / h"), (wall, "wall time / min")):
        panel.set_xlabel(label, fontsize=8)
        panel.tick_params(labelsize=7)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    return _png(figure)


def _figure(
    width: float,
    height: float,
    rows: int,
    columns: int,
    *,
    left: float = 0.72,
    gap: float = 0.72,
    top: float = 0.3,
    between: float = 0.8,
) -> Figure:
    """A figure with margins in inches: letting matplotlib find them takes as long as all the drawing."""
    figure = Figure(figsize=(width, height))
    low, high = 0.45 / height, 1 - top / height
    panel_w = (width - left - 0.12 - (columns - 1) * gap) / columns
    panel_h = (height * (high - low) - (rows - 1) * between) / rows
    figure.subplots_adjust(
        left=left / width,
        right=1 - 0.12 / width,
        bottom=low,
        top=high,
        wspace=gap / panel_w,
        hspace=between / panel_h,
    )
    return figure


def _latest(graphs: Sequence[Graph]) -> dict[tuple[str, str, float | None], Graph]:
    return {(graph.device, graph.part, bucket(graph.temperature_c)): graph for graph in graphs}


def _columns(chosen: Mapping[tuple[str, str, float | None], Graph]) -> list[float | None]:
    """The temperatures with most graphs, warm ones first; what has none comes last."""
    counts: dict[float | None, int] = {}
    for _, _, celsius in chosen:
        counts[celsius] = counts.get(celsius, 0) + 1
    most = sorted(counts, key=lambda celsius: -counts[celsius])[:COLUMNS]
    return sorted(most, key=lambda celsius: (celsius is None, -(celsius or 0.0)))


def _line(
    axes: Axes, graph: Graph, colour: str, width: float, alpha: float, label: str, dashes: str = "-"
) -> None:
    style: dict[str, Any] = {"color": colour, "linewidth": width, "alpha": alpha, "label": label or None}
    style["linestyle"] = dashes
    if graph.kind == "steps":
        axes.stairs(graph.y, graph.x, **style)
    else:
        axes.plot(graph.x, graph.y, marker="." if graph.kind == "points" else "", markersize=3, **style)


def _points(axes: Axes, graph: Graph) -> None:
    if graph.kind == "steps":
        axes.stairs(graph.y, graph.x, color=BLUE, linewidth=1.0, fill=True, alpha=0.25)
        axes.stairs(graph.y, graph.x, color=BLUE, linewidth=1.0)
    elif graph.kind == "line":
        axes.plot(graph.x, graph.y, color=BLUE, linewidth=1.1)
    elif len(graph.y) > MOST_ERROR_BARS:
        axes.plot(graph.x, graph.y, ".", markersize=2.0, color=BLUE, alpha=0.6)
    else:
        style: dict[str, Any] = {
            "fmt": "o",
            "markersize": 3.2,
            "color": BLUE,
            "elinewidth": 0.9,
            "capsize": 1.5,
        }
        axes.errorbar(graph.x, graph.y, yerr=graph.y_error, **style)
    many = len(graph.curves) > len(FEW)
    for number, (label, (x, y)) in enumerate(graph.curves.items()):
        colour = colormaps["viridis"](number / len(graph.curves)) if many else FEW[number]
        dashes = "--" if number % 2 else "-"
        axes.plot(x, y, dashes, color=colour, linewidth=1.0 if many else 1.3, label=label)
    if graph.curves:
        axes.legend(fontsize=5.5 if many else 6.5, frameon=False, ncols=2 if many else 1)


def _dress(axes: Axes, graph: Graph, title: str, text: str = "") -> None:
    axes.set_title(title, fontsize=8.5, loc="left", pad=13 if text else 4)
    axes.text(0.0, 1.02, text, transform=axes.transAxes, va="bottom", fontsize=6.5, color="#4a5663")
    axes.set_xlabel(graph.x_label, fontsize=8)
    axes.set_ylabel(graph.y_label, fontsize=8)
    if graph.x_scale == "log" and np.nanmax(graph.x) > 10 * max(float(np.nanmin(graph.x)), 1e-300):
        axes.set_xscale("log")
        _label_decades(axes.xaxis, graph.x)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    if graph.y_scale == "log":
        axes.set_yscale("log")
        _label_decades(axes.yaxis, graph.y)
    axes.tick_params(labelsize=7)
    axes.tick_params(which="minor", labelsize=6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _label_decades(axis: Axis, values: NDArray[Any]) -> None:
    """Labels at 1, 2 and 5 of each decade where there are few: those of minor ticks run into each other."""
    good = values[np.isfinite(values) & (values > 0)]
    if good.size and good.max() < FEW_DECADES * good.min():
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())


def _title(celsius: float | None, count: int) -> str:
    parts = f"{count} part{'s' if count != 1 else ''}"
    return parts if celsius is None else f"{celsius:.0f} °C, {parts}"


def _png(figure: Figure) -> bytes:
    figure.set_dpi(DPI)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()
