"""The list of versions as CSV that a spreadsheet opens without doing what a cell says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sim.caldb.times import format_time

HEADINGS: Final = (
    "Name",
    "File name",
    "Calibration constant",
    "Physical device",
    "Start date",
    "Start idx",
    "End idx",
    "Raw data location",
    "Deployed",
    "Good quality",
)
DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Beginnings that spreadsheets take for a formula, or skip before one."""


def neutral(cell: str) -> str:
    """A text that a spreadsheet shows and does not calculate: an apostrophe stands before what could be a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(DANGEROUS) else cell


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The file, line by line, with its headings."""
    yield _line(HEADINGS)
    for row in rows:
        texts = (row["name"], row["file_name"], row["constant"], row["device"])
        numbers = (row["start_idx"], row["end_idx"])
        flags = (row["flg_deployed"], row["flg_good_quality"])
        yield _line(
            [
                *(neutral(text or "") for text in texts),
                format_time(row["begin_at"]),
                *("" if number is None else number for number in numbers),
                neutral(row["raw_data_location"] or ""),
                *("yes" if flag else "no" for flag in flags),
            ]
        )


def _line(cells: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
