"""Keys of a SIMPLON module: type, access, limits, and the JSON shapes of values.

Source: SIMPLON API reference 1.8, JSON objects of configuration and status keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sim.dectris.refusal import Refused, unknown

Value: TypeAlias = bool | int | float | str | list[str] | list[float]

UINT_MAX: Final = 2**63 - 1
"""Integers beyond this fit no client's field."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration or status key."""

    name: str
    value_type: str
    """bool, uint, float, string, string[] or float[]."""
    default: Value
    access: str = "rw"
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] | None = None
    listed: bool = True
    """Whether `keys` names it. Hardware answers some keys that it does not list, e.g. wavelength."""


def _is_of_type(value_type: str, value: object) -> bool:
    """Whether a JSON value has the type; integers pass for floats (the vendor's own example writes one)."""
    if value_type == "bool":
        return isinstance(value, bool)
    if value_type == "uint":
        return isinstance(value, int) and not isinstance(value, bool)
    if value_type == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if value_type == "string":
        return isinstance(value, str)
    element = value_type.removesuffix("[]")
    return isinstance(value, list) and len(value) <= 64 and all(_is_of_type(element, item) for item in value)


def _limits(key: Key) -> tuple[float, float]:
    low = key.low if key.low is not None else (0 if key.value_type == "uint" else -math.inf)
    high = key.high if key.high is not None else (UINT_MAX if key.value_type == "uint" else math.inf)
    return low, high


def checked(key: Key, value: object) -> Value:
    """The value in the key's own type. Raises Refused: 403 read-only, 400 wrong type or out of limits."""
    if key.access == "r":
        raise Refused(403, f"{key.name} is read-only")
    if not _is_of_type(key.value_type, value):
        raise Refused(400, f"{key.name} must be of type {key.value_type}, not {_shown(value)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = _limits(key)
        if not (math.isfinite(value) and low <= value <= high):
            raise Refused(400, f"{key.name} must lie in {low}..{high}, not {_shown(value)}")
        return float(value) if key.value_type == "float" else int(value)
    if key.allowed is not None and value not in key.allowed:
        raise Refused(400, f"{key.name} must be one of {', '.join(key.allowed)}, not {_shown(value)}")
    if isinstance(value, str) and len(value) > 4096:
        raise Refused(400, f"{key.name} is longer than 4096 characters")
    assert isinstance(value, bool | str | list)
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"


def value_object(key: Key, value: Value) -> dict[str, Any]:
    """The JSON object that a GET answers."""
    answer: dict[str, Any] = {"value": value, "value_type": key.value_type, "access_mode": key.access}
    if key.unit is not None:
        answer["unit"] = key.unit
    if key.low is not None:
        answer["min"] = key.low
    if key.high is not None:
        answer["max"] = key.high
    if key.allowed is not None:
        answer["allowed_values"] = list(key.allowed)
    return answer


class Registry:
    """The keys of one module's task with their present values."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}
        self._values: dict[str, Value] = {name: key.default for name, key in self._keys.items()}

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def number(self, name: str) -> float:
        """The value of a numeric key."""
        value = self._values[name]
        assert isinstance(value, int | float)
        return value

    def count(self, name: str) -> int:
        """The value of a uint key."""
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """The value of a string key."""
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def listed(self) -> list[str]:
        """The names that `keys` answers, sorted as hardware sorts them."""
        return sorted(name for name, key in self._keys.items() if key.listed)

    def key(self, name: str) -> Key:
        """Raises Refused (404) when there is no such key."""
        if name not in self._keys:
            raise unknown(name)
        return self._keys[name]

    def describe(self, name: str) -> dict[str, Any]:
        """The JSON object of one key. Raises Refused (404)."""
        return value_object(self.key(name), self._values[name])

    def check(self, name: str, value: object) -> Value:
        """The value as the key's type. Raises Refused."""
        return checked(self.key(name), value)

    def update(self, values: Mapping[str, Value]) -> None:
        """Set values that have been checked, read-only keys included."""
        self._values.update(values)

    def reset(self) -> None:
        """Back to the defaults."""
        self._values = {name: key.default for name, key in self._keys.items()}

    def values(self) -> Mapping[str, Value]:
        """Present values by name."""
        return self._values
