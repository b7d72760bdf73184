"""Figures of the report: from arrays to PNG. Colour maps are perceptually uniform; every axis has its unit."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fat.report.geometry import assemble

GAINS: Final = ("high", "medium", "low")
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73")
"""After Okabe and Ito: told apart by everyone."""
DPI: Final = 110


def png(figure: Figure) -> bytes:
    """The picture of a figure."""
    # Not by savefig, which draws everything twice.
    figure.set_dpi(DPI)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def value_range(values: NDArray[Any]) -> tuple[float, float]:
    """What a scale of colours should span: most of the values, whatever single ones are."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, (1, 99))
    return float(low), float(max(high, low + 1e-6))


def names_of(stages: int) -> tuple[str, ...]:
    """What gain stages are called in figures; the one of a detector without stages is all its pixels."""
    return tuple(f"{gain} gain" for gain in GAINS) if stages == len(GAINS) else ("all pixels",)


def gain_maps(
    maps: NDArray[Any], modules: Sequence[int], label: str, colours: str, detector: str = "AGIPD1M"
) -> bytes:
    """Assembled maps, one for each gain stage.

    maps  (modules, stages, slow, fast), NaN where there is no value
    """
    names = names_of(maps.shape[1])
    figure = Figure(figsize=(4 * len(names), 4.6), layout="constrained")
    for gain, axes in enumerate(figure.subplots(1, len(names), squeeze=False)[0]):
        picture = assemble({module: maps[row, gain] for row, module in enumerate(modules)}, detector)
        low, high = value_range(picture)
        image = axes.imshow(picture, cmap=colours, norm=Normalize(low, high), interpolation="nearest")
        axes.set_title(names[gain], fontsize=11)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.85, label=label)
    return png(figure)


def distributions(values: Mapping[str, NDArray[Any]], label: str) -> bytes:
    """Histograms of one quantity for each gain stage, over good pixels."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for (name, of_stage), colour in zip(values.items(), COLOURS, strict=False):
        finite = of_stage[np.isfinite(of_stage)]
        if finite.size:
            low, high = np.percentile(finite, (0.1, 99.9))
            axes.hist(
                finite, bins=120, range=(low, max(high, low + 1e-6)), histtype="step", linewidth=1.6,
                color=colour, label=f"{name}, median {np.median(finite):.4g}",
            )  # fmt: skip
    axes.set_xlabel(label)
    axes.set_ylabel("pixels")
    axes.set_yscale("log")
    axes.legend(frameon=False)
    return png(figure)


def assembled(image: NDArray[Any], modules: Sequence[int], label: str, detector: str = "AGIPD1M") -> bytes:
    """The assembled mean corrected image on a logarithmic scale.

    image  (modules, slow, fast) photons or ADU, NaN where masked
    """
    picture = assemble({module: image[row] for row, module in enumerate(modules)}, detector)
    positive = picture[np.isfinite(picture) & (picture > 0)]
    high = float(np.percentile(positive, 99.95)) if positive.size else 1.0
    low = min(0.1, high / 10)
    figure = Figure(figsize=(9.0, 9.6), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(
        np.clip(picture, low, None), cmap="magma", norm=LogNorm(low, high), interpolation="nearest"
    )
    axes.set_xlabel("x / pixel")
    axes.set_ylabel("y / pixel")
    axes.set_facecolor("#d8dde2")
    figure.colorbar(shown, ax=axes, shrink=0.7, label=label)
    return png(figure)


def photon_histogram(edges: NDArray[Any], counts: NDArray[Any], unit: str = "photons") -> bytes:
    """Corrected values by gain stage.

    edges   (n + 1,) of that unit
    counts  (stages, n) pixels, by stage
    """
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, of_stage, colour in zip(names_of(len(counts)), counts, COLOURS, strict=False):
        axes.stairs(of_stage, edges, color=colour, linewidth=1.5, label=name)
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_yscale("log")
    axes.set_xlabel(f"corrected value / {unit}")
    axes.set_ylabel("pixels")
    axes.legend(frameon=False)
    return png(figure)


def single_photons(edges: NDArray[Any], counts: NDArray[Any], unit: str = "photons") -> bytes:
    """Corrected values near zero: the peaks of none, one, two photons."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.stairs(counts, edges, color=COLOURS[0], fill=True, alpha=0.35)
    axes.stairs(counts, edges, color=COLOURS[0], linewidth=1.5)
    axes.set_xlabel(
        f"corrected value in high gain / {unit}" if unit == "photons" else f"corrected value / {unit}"
    )
    axes.set_ylabel("pixels")
    axes.set_yscale("log")
    return png(figure)


def control_unit_sum(image: NDArray[Any], masked: NDArray[np.bool_]) -> bytes:
    """The summed frames of the control unit, masked pixels grey."""
    shown = np.where(masked, np.nan, image)
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.subplots()
    low, high = value_range(shown)
    drawn = axes.imshow(shown, cmap="viridis", norm=Normalize(low, high), interpolation="nearest")
    axes.set_facecolor("#d8dde2")
    axes.set_xlabel("x / pixel")
    axes.set_ylabel("y / pixel")
    figure.colorbar(drawn, ax=axes, label="counts", shrink=0.85)
    return png(figure)


def timeline(tasks: Sequence[tuple[str, float, float, str]]) -> bytes:
    """When each task ran, wall time.

    tasks  title, begin and end in seconds since the first begin, verdict
    """
    tones = {"PASS": "#00705a", "FAIL": "#b3410b", "ERROR": "#8f3a7f"}
    figure = Figure(figsize=(8.6, 0.34 * len(tasks) + 0.9), layout="constrained")
    axes = figure.subplots()
    for row, (_, begin, end, verdict) in enumerate(tasks):
        axes.barh(row, max(end - begin, 0.05), left=begin, height=0.6, color=tones.get(verdict, "#5d6b78"))
        axes.annotate(
            f"{end - begin:.1f} s",
            (end, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(tasks)), [title for title, _, _, _ in tasks], fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("wall time / s")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return png(figure)
