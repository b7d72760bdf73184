"""Pages of A4 with the letters and colours of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib
from fpdf import FPDF, XPos, YPos

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
MM_OF_POINT: Final = 25.4 / 72
_MEASURED_PT: Final = 100.0
"""Widths grow with the size: words are measured at this one."""


class Pages(FPDF):
    """Pages with a foot: what this is, and the number of the page. Letters are those of DejaVu, of matplotlib."""

    def __init__(self, foot: str) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._foot = foot
        self._widths: dict[tuple[str, bool], float] = {}
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

    def keep(self, high: float) -> bool:
        """Begin a new page unless so many mm are left on this one; whether one was begun."""
        breaks = bool(self.will_page_break(high))
        if breaks:
            self.add_page()
        return breaks

    def write_line(
        self, text: str, size: float, *, bold: bool = False, colour: tuple[int, int, int] = INK
    ) -> None:
        """A paragraph over the width of the page."""
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def write_fact(self, label: str, text: str) -> None:
        """A line of the banner."""
        self.set_font(FAMILY, "", 8)
        self.set_text_color(*QUIET)
        self.cell(38, 4.4, label)
        self.set_text_color(*INK)
        self.multi_cell(0, 4.4, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")

    def quiet(self, text: str) -> None:
        """A small paragraph."""
        self.write_line(text, 7.5, colour=QUIET)

    def width_of(self, word: str, size: float, *, bold: bool = False) -> float:
        """Of a word at a size in points, mm. The same words come again and again: each is measured once."""
        known = self._widths.get((word, bold))
        if known is None:
            self.set_font(FAMILY, "B" if bold else "", _MEASURED_PT)
            known = self._widths[word, bold] = self.get_string_width(word)
        return known * size / _MEASURED_PT
