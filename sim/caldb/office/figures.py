"""The plots of a constant, for pages of light and of dark paper."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from matplotlib import colormaps, dates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sim.caldb.office.badpixels import bit_name
from sim.caldb.office.numbers import Flags, Timeline, Values
from sim.caldb.times import BERLIN

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""After Okabe and Ito: told apart by everyone."""
NO_VALUE: Final = "#e8590c"
"""Orange: does not occur in cividis."""
MS_PER_DAY: Final = 86_400_000
DPI: Final = 140
LOW, HIGH = 1.0, 99.0
"""Percentiles at the ends of a map's colours."""
MARKS: Final = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True, slots=True)
class Paper:
    """Colours of a page."""

    card: str
    ink: str
    line: str
    width: float = 6.4
    """Inches. A telephone gets a smaller figure with letters as large, not a large one made small."""


_PAPERS: Final = {
    "light": Paper("#ffffff", "#1d2731", "#c9d0d6"),
    "dark": Paper("#1a222a", "#e6ebef", "#44525f"),
}


PAPERS: Final = _PAPERS | {f"{name}-small": replace(paper, width=4.2) for name, paper in _PAPERS.items()}


def draw_map(image: NDArray[np.float32], unit: str, share: bool, paper: Paper) -> bytes:
    """A module from above; pixels without a value in orange. *share*: values are 0 … 1."""
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, (LOW, HIGH)) if finite.size else (0.0, 1.0)
    if share:
        low, high = 0.0, max(float(finite.max(initial=0.0)), 1e-3)
    elif low == high:
        low, high = low - 0.5, high + 0.5
    upright = image.shape[0] > image.shape[1]
    shown = image.T if upright else image
    aspect = min(shown.shape[0] / shown.shape[1], 1.2)
    figure, axes = _figure(paper, (paper.width - 1.0) * aspect + 1.5)
    colours = colormaps["cividis"].with_extremes(bad=NO_VALUE)
    drawn = axes.imshow(
        np.ma.masked_invalid(shown),
        cmap=colours,
        vmin=low,
        vmax=high,
        origin="lower",
        interpolation="nearest",
    )
    axes.set_xlabel("slow scan" if upright else "fast scan")
    axes.set_ylabel("fast scan" if upright else "slow scan")
    extend = "neither" if share else "both"
    bar = figure.colorbar(drawn, ax=axes, label=unit, extend=extend, orientation="horizontal", aspect=45)
    bar.ax.tick_params(colors=paper.ink)
    bar.ax.xaxis.label.set_color(paper.ink)
    bar.outline.set_edgecolor(paper.line)
    missing = int(image.size - finite.size)
    if missing:
        axes.set_title(f"orange: {missing} of {image.size} pixels have no value", fontsize=9, color=paper.ink)
    return _png(figure)


def draw_trend(values: Values, unit: str, paper: Paper) -> bytes:
    """Median over the pixels for each cell, with the middle two thirds and nine tenths."""
    figure, axes = _figure(paper)
    cells = np.arange(values.trend.shape[1])
    p05, p16, p50, p84, p95 = values.trend
    mark = "o" if len(cells) < 40 else ""
    axes.fill_between(cells, p05, p95, color=COLOURS[5], alpha=0.25, label="5 % … 95 %", linewidth=0)
    axes.fill_between(cells, p16, p84, color=COLOURS[0], alpha=0.45, label="16 % … 84 %", linewidth=0)
    axes.plot(cells, p50, color=paper.ink, marker=mark, markersize=3, label="median")
    _cells_axis(axes, len(cells))
    axes.set_ylabel(unit)
    _legend(axes, paper)
    return _png(figure)


def draw_histogram(
    values: Values, unit: str, given: tuple[float | None, float | None], paper: Paper
) -> bytes:
    """All values with the limits of the dark characterisation, and those of the calibration where it has some."""
    figure, axes = _figure(paper)
    axes.stairs(values.counts, values.edges, color=COLOURS[0], fill=True, alpha=0.8)
    if values.counts.any():
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    for number, limit in enumerate(values.limits):
        if np.isfinite(limit):
            label = "median ± 5 robust sigma" if number == 0 else None
            axes.axvline(limit, color=COLOURS[1], linestyle="--", label=label)
    for number, limit in enumerate(limit for limit in given if limit is not None):
        label = "limits of the calibration" if number == 0 else None
        axes.axvline(limit, color=COLOURS[3], linestyle=":", linewidth=2, label=label)
    outside = values.below + values.above
    if outside:
        text = f"{values.below} values further left, {values.above} further right"
        axes.set_title(text, fontsize=9, color=paper.ink)
    axes.set_xlabel(unit)
    axes.set_ylabel("values")
    _legend(axes, paper)
    return _png(figure)


