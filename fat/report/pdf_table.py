"""A table on pages of a PDF: its head stands again on each of them, and no row is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fat.report.document import Cell, Table
from fat.report.pdf_pages import COLOURS, FAMILY, INK, LINE, MARGIN_MM, MM_OF_POINT, QUIET, Pages

WIDE: Final = 7
"""A table with more columns is set smaller."""
MOST_CHARACTERS: Final = 400
"""Of one cell: a row must fit on a page."""
PADDING_MM: Final = 0.8
NOTE: Final = 0.86
"""Size of a note against that of its text."""
PIECES: Final = re.compile(r"[^\s\-_/.]*[\-_/.]+|[^\s\-_/.]+|\s+")
"""Words, which may be broken after their hyphens and dots."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float
    bold: bool
    colour: tuple[int, int, int]


def set_table(page: Pages, table: Table) -> None:
    """Set it below what is there."""
    size = 6.5 if len(table.head) > WIDE else 7.5
    relative = table.widths or (1.0,) * len(table.head)
    widths = [page.epw * part / sum(relative) for part in relative]
    head = [
        list(_broken(page, _cut(name), size - 0.5, True, QUIET, width))
        for name, width in zip(table.head, widths, strict=True)
    ]
    page.keep(_high(head) + 3 * size * MM_OF_POINT)
    _row(page, head, widths, [False] * len(widths))
    for cells in table.rows:
        lines = [
            _lines(page, cell, size, width, first=place == 0)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        if page.keep(_high(lines)):
            _row(page, head, widths, [False] * len(widths))
        _row(page, lines, widths, [cell.number for cell in cells])


def _row(
    page: Pages, cells: Sequence[Sequence[_Line]], widths: Sequence[float], right: Sequence[bool]
) -> None:
    left, top, high = MARGIN_MM, page.get_y(), _high(cells)
    for lines, width, at_end in zip(cells, widths, right, strict=True):
        base = top + PADDING_MM
        for line in lines:
            base += _leading(line)
            page.set_font(FAMILY, "B" if line.bold else "", line.size)
            page.set_text_color(*line.colour)
            inset = (
                width - PADDING_MM - page.width_of(line.text, line.size, bold=line.bold)
                if at_end
                else PADDING_MM
            )
            page.set_font(FAMILY, "B" if line.bold else "", line.size)
            page.text(left + inset, base - 0.25 * _leading(line), line.text)
        left += width
    page.set_draw_color(*LINE)
    page.set_line_width(0.15)
    page.line(MARGIN_MM, top + high, left, top + high)
    page.set_y(top + high)


def _lines(page: Pages, cell: Cell, size: float, width: float, *, first: bool) -> list[_Line]:
    colour = COLOURS.get(cell.verdict, INK)
    bold = first or cell.verdict in ("FAIL", "ERROR")
    lines = list(_broken(page, _cut(cell.marked), size, bold, colour, width))
    return [*lines, *_broken(page, _cut(cell.note), size * NOTE, False, QUIET, width)]


def _broken(
    page: Pages, text: str, size: float, bold: bool, colour: tuple[int, int, int], width: float
) -> Iterator[_Line]:
    """A text as lines that fit."""
    room = width - 2 * PADDING_MM
    line, used = "", 0.0
    for piece in _pieces(page, text, size, bold, room):
        wide = page.width_of(piece, size, bold=bold)
        if line and used + wide > room and not piece.isspace():
            yield _Line(line.rstrip(), size, bold, colour)
            line, used = "", 0.0
        if line or not piece.isspace():
            line, used = line + piece, used + wide
    if line:
        yield _Line(line.rstrip(), size, bold, colour)


def _pieces(page: Pages, text: str, size: float, bold: bool, room: float) -> Iterator[str]:
    """What may stand on a line of its own; a word that is too long comes letter by letter."""
    for piece in PIECES.findall(text):
        if page.width_of(piece, size, bold=bold) > room:
            yield from piece
        else:
            yield piece


def _high(cells: Sequence[Sequence[_Line]]) -> float:
    return max((sum(_leading(line) for line in lines) for lines in cells), default=0.0) + 2 * PADDING_MM


def _leading(line: _Line) -> float:
    return line.size * MM_OF_POINT * 1.3


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"
