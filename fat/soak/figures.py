"""Figures of a soak: rates, latency and memory over time, losses by reason, faults below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fat.soak.ledger import Ledger
from fat.soak.script import Strike
from fat.soak.verdict import Sample

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""After Okabe and Ito: told apart by everyone."""


def over_time(samples: Sequence[Sample], script: Sequence[Strike]) -> bytes:
    """Four rows with one time axis: rate, latency, memory, faults."""
    figure = Figure(figsize=(10, 10), layout="constrained")
    rate, latency, memory, faults = figure.subplots(
        4, 1, sharex=True, gridspec_kw={"height_ratios": [2, 2, 2, 3.4]}
    )
    at = [sample.at_s for sample in samples]
    rate.plot(at, [s.trains_per_s for s in samples], color=COLOURS[0])
    rate.set_ylabel("trains out / s")
    latency.plot(at, [s.p50_ms for s in samples], color=COLOURS[0], label="p50")
    latency.plot(at, [s.p99_ms for s in samples], color=COLOURS[1], label="p99")
    latency.set_ylabel("latency / ms")
    latency.legend(frameon=False, ncols=2)
    names = sorted({name for sample in samples for name in sample.memory_mb})
    for number, name in enumerate(names):
        values = [sample.memory_mb.get(name, float("nan")) for sample in samples]
        memory.plot(at, values, color=COLOURS[number % len(COLOURS)], label=name)
    memory.set_ylabel("memory (PSS) / MB")
    memory.legend(frameon=False, ncols=4, fontsize=8)
    _draw_faults(faults, script, at[-1] if at else 0)
    faults.set_xlabel("seconds")
    for axes in (rate, latency, memory):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    return _png(figure)


def _draw_faults(axes: Axes, script: Sequence[Strike], end_s: float) -> None:
    names = sorted({strike.fault for strike in script})
    struck = [strike for strike in script if strike.at_s <= end_s]
    axes.scatter(
        [strike.at_s for strike in struck],
        [names.index(strike.fault) for strike in struck],
        s=[10 + 8 * strike.times for strike in struck],
        marker="v",
        color=COLOURS[1],
        linewidths=0,
    )
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_ylim(-0.7, max(0.7, len(names) - 0.3))
    axes.grid(axis="x", alpha=0.3)


def losses(ledger: Ledger) -> bytes:
    """Lost module trains by reason."""
    reasons = {**ledger.acquisition.reasons, **ledger.correction.reasons, "no reason": ledger.unexplained}
    figure = Figure(figsize=(7, 0.8 + 0.45 * len(reasons)), layout="constrained")
    axes = figure.subplots()
    colours = [COLOURS[1] if name == "no reason" else COLOURS[0] for name in reasons]
    bars = axes.barh(list(reasons), list(reasons.values()), color=colours)
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("module trains")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    room = io.BytesIO()
    figure.savefig(room, format="png", dpi=110, metadata={"Software": None})
    return room.getvalue()
