"""The picture of slow monitoring: dark rates and high voltages of all photomultipliers against temperature."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fat.degg.analyses.dark_rate import limits_at

GREY, BLUE, ORANGE, GREEN = "#7a8794", "#0072b2", "#d55e00", "#009e73"
MARKS: Final = (("o", BLUE), ("s", ORANGE), ("^", GREEN))
"""Shapes beside colours: those who alarm are told apart by either."""
MARGIN_C: Final = 1.5
DPI: Final = 130


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What scans of monitoring found of one photomultiplier, in the order of time."""

    name: str
    celsius: NDArray[np.float64]
    """(n) of the box."""
    rate_hz: NDArray[np.float64]
    """(n)"""
    volts: NDArray[np.float64]
    """(n) of a gain of 1e7."""

    @property
    def alarming(self) -> bool:
        """Whether any rate was above its alarm."""
        return any(
            rate > limits_at(celsius, "fir")[1]
            for celsius, rate in zip(self.celsius, self.rate_hz, strict=True)
        )


def slow_monitoring(tracks: Sequence[Track]) -> bytes:
    """A PNG: rates with their alarm on the left, the change of high voltages since the first scan on the right."""
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    rates, volts = figure.subplots(1, 2)
    marks = dict(zip((track.name for track in tracks if track.alarming), MARKS, strict=False))
    for track in sorted(tracks, key=lambda one: one.name in marks):
        _draw(rates, track, track.rate_hz, marks)
        _draw(volts, track, 100.0 * (track.volts / track.volts[0] - 1.0), marks)
    _alarm(rates, tracks)
    rates.set_yscale("log")
    rates.set_ylabel("dark rate / Hz")
    rates.set_title(
        f"{len(tracks)} photomultipliers, {sum(t.alarming for t in tracks)} alarm", loc="left", fontsize=9
    )
    volts.set_ylabel("high voltage of a gain of 1e7, change / %")
    volts.set_title("since the first scan", loc="left", fontsize=9)
    for axes in (rates, volts):
        axes.set_xlabel("temperature of the box / °C")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    rates.legend(fontsize=7, frameon=False)
    figure.set_dpi(DPI)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _draw(
    axes: Axes, track: Track, values: NDArray[np.float64], marks: Mapping[str, tuple[str, str]]
) -> None:
    shape, colour = marks.get(track.name, (".", GREY))
    odd = track.name in marks
    axes.plot(
        track.celsius,
        values,
        marker=shape,
        markersize=4 if odd else 2.5,
        linewidth=1.4 if odd else 0.7,
        color=colour,
        alpha=1.0 if odd else 0.6,
        label=track.name if odd else None,
    )


def _alarm(axes: Axes, tracks: Sequence[Track]) -> None:
    seen = np.concatenate([track.celsius for track in tracks])
    celsius = np.linspace(seen.min() - MARGIN_C, seen.max() + MARGIN_C, 200)
    most = [limits_at(float(value), "fir")[1] for value in celsius]
    axes.plot(celsius, most, "--", color="black", linewidth=1.0, label="alarm")
