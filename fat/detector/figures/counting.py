"""Figures of a control unit's detector: from the arrays that tasks left to PNG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from fat.detector.figures.modules import histogram_of_times
from fat.report.figures import COLOURS, png, value_range

MARKERS = ("o", "s", "^")


def flat(arrays: Mapping[str, Any]) -> bytes:
    """The flat field as the unit corrects it, and its mask."""
    relative, mask = arrays["relative"], arrays["mask"]
    figure = Figure(figsize=(9.4, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    norm = Normalize(*value_range(relative))
    drawn = left.imshow(relative, cmap="viridis", norm=norm, interpolation="nearest")
    figure.colorbar(drawn, ax=left, shrink=0.8, label="counts over their mean")
    rows, columns = np.nonzero(mask == 1)
    right.imshow(np.where(np.isnan(mask), 1.0, 0.0), cmap=ListedColormap(["#ffffff", "#c9d0d6"]))
    right.plot(columns, rows, "s", color=COLOURS[1], markersize=3, label=f"masked: {len(rows)}")
    right.legend(frameon=True, fontsize=8, loc="upper right")
    for axes in (left, right):
        axes.set_xlabel("x / pixel")
    left.set_ylabel("y / pixel")
    return png(figure)


def thresholds(arrays: Mapping[str, Any]) -> bytes:
    """Counts against the threshold, with the curve that was fitted."""
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    for row, energy in enumerate(arrays["energies"]):
        colour = COLOURS[row % len(COLOURS)]
        shown = (arrays["fine"] >= arrays["shares"].min()) & (arrays["fine"] <= arrays["shares"].max())
        axes.plot(arrays["fine"][shown], arrays["fitted"][row][shown], color=colour, linewidth=1.2)
        axes.plot(
            arrays["shares"], arrays["counts"][row], MARKERS[row % 3], color=colour, markersize=9 - 2 * (row % 3),
            fillstyle="none",
            label=f"{energy / 1000:.3g} keV, edge at {arrays['edges'][row]:.4f}",
        )  # fmt: skip
    axes.set_xlabel("threshold over photon energy")
    axes.set_ylabel("counts per pixel and image")
    axes.legend(frameon=False)
    return png(figure)


def count_rate(arrays: Mapping[str, Any]) -> bytes:
    """Counts that were lost, uncorrected and corrected."""
    rate, dead = arrays["true_hz"] / 1e6, float(arrays["dead_time_s"])
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    curve = np.linspace(0, rate.max(), 200)
    axes.plot(curve, curve, color="#8a8a8a", linewidth=1)
    axes.plot(
        curve, curve * np.exp(-curve * 1e6 * dead), color=COLOURS[1], linewidth=1.2,
        label=f"dead time {1e9 * dead:.0f} ns",
    )  # fmt: skip
    axes.plot(rate, arrays["raw_hz"] / 1e6, "o", color=COLOURS[1], label="uncorrected")
    axes.plot(rate, arrays["corrected_hz"] / 1e6, "s", color=COLOURS[0], label="corrected by the unit")
    axes.set_xlabel("photons each second and pixel / 10⁶")
    axes.set_ylabel("counts / 10⁶")
    axes.legend(frameon=False)
    return png(figure)


def stream(arrays: Mapping[str, Any]) -> bytes:
    """How long the images took."""
    return histogram_of_times(arrays["times_ms"], "wall time from due to taken in / ms", "images")
