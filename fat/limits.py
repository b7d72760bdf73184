"""Limit sets: one TOML each, a table for every measurement."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fat.errors import BenchFileRejected
from scheduler.schedule.toml_position import line_of


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value must be: at least, at most, or both; or equal."""

    unit: str
    reason: str
    """Why this limit: a source, or what goes wrong beyond it."""
    at_least: float | None = None
    at_most: float | None = None
    equals: float | None = None
    name: str = ""
    """Under which it is published, where it is."""
    valid_from: str = ""
    """The day from which it holds, YYYY-MM-DD; empty: always."""

    def holds(self, value: float) -> bool:
        """Whether a finite value is within."""
        if self.equals is not None:
            return value == self.equals
        above = self.at_least is None or value >= self.at_least
        below = self.at_most is None or value <= self.at_most
        return above and below

    def __str__(self) -> str:
        if self.equals is not None:
            return f"= {self.equals:g}"
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} … {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


KEYS = tuple(field.name for field in fields(Limit) if field.name not in ("name", "valid_from"))
"""What a limit set of a bench may say; names and days belong to goalposts (`fat.degg.results.goalposts`)."""


def load_limits(path: Path) -> dict[str, Limit]:
    """Read a limit set. Raises BenchFileRejected with a sentence for each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise BenchFileRejected(path, [f"{path}: no such limit set; there are: {there}"]) from None
    except (OSError, ValueError) as error:
        raise BenchFileRejected(path, [f"{path}: cannot be read: {error}"]) from None
    mistakes = [m for name, table in tables.items() for m in _mistakes(path, text, name, table)]
    if mistakes:
        raise BenchFileRejected(path, mistakes)
    return {name: _limit(table) for name, table in tables.items()}


def _limit(table: Mapping[str, Any]) -> Limit:
    numbers: dict[str, Any] = {
        key: float(table[key]) for key in ("at_least", "at_most", "equals") if key in table
    }
    return Limit(unit=table["unit"], reason=table["reason"], **numbers)


def _mistakes(path: Path, text: str, name: str, table: Any) -> Iterator[str]:
    if not isinstance(table, dict):
        yield f"{path}:{line_of(text, (name,))}: {name} must be a table of a measurement"
        return
    for key, value in table.items():
        place = f"{path}:{line_of(text, (name, key))}"
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            yield f"{place}: unknown key {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        elif key in ("unit", "reason") and not isinstance(value, str):
            yield f"{place}: {key} must be a text, not {value!r}"
        elif key not in ("unit", "reason") and (
            isinstance(value, bool) or not isinstance(value, int | float)
        ):
            yield f"{place}: {key} must be a number, not {value!r}"
    place = f"{path}:{line_of(text, (name,))}"
    for key in ("unit", "reason"):
        if key not in table:
            yield f"{place}: {name} lacks {key!r}"
    if not {"at_least", "at_most", "equals"} & set(table):
        yield f"{place}: {name} has no limit; give at_least, at_most or equals"
