"""A report as values: what stands in it, in order. HTML and PDF are made from the same document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fat.report.chart import Chart

MARKS: Final = {"PASS": "✔", "FAIL": "✘", "ERROR": "!", "ABORTED": "■", "SKIPPED": "–", "UNSET": "·"}
"""A shape for each verdict: nobody needs its colour."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    verdict: str = ""
    """Of this cell alone; its shape comes before the text."""
    note: str = ""
    """Small, below the text."""
    number: bool = False
    """Aligned at its end."""
    link: str = ""
    """A file beside the report."""

    @property
    def marked(self) -> str:
        """The text with its verdict's shape."""
        return f"{MARKS[self.verdict]} {self.text}" if self.verdict in MARKS else self.text


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column names the rows."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...] = ()
    """Relative widths of the columns; equal ones by default."""
    empty: str = "Nothing yet."
    """What stands there without rows."""
    fold: str = ""
    """What it is, for a long table that only some want to read: a page shows it on request, a PDF leaves it out."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, or the points of a list."""

    lines: tuple[str, ...]
    points: bool = False
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what belongs to it."""

    anchor: str
    """Letters, digits and `-`; unique in the document."""
    title: str
    parts: tuple[Table | Text | Chart, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    kicker: str
    """Above the title: what this is about."""
    verdict: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...] = ()
    written: str = ""
    """When, and from what."""
    links: Sequence[tuple[str, str]] = field(default=())
    """Other files: name and path beside this one."""
