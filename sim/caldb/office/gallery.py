"""Plots and numbers of constants, kept by file, modification time and what is shown."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from sim.caldb.office.files import Header, Source, Unshowable, is_mask, locate, read_header

MOST_KEPT: Final = 256
MOST_HISTORY: Final = 60
"""Versions in a history: more would not be told apart."""
PLOTS: Final = ("map", "trend", "histogram", "history")
UNITS: Final[Mapping[str, str]] = {
    "Offset": "offset / ADU",
    "Noise": "noise / ADU",
    "ThresholdsDark": "digital level / ADU",
    "SlopesFF": "photon gain / ADU",
    "SlopesPC": "slope / (ADU / step), intercept / ADU",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """What of a constant is shown. Numbers that a file does not have are brought into its range."""

    stage: int = 0
    cell: int | None = None
    """None: all of them, by their median."""
    bit: int | None = None
    """Of a mask; None: any."""

    def query(self) -> str:
        """As a part of an address."""
        pairs = (("stage", self.stage), ("cell", self.cell), ("bit", self.bit))
        return "&".join(f"{name}={value}" for name, value in pairs if value is not None)

    def within(self, header: Header) -> Look:
        """The nearest that this file has."""
        cell = None if self.cell is None else min(self.cell, header.cells - 1)
        bit = self.bit if header.mask and self.bit is not None and self.bit < 32 else None
        return Look(min(self.stage, len(header.stages) - 1), cell, bit)


def read_look(query: Mapping[str, str]) -> Look:
    """A look of an address; what is no number counts as not given."""
    given = {name: _number(query.get(name, "")) for name in ("stage", "cell", "bit")}
    return Look(given["stage"] or 0, given["cell"], given["bit"])


@dataclass(frozen=True, slots=True)
class Subject:
    """A version with what its plots need to know of the catalogue."""

    version: Mapping[str, Any]
    calibration: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]] = ()
    """Versions of the same constant and unit, by their begin."""


class Gallery:
    """Draws in worker threads, one at a time: a large constant takes a core and some hundred megabytes."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def source(self, subject: Subject) -> Source:
        """The file. Raises Unshowable."""
        return locate(self._store, subject.version, subject.calibration["name"])

    def overview(self, subject: Subject, look: Look) -> dict[str, Any]:
        """Header, look and numbers for the page of a version; `trouble` is a sentence where something is wrong."""
        with self._lock:
            try:
                source = self.source(subject)
                header = self._keep(("header", source), lambda: read_header(source))
                look = look.within(header)
                numbers = self._numbers(source, look.stage, mask=header.mask)
            except Unshowable as trouble:
                return {"trouble": str(trouble), "look": look}
        return {"trouble": "", "look": look, "header": header, "numbers": numbers, "stamp": source.stamp}

    def tag(self, subject: Subject, plot: str, look: Look, paper: str) -> str:
        """Changes whenever the picture does."""
        sources: list[object] = [plot, look, paper, subject.version["id"], subject.calibration]
        shown = subject.history if plot == "history" else [subject.version]
        sources += [(v["id"], v["begin_at"], self._stamp(v, subject)) for v in shown]
        return f'"{hash(repr(sources)) & (1 << 64) - 1:016x}"'

    def picture(self, subject: Subject, plot: str, look: Look, paper: str) -> bytes:
        """A PNG. Raises Unshowable."""
        with self._lock:
            if plot == "history":
                return self._history(subject, look.stage, paper)
            source = self.source(subject)
            header = self._keep(("header", source), lambda: read_header(source))
            look = look.within(header)
            key = (plot, source, look, paper)
            return self._keep(key, lambda: self._draw(subject, source, header, look, plot, paper))

    def _numbers(self, source: Source, stage: int, *, mask: bool) -> Any:
        from sim.caldb.office.numbers import flags_of, values_of

        make = flags_of if mask else values_of
        return self._keep(("numbers", source, stage), lambda: make(source, stage))

    def _draw(
        self, subject: Subject, source: Source, header: Header, look: Look, plot: str, paper: str
    ) -> bytes:
        # Drawing is imported late: a bench should be up before its first plot is asked for.
        from sim.caldb.office import figures
        from sim.caldb.office.numbers import map_of

        colours = figures.PAPERS[paper]
        unit = unit_of(subject.calibration["name"])
        numbers = self._numbers(source, look.stage, mask=header.mask)
        if plot == "map":
            plain = look.cell is None and not header.mask
            image = numbers.middle if plain else map_of(source, look.stage, look.cell, look.bit)
            return figures.draw_map(image, unit, header.mask, colours)
        if header.mask:
            draw = figures.draw_flag_trend if plot == "trend" else figures.draw_flag_counts
            return draw(numbers, colours)
        if plot == "trend":
            return figures.draw_trend(numbers, unit, colours)
        given = (subject.calibration["min_value"], subject.calibration["max_value"])
        return figures.draw_histogram(numbers, unit, given, colours)

    def _history(self, subject: Subject, stage: int, paper: str) -> bytes:
        from sim.caldb.office import figures
        from sim.caldb.office.numbers import Timeline, spread_of

        timeline = Timeline()
        for version in subject.history:
            try:
                source = locate(self._store, version, subject.calibration["name"])
                spread = self._keep(("spread", source, stage), partial(spread_of, source, stage))
            except Unshowable:
                # Its own page tells why; here the others are still worth seeing.
                timeline.unreadable += 1
                continue
            if version["id"] == subject.version["id"]:
                timeline.chosen = len(timeline.spreads)
            timeline.begins_ms.append(int(version["begin_at"]))
            timeline.spreads.append(spread)
        unit = unit_of(subject.calibration["name"])
        return figures.draw_history(timeline, unit, figures.PAPERS[paper])

    def _stamp(self, version: Mapping[str, Any], subject: Subject) -> object:
        try:
            return locate(self._store, version, subject.calibration["name"]).stamp
        except Unshowable:
            return None

    def _keep(self, key: Hashable, make: Callable[[], T]) -> T:
        if key in self._kept:
            self._kept.move_to_end(key)
            return cast(T, self._kept[key])
        value = self._kept[key] = make()
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return value


def unit_of(calibration: str) -> str:
    """What stands at the axis of values."""
    if is_mask(calibration):
        return "share of bad pixels"
    return UNITS.get(calibration.removesuffix("10Hz"), calibration)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
