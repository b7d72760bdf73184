"""One self-contained page of an acceptance run, from its record and the arrays that its tasks left."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from fat.files import write_bytes_atomically
from fat.limits import Limit
from fat.report import data, figures

MARKS: Final = {"PASS": "✔", "FAIL": "✘", "ERROR": "!", "ABORTED": "■", "SKIPPED": "–", "UNSET": "·"}


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure of the page, or why there is none."""

    anchor: str
    title: str
    caption: str
    source: str
    """A data URL, or empty."""
    missing: str = ""


def write_report(run_dir: Path, *, draw_anew: bool = True) -> Path:
    """Write `report.html` beside `record.json`; works for a run in any state.

    draw_anew  draw every figure, rather than take one that was drawn from the same arrays before
    """
    record = json.loads((run_dir / "record.json").read_text(encoding="utf-8"))
    pages = Environment(
        loader=PackageLoader("fat.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = pages.get_template("report.html").render(
        record=record,
        marks=MARKS,
        rows=[_row(task, measured) for task, measured in record["measurements"]],
        figures=_figures(run_dir, record, draw_anew),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    path = run_dir / "report.html"
    write_bytes_atomically(path, text.encode())
    return path


def _row(task: str, measured: dict[str, Any]) -> dict[str, Any]:
    limit = None if measured["limit"] is None else Limit(**measured["limit"])
    return {
        **measured,
        "task": task,
        "text": "no number" if measured["value"] is None else f"{measured['value']:.4g}",
        "limit_text": "" if limit is None else str(limit),
        "reason": "" if limit is None else limit.reason,
        "bullet": None if limit is None or measured["value"] is None else _bullet(measured["value"], limit),
    }


def _bullet(value: float, limit: Limit) -> dict[str, float]:
    """Where band and value stand on a bar from 0 to 100."""
    if limit.equals is not None:
        bounds = (limit.equals, limit.equals)
    else:
        least = limit.at_least if limit.at_least is not None else min(0.0, value)
        most = limit.at_most if limit.at_most is not None else max(value, least) * 1.5
        bounds = (least, most)
    span = max(bounds[1], value) - min(bounds[0], value) or abs(value) or 1.0
    low, high = min(bounds[0], value) - 0.15 * span, max(bounds[1], value) + 0.15 * span

    def place(x: float) -> float:
        return round(100 * (x - low) / (high - low), 2)

    start, end = place(bounds[0]), place(bounds[1])
    if end - start < 2:
        start, end = start - 1, end + 1
    return {"start": start, "width": end - start, "value": place(value)}


def _figures(run_dir: Path, record: dict[str, Any], draw_anew: bool) -> list[ShownFigure]:
    def shown(
        anchor: str, title: str, caption: str, name: str, task: str, draw: Callable[[dict[str, Any]], bytes]
    ) -> ShownFigure:
        png = None if draw_anew else data.drawn(run_dir, name, anchor)
        if png is None:
            arrays = data.load(run_dir, name)
            if arrays is None:
                return ShownFigure(anchor, title, caption, "", f"The task “{task}” has not run.")
            png = draw(arrays)
            data.keep_drawn(run_dir, anchor, png)
        return ShownFigure(anchor, title, caption, _data_url(png))

    def by_gain(values: Any) -> dict[str, Any]:
        return {name: values[:, gain] for gain, name in enumerate(figures.names_of(values.shape[1]))}

    detector = str(record["provenance"]["detector"] or "AGIPD1M")
    # The correction of a DSSC knows neither photons nor gain stages.
    stages, unit, near_zero = (
        (1, "ADU", "Values") if "DSSC" in detector else (3, "photons", "High-gain values")
    )

    drawn = [
        shown("light", "Corrected image", f"Mean over all trains and cells of the illuminated run, in {unit}; masked "
              "pixels and gaps grey.", "light", "Illuminated run",
              lambda a: figures.assembled(a["mean_image"], a["modules"], f"{unit} per pixel and frame", detector)),
        shown("histogram", "Corrected values by gain stage", "All good pixels of all frames.", "light",
              "Illuminated run", lambda a: figures.photon_histogram(a["edges"], a["counts"][:stages], unit)),
        shown("photons", "Single photons", f"{near_zero} near zero: none, one, two photons.", "light",
              "Illuminated run", lambda a: figures.single_photons(a["fine_edges"], a["fine_counts"], unit)),
        shown("offset", "Offset", "Dark offset by gain stage, the first memory cell that shows it.", "darks",
              "Characterisation",
              lambda a: figures.gain_maps(a["offset"], a["modules"], "offset / ADU", "viridis", detector)),
        shown("noise", "Noise", "Standard deviation over the dark trains, the same cells.", "darks",
              "Characterisation",
              lambda a: figures.gain_maps(a["noise"], a["modules"], "noise / ADU", "cividis", detector)),
        shown("noise-distribution", "Noise distribution", "Good pixels of all modules, the same cells.", "darks",
              "Characterisation", lambda a: figures.distributions(by_gain(a["noise"]), "noise / ADU")),
        shown("dcu", "Control unit", "Sum of the frames of the series.", "dcu", "Control unit acquisition",
              lambda a: figures.control_unit_sum(a["sum"], a["masked"])),
    ]  # fmt: skip
    spans = _spans(record)
    if spans:
        drawn.append(
            ShownFigure("timing", "Timing", "Wall time of each task.", _data_url(figures.timeline(spans)))
        )
    return drawn


def _spans(record: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    tasks = [t for t in record["tasks"] if t.get("started_at") is not None and t.get("wall_s") is not None]
    if not tasks:
        return []
    zero = min(t["started_at"] for t in tasks)
    return [
        (t["title"], t["started_at"] - zero, t["started_at"] - zero + t["wall_s"], t["verdict"])
        for t in tasks
    ]


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
