"""A document as PDF, for printing and for archives.

By fpdf2: it is Python alone, so it needs no library of the system and no browser (decision 198). Tables and charts are
set here: those of fpdf2 lay every cell out three times (decision 223).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

from fat.report.chart import Chart
from fat.report.document import MARKS, Document, Section, Table, Text
from fat.report.pdf_chart import draw_panel, height_mm
from fat.report.pdf_pages import COLOURS, INK, MARGIN_MM, QUIET, Pages
from fat.report.pdf_table import set_table

COLUMNS: Final = 2
"""Panels beside each other."""
GAP_MM: Final = 6.0
HEAD_MM: Final = 13.0
"""Title and caption of a chart."""


def as_pdf(document: Document, now: datetime | None = None) -> bytes:
    """The document on pages of A4."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of every table of a font
    page = Pages(document.kicker)
    page.set_creation_date(now or datetime.now(UTC))
    page.set_title(f"{document.kicker}: {document.verdict}")
    page.set_lang("en")
    page.add_page()
    _banner(page, document)
    for section in document.sections:
        _section(page, section)
    page.quiet(document.written)
    return bytes(page.output())


def _banner(page: Pages, document: Document) -> None:
    tone = COLOURS.get(document.verdict, QUIET)
    page.set_fill_color(*tone)
    top = page.get_y()
    page.set_left_margin(MARGIN_MM + 5)
    page.set_x(MARGIN_MM + 5)
    page.quiet(document.kicker)
    page.ln(1)
    page.write_line(f"{MARKS.get(document.verdict, '')} {document.title}", 20, bold=True, colour=tone)
    page.ln(1)
    page.write_line(document.summary, 10)
    page.ln(2)
    for label, text in document.facts:
        page.write_fact(label, text or "–")
    page.rect(MARGIN_MM, top, 1.8, page.get_y() - top, style="F")
    page.set_left_margin(MARGIN_MM)
    page.set_x(MARGIN_MM)
    page.ln(3)


def _section(page: Pages, section: Section) -> None:
    first = section.parts[0] if section.parts else None
    page.keep(30 + (_first_row_mm(page, first) if isinstance(first, Chart) else 0))
    page.start_section(section.title)
    page.ln(3)
    page.write_line(section.title, 13, bold=True)
    page.ln(1.5)
    for part in section.parts:
        match part:
            case Table():
                _table(page, part)
            case Text():
                _text(page, part)
            case Chart():
                _chart(page, part)


def _text(page: Pages, text: Text) -> None:
    for line in text.lines:
        page.write_line(f"•  {line}" if text.points else line, 9, colour=COLOURS.get(text.verdict, INK))
        page.ln(1)


def _table(page: Pages, table: Table) -> None:
    if table.fold and table.rows:
        page.quiet(f"{table.fold}: {len(table.rows)} rows, which the page shows.")
    elif table.rows:
        set_table(page, table)
        page.ln(3)
    else:
        page.quiet(table.empty)


def _chart(page: Pages, chart: Chart) -> None:
    page.keep(HEAD_MM + _first_row_mm(page, chart))
    page.write_line(chart.title, 10, bold=True)
    page.quiet(chart.caption)
    page.ln(1)
    wide = _panel_mm(page)
    for start in range(0, len(chart.panels), COLUMNS):
        row = chart.panels[start : start + COLUMNS]
        high = max(height_mm(panel, wide) for panel in row)
        page.keep(high)
        top = page.get_y()
        for place, panel in enumerate(row):
            draw_panel(page, panel, MARGIN_MM + place * (wide + GAP_MM), top, wide)
        page.set_y(top + high + 1)
    page.ln(2)


def _panel_mm(page: Pages) -> float:
    return float(page.epw - GAP_MM * (COLUMNS - 1)) / COLUMNS


def _first_row_mm(page: Pages, chart: Chart) -> float:
    wide = _panel_mm(page)
    return max((height_mm(panel, wide) for panel in chart.panels[:COLUMNS]), default=0.0)
