"""A document as PDF, for printing and for archives.

By fpdf2: it is Python alone, so it needs no library of the system and no browser (decision 198). Letters are those of
DejaVu, which come with matplotlib.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import matplotlib
from fpdf import FPDF, XPos, YPos
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from fat.report.document import MARKS, Cell, Document, Picture, Section, Table, Text

FAMILY: Final = "DejaVu"
COLOURS: Final = {
    "PASS": (0, 112, 90),
    "FAIL": (179, 65, 11),
    "ERROR": (143, 58, 127),
    "ABORTED": (122, 106, 0),
}
INK: Final = (29, 39, 49)
QUIET: Final = (93, 107, 120)
LINE: Final = (214, 220, 226)
MARGIN_MM: Final = 15.0
WIDE: Final = 7
"""A table with more columns is set smaller."""
MOST_PER_PAGE_MM: Final = 240.0
MOST_CHARACTERS: Final = 400
"""Of one cell."""


def as_pdf(document: Document, now: datetime | None = None) -> bytes:
    """The document on pages of A4."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of every table of a font
    page = _Pages(document.kicker)
    page.set_creation_date(now or datetime.now(UTC))
    page.set_title(f"{document.kicker}: {document.verdict}")
    page.set_lang("en")
    page.add_page()
    _banner(page, document)
    for section in document.sections:
        _section(page, section)
    page.quiet(document.written)
    return bytes(page.output())


class _Pages(FPDF):
    """Pages with a foot: what this is, and the number of the page."""

    def __init__(self, foot: str) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._foot = foot
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self.add_font(FAMILY, "", fonts / "DejaVuSans.ttf")
        self.add_font(FAMILY, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, MARGIN_MM + 3)

    def footer(self) -> None:
        """At the foot of each page."""
        self.set_y(-12)
        self.write_line(self._foot, 7, colour=QUIET)
        self.set_y(-12)
        self.set_font(FAMILY, "", 7)
        self.cell(0, 4, f"{self.page_no()} / {{nb}}", align="R")

    def write_line(
        self, text: str, size: float, *, bold: bool = False, colour: tuple[int, int, int] = INK
    ) -> None:
        """A paragraph over the width of the page."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def quiet(self, text: str) -> None:
        """A small paragraph."""
        self.write_line(text, 7.5, colour=QUIET)


def _banner(page: _Pages, document: Document) -> None:
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
        page.set_font(FAMILY, "", 8)
        page.set_text_color(*QUIET)
        page.cell(38, 4.4, label)
        page.set_text_color(*INK)
        page.multi_cell(0, 4.4, text or "–", new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    page.rect(MARGIN_MM, top, 1.8, page.get_y() - top, style="F")
    page.set_left_margin(MARGIN_MM)
    page.set_x(MARGIN_MM)
    page.ln(3)


def _section(page: _Pages, section: Section) -> None:
    first = section.parts[0] if section.parts else None
    if page.will_page_break(30 + (_height(page, first)[1] if isinstance(first, Picture) else 0)):
        page.add_page()
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
            case Picture():
                _picture(page, part)


def _text(page: _Pages, text: Text) -> None:
    for line in text.lines:
        page.write_line(f"•  {line}" if text.points else line, 9, colour=COLOURS.get(text.verdict, INK))
        page.ln(1)


def _table(page: _Pages, table: Table) -> None:
    if not table.rows:
        page.quiet(table.empty)
        return
    size = 6.5 if len(table.head) > WIDE else 7.5
    page.set_font(FAMILY, "", size)
    page.set_draw_color(*LINE)
    page.set_fill_color(255, 255, 255)
    page.set_text_color(*INK)
    head = FontFace(emphasis="BOLD", color=QUIET, size_pt=size - 0.5)
    widths: Sequence[float] = table.widths or [1.0] * len(table.head)
    with page.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=tuple(widths),
        headings_style=head,
        line_height=size * 0.52,
        padding=0.8,
        text_align="LEFT",
    ) as made:
        row = made.row()
        for name in table.head:
            row.cell(_breakable(_cut(name)))
        for cells in table.rows:
            row = made.row()
            for place, cell in enumerate(cells):
                row.cell(_shown(cell), style=_style(cell, size, first=place == 0))
    page.ln(3)


def _shown(cell: Cell) -> str:
    text = f"{_cut(cell.marked)}\n{_cut(cell.note)}" if cell.note else _cut(cell.marked)
    return _breakable(text)


def _cut(text: str) -> str:
    """A row must fit on a page."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _breakable(text: str) -> str:
    """Long names may be broken after their hyphens and dots."""
    return (
        "".join(f"{letter}\u200b" if letter in "-_/." else letter for letter in text)
        if len(text) > 18
        else text
    )


def _style(cell: Cell, size: float, *, first: bool) -> FontFace:
    loud = cell.verdict in ("FAIL", "ERROR")
    colour = COLOURS.get(cell.verdict, INK)
    return FontFace(emphasis="BOLD" if loud or first else None, color=colour, size_pt=size)


def _height(page: _Pages, picture: Picture) -> tuple[float, float]:
    """How wide and how high a picture is on the page, mm. A PNG begins with its size in pixels."""
    width, height = struct.unpack(">II", picture.png[16:24])
    wide = page.epw
    high = wide * height / width
    return (wide, high) if high <= MOST_PER_PAGE_MM else (wide * MOST_PER_PAGE_MM / high, MOST_PER_PAGE_MM)


def _picture(page: _Pages, picture: Picture) -> None:
    wide, high = _height(page, picture)
    if page.will_page_break(high + 14):
        page.add_page()
    page.write_line(picture.title, 10, bold=True)
    page.quiet(picture.caption)
    page.ln(1)
    page.image(io.BytesIO(picture.png), w=wide, h=high, alt_text=f"{picture.title}: {picture.caption}")
    page.ln(3)