def draw_flag_trend(flags: Flags, paper: Paper) -> bytes:
    """Share of bad pixels for each cell: any bit, and the most frequent bits."""
    figure, axes = _figure(paper)
    cells = np.arange(len(flags.bad))
    axes.plot(cells, 100 * flags.bad, color=paper.ink, linewidth=2.5, label="any bit")
    often = sorted(flags.by_bit, key=lambda bit: -float(flags.by_bit[bit].mean()))[: len(COLOURS)]
    for number, bit in enumerate(often):
        axes.plot(
            cells,
            100 * flags.by_bit[bit],
            color=COLOURS[number],
            marker=MARKS[number],
            markevery=max(1, len(cells) // 12),
            markersize=4,
            label=bit_name(bit),
        )
    _cells_axis(axes, len(cells))
    axes.set_ylabel("bad pixels / %")
    # Room for the legend above the lines.
    axes.set_ylim(0, 100 * (1.2 + 0.12 * len(often)) * max(float(flags.bad.max()), 1e-4))
    _legend(axes, paper)
    return _png(figure)


def draw_flag_counts(flags: Flags, paper: Paper) -> bytes:
    """How often each bit is set."""
    bits = sorted(flags.by_bit, reverse=True)
    figure, axes = _figure(paper, max(2.2, 0.9 + 0.36 * len(bits)))
    shares = [100 * float(flags.by_bit[bit].mean()) for bit in bits]
    axes.barh([bit_name(bit) for bit in bits], shares, color=COLOURS[0])
    for row, share in enumerate(shares):
        axes.annotate(f" {share:.3g} %", (share, row), va="center", fontsize=8, color=paper.ink)
    axes.set_xlim(0, 1.2 * max(shares, default=1.0))
    axes.set_xlabel("pixels and cells with this bit / %")
    axes.tick_params(axis="y", labelsize=8)
    if not bits:
        axes.set_title("no bit is set: all pixels are good", fontsize=9, color=paper.ink)
    return _png(figure)


def draw_history(timeline: Timeline, unit: str, paper: Paper) -> bytes:
    """Each version at its begin: median, and the middle two thirds as a bar."""
    figure, axes = _figure(paper)
    spreads, chosen = timeline.spreads, timeline.chosen
    middle = np.array([spread.middle for spread in spreads])
    reach = [[s.middle - s.low for s in spreads], [s.high - s.middle for s in spreads]]
    x = np.array(timeline.begins_ms) / MS_PER_DAY  # the unit of matplotlib's dates
    axes.errorbar(x, middle, yerr=reach, color=COLOURS[0], marker="o", markersize=4, capsize=3, linewidth=1)
    if chosen is not None:
        axes.plot(
            x[chosen], middle[chosen], "D", color=COLOURS[1], markersize=9, fillstyle="none",
            markeredgewidth=2, label="this version", zorder=5,
        )  # fmt: skip
        _legend(axes, paper)
    _dates_axis(axes, x)
    if timeline.unreadable:
        axes.set_title(f"{timeline.unreadable} more cannot be read", fontsize=9, color=paper.ink)
    axes.set_ylabel(unit)
    return _png(figure)


def _figure(paper: Paper, height: float | None = None) -> tuple[Figure, Axes]:
    if height is None:
        height = 2.0 + 0.22 * paper.width
    figure = Figure(
        figsize=(paper.width, height),
        dpi=DPI,
        layout="constrained",
        facecolor=paper.card,
    )
    axes = figure.add_subplot(facecolor=paper.card)
    axes.tick_params(colors=paper.ink, which="both")
    axes.xaxis.label.set_color(paper.ink)
    axes.yaxis.label.set_color(paper.ink)
    for spine in axes.spines.values():
        spine.set_edgecolor(paper.line)
    return figure, axes


def _cells_axis(axes: Axes, count: int) -> None:
    axes.set_xlabel("memory cell")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(-0.5, count - 0.5)
    axes.grid(alpha=0.25)


def _dates_axis(axes: Axes, days: NDArray[np.float64]) -> None:
    locator = dates.AutoDateLocator(tz=BERLIN, minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = dates.ConciseDateFormatter(locator, tz=BERLIN)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.get_offset_text().set_color(axes.xaxis.label.get_color())
    if len(days) == 1:
        axes.set_xlim(days[0] - 0.5, days[0] + 0.5)
    axes.set_xlabel("begin, Berlin")
    axes.grid(alpha=0.25)


def _legend(axes: Axes, paper: Paper) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, facecolor=paper.card, edgecolor=paper.line, labelcolor=paper.ink)


def _png(figure: Figure) -> bytes:
    target = io.BytesIO()
    FigureCanvasAgg(figure).print_png(target, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return target.getvalue()
