"""A panel as SVG within a page: small, sharp at any size, and in the colours of the reader's scheme."""

from __future__ import annotations

from html import escape

from fat.report.chart import Panel
from fat.report.panel import WIDE, Dots, Points, Stroke, Word, laid_out


def as_svg(panel: Panel) -> str:
    """The element. Its classes are those of `document.html`: `t-` and the tone, `f` filled, `d` dashed."""
    laid = laid_out(panel)
    name = escape(f"{panel.title}: {panel.y_label} against {panel.x_label}", quote=True)
    head = f'<svg viewBox="0 0 {WIDE:.0f} {laid.high:.0f}" role="img" aria-label="{name}">'
    return "".join((head, *(_element(mark) for mark in laid.marks), "</svg>"))


def _element(mark: Stroke | Dots | Word) -> str:
    match mark:
        case Stroke():
            kind = f"t-{mark.tone}{' f' if mark.filled else ''}{' d' if mark.dashed else ''}"
            return f'<polyline class="{kind}" stroke-width="{mark.width:g}" points="{_pairs(mark.points)}"/>'
        case Dots():
            # A line without length has a round end: one element for all dots.
            dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in mark.points.tolist())
            return f'<path class="t-{mark.tone} p" stroke-width="{2 * mark.radius:g}" d="{dots}"/>'
        case Word():
            turn = f' transform="rotate(-90 {mark.x:.1f} {mark.y:.1f})"' if mark.turned else ""
            kind = f"t-{mark.tone} {mark.anchor}{' b' if mark.bold else ''}"
            place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" font-size="{mark.size:g}"'
            return f'<text class="{kind}" {place}{turn}>{escape(mark.text)}</text>'


def _pairs(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist())
