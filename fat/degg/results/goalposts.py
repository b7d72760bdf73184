"""Goalposts: limits with a day from which they hold, one TOML for all (`configs/limits/degg.toml`)."""

from __future__ import annotations

import difflib
import functools
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

from fat.configs import configs_folder
from fat.errors import BenchFileRejected, FatError
from fat.limits import Limit
from scheduler.schedule.toml_position import line_of

TYPES: Final = ("min", "max", "equals", "in-range")
LEAST_NAME: Final = 35
"""Letters of a test name at least: they must say of what they speak."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NEEDED: Final = ("testname", "testtype", "testbounds", "valid_date", "unit", "reason")
_KEYS: Final = (*_NEEDED, "temperature_c")


class GoalpostUnknown(FatError):
    """A quantity names a goalpost that there is not."""

    exit_code = 4

    def __init__(self, name: str, known: Sequence[str]) -> None:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
        super().__init__(f"there is no goalpost {name!r}; {hint}")


@dataclass(frozen=True, slots=True)
class Goalpost:
    """One entry of the list."""

    testname: str
    testtype: str
    testbounds: float | tuple[float, float]
    valid_date: date
    unit: str
    reason: str
    temperature_c: tuple[float, float] | None = None
    """For which surroundings it speaks, °C."""

    @property
    def short(self) -> str:
        """The name without its prefix: `hv-at-1e7-gain`."""
        return self.testname.rsplit("_", 1)[-1]

    @property
    def limit(self) -> Limit:
        """The same as a limit."""
        bounds = self.testbounds
        low, high = bounds if isinstance(bounds, tuple) else (bounds, bounds)
        return Limit(
            self.unit,
            self.reason,
            at_least=low if self.testtype in ("min", "in-range") else None,
            at_most=high if self.testtype in ("max", "in-range") else None,
            equals=low if self.testtype == "equals" else None,
            name=self.testname,
            valid_from=self.valid_date.isoformat(),
        )

    def speaks_for(self, temperature_c: float | None) -> bool:
        """Whether it judges what was measured there. One that asks for a temperature needs to know it."""
        if self.temperature_c is None:
            return True
        low, high = self.temperature_c
        return temperature_c is not None and low <= temperature_c <= high


@dataclass(frozen=True, slots=True)
class Goalposts:
    """All of them, each name's entries by day."""

    by_name: Mapping[str, tuple[Goalpost, ...]]
    """By name without prefix."""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a list; by default that of the distribution. Raises BenchFileRejected with each mistake, its line."""
        path = path or configs_folder() / "limits" / "degg.toml"
        try:
            text = path.read_text(encoding="utf-8")
            tables = tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise BenchFileRejected(path, [f"{path}: cannot be read: {error}"]) from None
        entries = tables.get("goalpost")
        if not isinstance(entries, list) or set(tables) != {"goalpost"}:
            raise BenchFileRejected(
                path, [f"{path}: a list of goalposts has tables [[goalpost]] and nothing else"]
            )
        mistakes = list(_mistakes(path, text, entries))
        if mistakes:
            raise BenchFileRejected(path, mistakes)
        by_name: dict[str, tuple[Goalpost, ...]] = {}
        for entry in entries:
            goalpost = _goalpost(entry)
            by_name[goalpost.short] = (*by_name.get(goalpost.short, ()), goalpost)
        return cls(by_name)

    def valid(self, name: str, day: date) -> Goalpost | None:
        """The goalpost of that name on a day; None before its first. Raises GoalpostUnknown."""
        entries = self.by_name.get(name.rsplit("_", 1)[-1], ())
        if not entries or (name != entries[0].short and name != entries[0].testname):
            raise GoalpostUnknown(name, sorted(self.by_name))
        return next((entry for entry in reversed(entries) if entry.valid_date <= day), None)


@functools.cache
def shipped() -> Goalposts:
    """The list of the distribution, read once."""
    return Goalposts.load()


def _goalpost(entry: Mapping[str, Any]) -> Goalpost:
    bounds = entry["testbounds"]
    temperature = entry.get("temperature_c")
    return Goalpost(
        entry["testname"],
        entry["testtype"],
        (float(bounds[0]), float(bounds[1])) if isinstance(bounds, list) else float(bounds),
        entry["valid_date"],
        entry["unit"],
        entry["reason"],
        None if temperature is None else (float(temperature[0]), float(temperature[1])),
    )


def _mistakes(path: Path, text: str, entries: Sequence[Any]) -> Iterator[str]:
    earlier: dict[str, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries):
        wrong = list(_wrong(entry))
        if not wrong:
            short = entry["testname"].rsplit("_", 1)[-1]
            before = earlier.get(short)
            wrong = [] if before is None else list(_misfits(entry, before))
            earlier[short] = entry
        if wrong:
            place = f"{path}:{line_of(text, ('goalpost', number))}"
            yield from (f"{place}: {sentence}" for sentence in wrong)


def _misfits(entry: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an entry after an earlier one of the same name."""
    if entry["testname"] != before["testname"]:
        yield f"{entry['testname']} and {before['testname']} differ in their prefix only"
    if entry["valid_date"] <= before["valid_date"]:
        yield f"{entry['testname']}: valid_date must be later than {before['valid_date']}, that of the entry before"
    if entry["testbounds"] == before["testbounds"]:
        yield f"{entry['testname']}: testbounds must differ from those of the entry before"


def _wrong(entry: Any) -> Iterator[str]:
    """What is wrong with an entry by itself."""
    missing = [key for key in _NEEDED if key not in entry]
    if missing:
        yield f"lacks {', '.join(missing)}"
        return
    for key in entry.keys() - set(_KEYS):
        close = difflib.get_close_matches(key, _KEYS, n=1)
        yield f"unknown key {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    for key in ("testname", "testtype", "unit", "reason"):
        if not isinstance(entry[key], str):
            yield f"{key} must be a text, not {entry[key]!r}"
            return
    name, kind, bounds = entry["testname"], entry["testtype"], entry["testbounds"]
    if len(name) < LEAST_NAME or not _NAME.fullmatch(name):
        yield f"testname {name!r} must have {LEAST_NAME} letters, digits, '-' or '_', or more"
    if kind not in TYPES:
        yield f"testtype is {kind!r}; it must be one of {', '.join(TYPES)}"
    elif kind == "in-range" and not _ordered_pair(bounds):
        yield f"testbounds of in-range must be two numbers, the smaller one first, not {bounds!r}"
    elif kind != "in-range" and not _number(bounds):
        yield f"testbounds of {kind} must be a number, not {bounds!r}"
    if type(entry["valid_date"]) is not date:
        yield f"valid_date must be a day like 2021-03-01, not {entry['valid_date']!r}"
    if "temperature_c" in entry and not _ordered_pair(entry["temperature_c"]):
        yield f"temperature_c must be two numbers, the smaller one first, not {entry['temperature_c']!r}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _ordered_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and value[0] < value[1]
