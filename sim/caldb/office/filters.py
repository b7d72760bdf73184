"""What a list is narrowed to and how it is sorted: read from a page's address, and written back to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from dataclasses import field as made
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sim.caldb.times import BERLIN, EPOCH

SIZES: Final = (25, 50, 100, 200)
LARGEST_PAGE: Final = 1_000_000
YES_NO: Final = {"yes": True, "no": False}
LARGEST_ID: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Filters:
    """A list's address, read. Texts stay as they were typed, so that a form shows them again."""

    device: str = ""
    calibration: str = ""
    type: str = ""
    since: str = ""
    until: str = ""
    deployed: str = ""
    good: str = ""
    constant: str = ""
    unit: str = ""
    who: str = ""
    table: str = ""
    row: str = ""
    field: str = ""
    sort: str = ""
    order: str = ""
    page: str = ""
    size: str = ""
    wrong: tuple[str, ...] = made(default=(), compare=False)
    """Sentences about what could not be read; such a filter narrows nothing."""

    def query(self, **changes: object) -> str:
        """These filters, changed, as the query of an address; what is empty is left out."""
        texts: dict[str, Any] = {name: str(value) for name, value in changes.items()}
        changed = replace(self, **texts)
        pairs = [(name, getattr(changed, name)) for name in NAMES]
        return urlencode([(name, value) for name, value in pairs if value])

    def id(self, name: str) -> int | None:
        """A filter that holds an id."""
        text = getattr(self, name)
        return int(text) if is_id(text) else None

    def flag(self, name: str) -> bool | None:
        """A filter that holds yes or no."""
        return YES_NO.get(getattr(self, name))

    def since_ms(self) -> int | None:
        """The beginning of the first day, in Berlin."""
        day = _day(self.since)
        return None if day is None else _midnight_ms(day)

    def until_ms(self) -> int | None:
        """The end of the last day, in Berlin; it does not belong to the range."""
        day = _day(self.until)
        return None if day is None else _midnight_ms(day + timedelta(days=1))

    @property
    def number(self) -> int:
        """The page, from 1."""
        return min(int(self.page), LARGEST_PAGE) if is_id(self.page) and int(self.page) > 0 else 1

    @property
    def rows(self) -> int:
        """Rows on a page."""
        return int(self.size) if is_id(self.size) and int(self.size) in SIZES else SIZES[1]

    @property
    def descending(self) -> bool:
        """Whether the largest comes first; without a choice the newest does."""
        return self.order != "up"


NAMES: Final = tuple(f.name for f in fields(Filters) if f.name != "wrong")


def read_filters(query: Mapping[str, str]) -> Filters:
    """Filters of an address; unknown keys are ignored."""
    given = {name: _clean(query[name]) for name in NAMES if _clean(query.get(name, ""))}
    wrong = []
    for name, called in (("since", "from"), ("until", "to")):
        if given.get(name) and _day(given[name]) is None:
            wrong.append(f"“{given[name]}” is no day for “{called}”; write it as 2026-01-31.")
    wrong += [
        f"“{given[name]}” is no number for “{name}”."
        for name in ("calibration", "type", "constant", "unit", "row")
        if name in given and not is_id(given[name])
    ]
    wrong += [
        f"“{given[name]}” is neither yes nor no for “{name}”."
        for name in ("deployed", "good")
        if name in given and given[name] not in YES_NO
    ]
    return Filters(**given, wrong=tuple(wrong))


def _clean(text: str) -> str:
    return "".join(c for c in text[:200] if c.isprintable()).strip()


def is_id(text: str) -> bool:
    """Whether a text is an id; some catalogues have negative ones."""
    text = text.removeprefix("-")
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= LARGEST_ID


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 < day.year < 2200 else None


def _midnight_ms(day: date) -> int:
    at = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    return (at - EPOCH) // timedelta(milliseconds=1)
