"""One self-contained page of an acceptance run, from its record and the arrays that its tasks left."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from fat.files import write_bytes_atomically
from fat.limits import Limit
from fat.report import data, figures
from fat.report.drawing import Drawing
from fat.report.matrix import matrix_of

DEMO: Final = "fat.report.demo"
DRAWINGS: Final = {"detector": "fat.detector.figures"}
"""Where the figures of a plan are described, by its name; loaded when they are drawn."""
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
        matrix=matrix_of(record["measurements"]),
        rows=[
            _row(task, measured) for task, measured in record["measurements"] if not measured.get("device")
        ],
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
    room = import_module(DRAWINGS.get(record["plan"], DEMO))
    drawn = [_shown(run_dir, drawing, draw_anew) for drawing in room.drawings(record)]
    spans = _spans(record)
    if spans:
        drawn.append(
            ShownFigure("timing", "Timing", "Wall time of each task.", _data_url(figures.timeline(spans)))
        )
    return drawn


def _shown(run_dir: Path, wanted: Drawing, draw_anew: bool) -> ShownFigure:
    png = None if draw_anew else data.drawn(run_dir, wanted.arrays, wanted.anchor)
    if png is None:
        arrays = data.load(run_dir, wanted.arrays)
        if arrays is None:
            missing = f"The task “{wanted.task}” has not run."
            return ShownFigure(wanted.anchor, wanted.title, wanted.caption, "", missing)
        png = wanted.draw(arrays)
        data.keep_drawn(run_dir, wanted.anchor, png)
    return ShownFigure(wanted.anchor, wanted.title, wanted.caption, _data_url(png))


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
