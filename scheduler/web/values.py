"""Values against limits: what tasks put into `outputs["measurements"]`, for any application (docs/live-page.md).

The outputs come from tasks, so nothing about them is trusted: what is no measurement is left out, texts are cut.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scheduler.verdict import Verdict
from scheduler.web.text import figure, harmless

MEASUREMENTS: Final = "measurements"
MOST_OF_A_TASK: Final = 20_000
MOST_TEXT: Final = 200
_DIGITS: Final = re.compile(r"([0-9]{1,18})")

Key = tuple[str, str, str]
"""Device, part, name."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a value must be: at least, at most, or both; or equal."""

    at_least: float | None = None
    at_most: float | None = None
    equals: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.equals is not None:
            return f"= {figure(self.equals)}"
        if self.at_least is not None and self.at_most is not None:
            return f"{figure(self.at_least)} … {figure(self.at_most)}"
        return f"≥ {figure(self.at_least)}" if self.at_least is not None else f"≤ {figure(self.at_most)}"


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a task measured."""

    task: str
    device: str
    """Empty when there is only one."""
    part: str
    name: str
    value: float | None
    unit: str
    about: str
    bounds: Bounds | None
    verdict: Verdict

    @property
    def key(self) -> Key:
        """What tells it from other quantities."""
        return self.device, self.part, self.name

    @property
    def text(self) -> str:
        """Value and unit."""
        return figure(self.value) + ("" if self.unit in ("", "1") else f" {self.unit}")


def values_of(task: str, outputs: Mapping[str, Any]) -> Iterator[Value]:
    """The values in a task's outputs."""
    listed = outputs.get(MEASUREMENTS)
    if not isinstance(listed, list):
        return
    for body in listed[:MOST_OF_A_TASK]:
        if isinstance(body, dict) and body.get("name"):
            yield value_from(task, body)


def value_from(task: str, body: Mapping[str, Any]) -> Value:
    """One value as JSON tells it; what is unusable about it is left out."""
    verdict = str(body.get("verdict"))
    words = {
        key: harmless(str(body.get(key) or ""), MOST_TEXT) for key in ("device", "part", "unit", "about")
    }
    return Value(
        task=task,
        name=harmless(str(body["name"]), MOST_TEXT),
        value=_number(body.get("value")),
        bounds=_bounds(body.get("limit")),
        verdict=Verdict(verdict) if verdict in list(Verdict) else Verdict.UNSET,
        **words,
    )


def as_json(value: Value) -> dict[str, Any]:
    """What `value_from` reads."""
    bounds = value.bounds
    return {
        **{key: getattr(value, key) for key in ("device", "part", "name", "value", "unit", "about")},
        "limit": None
        if bounds is None
        else {key: getattr(bounds, key) for key in ("at_least", "at_most", "equals", "reason")},
        "verdict": str(value.verdict),
    }


def _number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    try:
        number = float(told)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _bounds(told: object) -> Bounds | None:
    if not isinstance(told, dict):
        return None
    numbers = {key: _number(told.get(key)) for key in ("at_least", "at_most", "equals")}
    if all(number is None for number in numbers.values()):
        return None
    return Bounds(**numbers, reason=harmless(str(told.get("reason") or ""), MOST_TEXT))


