"""Trends: points of time series that tasks and checks report, for displays. `trends.csv` in the run's folder.

A table for spreadsheets and programs alike, appended and never rewritten; the journal knows nothing of it, and nothing
depends on it. Each point is one write of one line, so that processes may write side by side. A line that a crash tore
is left out by readers; the next writer begins on a line of its own.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import re
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TRENDS_NAME: Final = "trends.csv"
COLUMNS: Final = ("at", "clock_s", "task", "group", "name", "value", "unit", "low", "high")
MOST_BYTES: Final = 64 << 20
"""A file that is larger takes no more points: some 700 000."""
MOST_SERIES: Final = 2000
"""What is shown of one run."""
MOST_TEXT: Final = 80
MOST_VALUE: Final = 1e100
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one series."""

    clock_s: float
    """The run's clock, seconds."""
    task: str
    group: str
    """Series of one group and unit share a picture."""
    name: str
    value: float
    """What is no finite number is a gap."""
    unit: str
    low: float | None = None
    high: float | None = None
    """Where the value should be."""


@dataclass(slots=True)
class Series:
    """The points of one series, in the order in which they were written."""

    group: str
    name: str
    unit: str
    low: float | None = None
    high: float | None = None
    """The limits of the latest point."""
    at: array[float] = field(default_factory=lambda: array("d"))
    """Unix time of each, seconds."""
    clock_s: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    """NaN is a gap."""


def append_point(run_dir: Path, point: Point, at: float | None = None) -> bool:
    """Write a point down. False if it was not: the file is full, or the disk refuses; no task ends by that.

    at  Unix time, seconds; default now
    """
    line = _line(point, time.time() if at is None else at)
    try:
        descriptor = os.open(
            run_dir / TRENDS_NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
    except OSError:
        return False
    with contextlib.closing(os.fdopen(descriptor, "r+b", buffering=0)) as file:
        try:
            size = os.fstat(descriptor).st_size
            if size > MOST_BYTES:
                return False
            if size == 0:
                line = f"{','.join(COLUMNS)}\n" + line
            elif os.pread(descriptor, 1, size - 1) != b"\n":
                line = "\n" + line  # whoever wrote before was torn away in the middle
            content = line.encode()
            return file.write(content) == len(content)
        except OSError:
            return False


def _line(point: Point, at: float) -> str:
    text = io.StringIO()
    words = (_word(point.task), _word(point.group), _word(point.name))
    numbers = [_number(number) for number in (point.value, point.low, point.high)]
    row = (
        f"{at:.3f}", f"{point.clock_s:.6f}", *words, numbers[0], _word(point.unit), numbers[1], numbers[2],
    )  # fmt: skip
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()


def _word(text: str) -> str:
    """One line of MOST_TEXT characters at most."""
    return _BREAKS.sub(" ", text.encode("utf-8", "replace").decode())[:MOST_TEXT]


def _number(value: float | None) -> str:
    return "" if value is None or not abs(value) <= MOST_VALUE else repr(float(value))


def _finite(text: str) -> float:
    number = float(text)
    if not abs(number) <= MOST_VALUE:
        raise ValueError(f"{text} is no finite number")
    return number


class TrendReader:
    """Reads the trends of one run as they grow: each time only what is new."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / TRENDS_NAME
        self._offset = 0
        self.series: dict[tuple[str, str, str], Series] = {}
        """By group, unit and name."""
        self.left_out = 0
        """Lines that could not be read, or that were too many series."""

    @property
    def version(self) -> int:
        """Changes when there is more."""
        return self._offset

    def read(self) -> None:
        """Take up what was added. A file that is missing or unreadable has nothing new."""
        try:
            with self._path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._offset:  # another file, such as one that was restored
                    self._offset, self.left_out = 0, 0
                    self.series.clear()
                if size == self._offset:
                    return
                file.seek(self._offset)
                content = file.read(MOST_BYTES + (1 << 20))
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        first = self._offset == 0
        self._offset += len(whole)
        for line in whole.decode("utf-8", "replace").split("\n")[1 if first else 0 :]:
            if line:
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            (row,) = csv.reader([line])
            at, clock_s, _task, group, name, value, unit, low, high = row
            numbers = _finite(at), _finite(clock_s), math.nan if value == "" else _finite(value)
            bounds = [None if text == "" else _finite(text) for text in (low, high)]
        except (ValueError, csv.Error):
            self.left_out += 1
            return
        key = group[:MOST_TEXT], unit[:MOST_TEXT], name[:MOST_TEXT]
        series = self.series.get(key)
        if series is None:
            if len(self.series) >= MOST_SERIES:
                self.left_out += 1
                return
            series = self.series[key] = Series(key[0], key[2], key[1])
        series.low, series.high = bounds
        for column, number in zip((series.at, series.clock_s, series.values), numbers, strict=True):
            column.append(number)


def shown(series: Series, starts: Sequence[tuple[float, float]] = ()) -> list[tuple[float, float]]:
    """The points of a series as they count: (clock_s, value) by time, each instant once.

    starts  when engines took the run up: (Unix time, the run's clock), both in seconds. What was written before a
            start about times after it was measured again from there, as when a bench is put back for a task that was
            killed; it does not count.
    """
    again = list(starts[1:])
    points = {
        clock_s: value
        for at, clock_s, value in zip(series.at, series.clock_s, series.values, strict=True)
        if not any(at < start_at and clock_s >= start_clock_s for start_at, start_clock_s in again)
    }
    return sorted(points.items())


def as_csv(all_series: Iterable[Series], starts: Sequence[tuple[float, float]] = ()) -> Iterator[str]:
    """The trends that count as a table, row by row, for spreadsheets."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("group", "name", "unit", "clock_s", "value", "low", "high"))
    for series in all_series:
        words = [f"'{w}" if w.startswith(("=", "+", "-", "@")) else w for w in _words(series)]
        bounds = (_number(series.low), _number(series.high))
        for clock_s, value in shown(series, starts):
            table.writerow((*words, f"{clock_s:.6f}", _number(value), *bounds))
            if text.tell() > 1 << 16:
                yield _drained(text)
    yield _drained(text)


def _words(series: Series) -> tuple[str, str, str]:
    return series.group, series.name, series.unit


def _drained(text: io.StringIO) -> str:
    content = text.getvalue()
    text.seek(0)
    text.truncate()
    return content
