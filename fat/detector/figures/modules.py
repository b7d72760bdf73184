"""Figures of XTDF modules: from the arrays that tasks left to PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from fat.detector.analyses.darks import KINDS
from fat.report.figures import COLOURS, png, value_range

STAGES: Final = ("high", "medium", "low")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p", "d", "8", "H", "+")
KIND_COLOURS: Final = ("#ffffff", "#0072b2", "#d55e00", "#cc79a7", "#555555", "#f0e442")
"""Good; offset; noise; gain level; no data; several kinds. After Okabe and Ito."""
PIXEL_COUNT: Final = 65536


def label_of(kind: str, module: int) -> str:
    """As the module's files name it."""
    return f"{kind}{module:02d}"


def _panels(
    rows: int, columns: int, image: tuple[int, int], extra: float = 0.0
) -> tuple[Figure, NDArray[Any]]:
    """A grid of panels for images of this shape, as wide as the page."""
    width = min(2.6, 9.4 / columns)
    height = width * image[0] / image[1]
    figure = Figure(
        figsize=(max(5.0, width * columns + 1.2), rows * (height + 0.35) + extra), layout="constrained"
    )
    return figure, figure.subplots(rows, columns, squeeze=False)


def _upright(picture: NDArray[Any]) -> NDArray[Any]:
    """The longer side lies along x."""
    return picture.T if picture.shape[0] > picture.shape[1] else picture


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def _each(
    arrays: Mapping[str, Any], kind: str, values: Any, draw: Callable[[Axes, Any], Any], extra: float
) -> tuple[Figure, Any]:
    """A panel for each module; what *draw* returned last."""
    modules = arrays["modules"]
    columns = min(4, len(modules))
    rows = -(-len(modules) // columns)
    figure, grid = _panels(rows, columns, _upright(values[0]).shape, extra)
    drawn = None
    for place, axes in enumerate(grid.flat):
        if place >= len(modules):
            axes.set_axis_off()
            continue
        drawn = draw(axes, _upright(values[place]))
        axes.set_title(label_of(kind, int(modules[place])), fontsize=10)
        _bare(axes)
    return figure, drawn


def noise(arrays: Mapping[str, Any], kind: str) -> bytes:
    """Noise of every module and gain stage; each stage has its own scale."""
    values, modules = arrays["noise"], arrays["modules"]
    stages = values.shape[1]
    names = [f"{name} gain" for name in STAGES] if stages == len(STAGES) else ["all pixels"]
    figure, grid = _panels(len(modules), stages, _upright(values[0, 0]).shape, 0.9)
    for stage in range(stages):
        norm = Normalize(*value_range(values[:, stage]))
        for row, module in enumerate(modules):
            axes = grid[row, stage]
            drawn = axes.imshow(
                _upright(values[row, stage]), cmap="cividis", norm=norm, interpolation="nearest"
            )
            _bare(axes)
            if row == 0:
                axes.set_title(names[stage], fontsize=10)
            if stage == 0:
                axes.set_ylabel(label_of(kind, int(module)), fontsize=9)
        figure.colorbar(
            drawn, ax=list(grid[:, stage]), orientation="horizontal", shrink=0.8, label="noise / ADU"
        )
    return png(figure)


def bad_pixels(arrays: Mapping[str, Any], kind: str) -> bytes:
    """Where bad pixels are, by kind; each is drawn larger than it is, or one in five hundred would not be seen."""
    kinds = arrays["kinds"]
    pictures = np.zeros(kinds.shape, np.uint8)
    several = np.zeros(kinds.shape, np.uint8)
    for number, bit in enumerate(KINDS.values(), start=1):
        flagged = (kinds & np.uint32(bit)) != 0
        several += flagged
        pictures[flagged] = number
    pictures[several > 1] = len(KINDS) + 1
    grown = pictures.copy()
    for axis, step in ((1, 1), (2, 1), (1, -1), (2, -1)):
        moved = np.roll(pictures, step, axis)
        grown = np.where(grown == 0, moved, grown)
    colours = ListedColormap(KIND_COLOURS)
    norm = BoundaryNorm(np.arange(len(KIND_COLOURS) + 1) - 0.5, len(KIND_COLOURS))
    figure, _ = _each(
        arrays,
        kind,
        grown,
        lambda axes, p: axes.imshow(p, cmap=colours, norm=norm, interpolation="nearest"),
        0.7,
    )
    names = [*KINDS, "several kinds"]
    patches = [
        Patch(facecolor=colour, edgecolor="#555555", label=f"{name}: {np.count_nonzero(pictures == number)}")
        for number, (name, colour) in enumerate(zip(names, KIND_COLOURS[1:], strict=True), start=1)
        if np.any(pictures == number)
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return png(figure)


def response(arrays: Mapping[str, Any], kind: str) -> bytes:
    """The flat field of each module over its mean."""
    values = arrays["response"]
    norm = Normalize(*value_range(values))
    figure, drawn = _each(
        arrays,
        kind,
        values,
        lambda axes, p: axes.imshow(p, cmap="viridis", norm=norm, interpolation="nearest"),
        0.9,
    )
    figure.colorbar(
        drawn, ax=figure.axes, orientation="horizontal", shrink=0.6, label="signal over the module's mean"
    )
    return png(figure)


def single_photons(arrays: Mapping[str, Any], kind: str) -> bytes:
    """Histograms of weak light, one line for each module."""
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    modules = arrays["peak_modules"]
    for row, module in enumerate(modules):
        edges, counts = arrays["edges"][row], arrays["counts"][row]
        axes.stairs(
            counts, edges, color=_colour(row, len(modules)), linewidth=1.4, label=label_of(kind, int(module))
        )
    if not len(modules):
        axes.text(0.5, 0.5, "the peaks do not stand apart", ha="center", transform=axes.transAxes)
    else:
        axes.set_yscale("log")
        axes.legend(frameon=False, fontsize=8, ncols=1 + len(modules) // 8)
    axes.set_xlabel("signal above the pedestal / ADU")
    axes.set_ylabel("values")
    return png(figure)


def _colour(number: int, count: int) -> Any:
    """Told apart by everyone where there are few; else along a scale."""
    if count <= len(COLOURS):
        return COLOURS[number]
    from matplotlib import colormaps

    return colormaps["viridis"](0.92 * number / max(1, count - 1))


def linearity(arrays: Mapping[str, Any], kind: str) -> bytes:
    """Photons against light, and the residuals; the colour is the gain stage of most pixels, the shape the module."""
    light, photons, shares = arrays["light"], arrays["photons"], arrays["shares"]
    figure = Figure(figsize=(7.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    modules = arrays["modules"]
    stages = shares.shape[2]
    for row in range(len(photons)):
        most = np.nanargmax(np.nan_to_num(shares[row]), axis=1)
        marker = MARKERS[row % len(MARKERS)]
        for stage in range(stages):
            at = most == stage
            if at.any():
                style = {"color": COLOURS[stage], "marker": marker, "markersize": 5, "linestyle": "none"}
                upper.plot(light[at], photons[row][at], **style)
                lower.plot(light[at], 100 * arrays["residuals"][row][at], **style)
    slope = np.nanmedian(photons / light)
    upper.plot(light, slope * light, color="#8a8a8a", linewidth=1, zorder=0)
    lower.axhline(0, color="#8a8a8a", linewidth=1, zorder=0)
    upper.set(xscale="log", yscale="log", ylabel="photons per pixel and frame")
    lower.set(xlabel="transmission of the attenuator", ylabel="distance / %")
    handles = [
        *(
            _dot(label_of(kind, int(module)), "#333333", MARKERS[row % 16])
            for row, module in enumerate(modules)
        ),
    ]
    if stages > 1:
        handles += [_dot(f"{STAGES[stage]} gain", COLOURS[stage], "") for stage in range(stages)]
    upper.legend(handles=handles, frameon=False, fontsize=8, ncols=1 + len(handles) // 8)
    return png(figure)


def _dot(label: str, colour: str, marker: str) -> Any:
    from matplotlib.lines import Line2D

    if not marker:
        return Patch(facecolor=colour, label=label)
    return Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=5, label=label)


def delivery(arrays: Mapping[str, Any]) -> bytes:
    """How long the trains took."""
    skips = bool(arrays["skips"])
    label = "wall time for a train, made, sent and taken in / ms" if skips else "latency of a train / ms"
    return histogram_of_times(arrays["took_ms"], label, "trains")


def histogram_of_times(times_ms: NDArray[np.float64], label: str, what: str) -> bytes:
    """Times, with median and 99th percentile."""
    figure = Figure(figsize=(7.6, 2.8), layout="constrained")
    axes = figure.subplots()
    if not times_ms.size:
        axes.text(0.5, 0.5, f"no {what} came", ha="center", transform=axes.transAxes)
    else:
        axes.hist(times_ms, bins=min(50, 5 + times_ms.size // 3), color=COLOURS[0], alpha=0.75)
        for q, style in ((50, "-"), (99, "--")):
            at = float(np.percentile(times_ms, q))
            name = "median" if q == 50 else "99 %"
            axes.axvline(at, color=COLOURS[1], linestyle=style, label=f"{name} {at:.3g} ms")
        axes.legend(frameon=False)
    axes.set_xlabel(label)
    axes.set_ylabel(what)
    return png(figure)