class Sheet:
    """All values of a run, gathered task by task. The latest of each quantity counts, the earlier ones are kept."""

    def __init__(self) -> None:
        self.version = 0
        self._takes: dict[Key, dict[str, Value]] = {}
        self._of_task: dict[str, list[Key]] = {}

    def take(self, task: str, outputs: Mapping[str, Any]) -> None:
        """A task ended. What it had found in an earlier attempt does not count any more."""
        for key in self._of_task.pop(task, ()):
            self._takes[key].pop(task, None)
            if not self._takes[key]:
                del self._takes[key]
        found: dict[Key, Value] = {}
        for value in values_of(task, outputs):
            # One quantity may be judged against several limits: the verdict that hurts is the one to be seen.
            known = found.get(value.key)
            if known is None or (value.verdict is Verdict.FAIL and known.verdict is not Verdict.FAIL):
                found[value.key] = value
        for key, value in found.items():
            self._takes.setdefault(key, {})[task] = value
        if found:
            self._of_task[task] = list(found)
        self.version += 1

    def takes(self, key: Key) -> list[Value]:
        """All values of one quantity, oldest first."""
        return list(self._takes.get(key, {}).values())

    def latest(self) -> list[Value]:
        """The value that counts of each quantity, in the order of first appearance."""
        return [next(reversed(takes.values())) for takes in self._takes.values()]

    def failed_before(self, key: Key) -> bool:
        """Whether an earlier value of the quantity was outside its limit."""
        *earlier, _ = self._takes[key].values()
        return any(value.verdict is Verdict.FAIL for value in earlier)

    def of_task(self, task: str) -> list[Value]:
        """What one task measured."""
        return [self._takes[key][task] for key in self._of_task.get(task, ())]


@dataclass(frozen=True, slots=True)
class Bullet:
    """A value on a line with its limits, in per cent of the line's length."""

    value: float
    low: float
    high: float
    beyond: str
    """`‹` or `›` when the value lies beyond the line."""


def bullet(value: Value) -> Bullet | None:
    """Where value and limits lie on a line that shows both; None without a value or a limit."""
    if value.value is None or value.bounds is None:
        return None
    first, last = _line(value.value, value.bounds)
    bounds = value.bounds

    def place(x: float | None, otherwise: float) -> float:
        return otherwise if x is None else min(100.0, max(0.0, 100 * (x - first) / (last - first)))

    if bounds.equals is not None:
        middle = place(bounds.equals, 50.0)
        low, high = middle - 1.0, middle + 1.0
    else:
        low, high = place(bounds.at_least, 0.0), place(bounds.at_most, 100.0)
    beyond = "‹" if value.value < first else "›" if value.value > last else ""
    return Bullet(place(value.value, 50.0), low, high, beyond)


def _line(value: float, bounds: Bounds) -> tuple[float, float]:
    """The ends of the line: the limits with a margin, and the value unless it is far beyond them."""
    limits = [b for b in (bounds.at_least, bounds.at_most, bounds.equals) if b is not None]
    span = max(limits) - min(limits) or max(abs(limits[0]), 1e-9)
    ends = [min(limits) - 0.35 * span, max(limits) + 0.35 * span]
    if len(limits) == 1 and bounds.equals is None and limits[0] * value >= 0:
        ends = sorted((0.0, 1.35 * limits[0])) if limits[0] else ends
    first, last = (
        min([ends[0], max(value, ends[0] - 2 * span)]),
        max([ends[1], min(value, ends[1] + 2 * span)]),
    )
    return first, last


@dataclass(frozen=True, slots=True)
class Grid:
    """Devices against quantities, for one part."""

    part: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Value | None, ...]], ...]


def grids(values: Iterable[Value]) -> list[Grid]:
    """A grid for each part, where there are several devices."""
    parts: dict[str, dict[Key, Value]] = {}
    for value in values:
        if value.device:
            parts.setdefault(value.part, {})[value.key] = value
    if len({key[0] for found in parts.values() for key in found}) < 2:
        return []
    return [_grid(part, found) for part, found in parts.items()]


def _grid(part: str, found: Mapping[Key, Value]) -> Grid:
    names = tuple(dict.fromkeys(name for _, _, name in found))
    devices = sorted({device for device, _, _ in found}, key=natural)
    rows = ((device, tuple(found.get((device, part, name)) for name in names)) for device in devices)
    return Grid(part, names, tuple(rows))


def natural(text: str) -> list[tuple[str, int]]:
    """A key that sorts `x-9` before `x-10`."""
    words = _DIGITS.split(text)
    return [(word, 0) if index % 2 == 0 else ("", int(word)) for index, word in enumerate(words)]
