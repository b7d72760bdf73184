"""A panel of a chart on a page of a PDF: lines and letters, as in the HTML page."""

from __future__ import annotations

from fat.report.chart import RGB, Panel, Tone
from fat.report.panel import WIDE, Dots, Stroke, Word, laid_out
from fat.report.pdf_pages import FAMILY, MM_OF_POINT, Pages

PALE = 0.22
"""How much of its colour an area has."""


def height_mm(panel: Panel, wide: float) -> float:
    """Of a panel that is *wide* mm wide."""
    return laid_out(panel).high * wide / WIDE


def draw_panel(page: Pages, panel: Panel, left: float, top: float, wide: float) -> None:
    """Draw it at a place, all in mm."""
    scale = wide / WIDE
    for mark in laid_out(panel).marks:
        match mark:
            case Stroke():
                _stroke(page, mark, left, top, scale)
            case Dots():
                page.set_fill_color(*RGB[mark.tone])
                for x, y in mark.points.tolist():
                    page.circle(left + x * scale, top + y * scale, mark.radius * scale, style="F")
            case Word():
                _word(page, mark, left, top, scale)
    page.set_dash_pattern()


def _stroke(page: Pages, mark: Stroke, left: float, top: float, scale: float) -> None:
    points = [(left + x * scale, top + y * scale) for x, y in mark.points.tolist()]
    if len(points) < 2:
        return
    if mark.filled:
        page.set_fill_color(*_pale(mark.tone))
        page.polyline(points, polygon=True, style="F")
        return
    page.set_draw_color(*RGB[mark.tone])
    page.set_line_width(mark.width * scale)
    page.set_dash_pattern(*((1.2, 0.8) if mark.dashed else (0, 0)))
    page.polyline(points)


def _word(page: Pages, mark: Word, left: float, top: float, scale: float) -> None:
    size = mark.size * scale / MM_OF_POINT
    width = page.width_of(mark.text, size, bold=mark.bold)
    back = {"start": 0.0, "middle": width / 2, "end": width}[mark.anchor]
    x, y = left + mark.x * scale, top + mark.y * scale
    page.set_font(FAMILY, "B" if mark.bold else "", size)
    page.set_text_color(*RGB[mark.tone])
    if mark.turned:
        with page.rotation(90, x, y):
            page.text(x - back, y, mark.text)
    else:
        page.text(x - back, y, mark.text)


def _pale(tone: Tone) -> tuple[int, int, int]:
    red, green, blue = (round(255 - PALE * (255 - part)) for part in RGB[tone])
    return red, green, blue
