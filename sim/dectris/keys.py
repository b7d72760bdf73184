"""Keys of a SIMPLON module: type, access, limits, and the JSON shapes of values.

Source: SIMPLON API reference 1.8, JSON objects of configuration and status keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from sim.dectris.refusal import Refused, unknown

Value: TypeAlias = bool | int | float | str | list[str] | list[float] | list[int] | dict[str, Any]

UINT_MAX: Final = 2**63 - 1
"""Integers beyond this fit no client's field."""
TEXT_MAX: Final = 4096
LIST_MAX: Final = 64
VERSIONS: Final = ("1.6.0", "1.8.0")
"""API versions whose paths a unit answers."""


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration or status key."""

    name: str
    value_type: str
    """bool, uint, float, string, string[], float[] or uint[]; json: any JSON value, which calls itself a string."""
    default: Value
    access: str = "rw"
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    allowed: tuple[str, ...] | None = None
    listed: bool = True
    """Whether `keys` names it. Hardware answers some keys that it does not list, e.g. wavelength."""
    length: int | None = None
    """Of a list that always has so many elements."""
    versions: tuple[str, ...] = VERSIONS
    """API versions that have it."""
    type_160: str | None = None
    """value_type on the paths of 1.6.0 where it differs."""
    critical: tuple[float, float] | None = None
    """Limits outside which a measured status value is critical."""


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
    if not value_type.endswith("[]"):
        return False
    element = value_type.removesuffix("[]")
    return isinstance(value, list) and all(_is_of_type(element, item) for item in value)


def _limits(key: Key) -> tuple[float, float]:
    low = key.low if key.low is not None else (0 if key.value_type.startswith("uint") else -math.inf)
    high = key.high if key.high is not None else (UINT_MAX if key.value_type.startswith("uint") else math.inf)
    return low, high


def checked(key: Key, value: object) -> Value:
    """The value in the key's own type. Raises Refused: 403 read-only, 400 wrong type or out of limits."""
    if key.access == "r":
        raise Refused(403, f"{key.name} is read-only")
    if key.value_type == "json":
        return _json(key, value)
    if not _is_of_type(key.value_type, value):
        raise Refused(400, f"{key.name} must be of type {key.value_type}, not {_shown(value)}")
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(key, value)
    if isinstance(value, str):
        _check_text(key, value)
        return value
    assert isinstance(value, list)
    return _list(key, value)


def _json(key: Key, value: object) -> Value:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Refused(400, f"{key.name} has a character or a number that no message can carry") from None
    if len(text) > TEXT_MAX:
        raise Refused(400, f"{key.name} is longer than {TEXT_MAX} bytes of JSON")
    kept: Value = json.loads(text)
    return kept


def _number(key: Key, value: float) -> int | float:
    low, high = _limits(key)
    # Written so that NaN fails; an integer beyond every float fails at `high`, which is then infinite, by its size.
    if not (low <= value <= high) or abs(value) > 1e300:
        raise Refused(400, f"{key.name} must lie in {low}..{high}, not {_shown(value)}")
    return float(value) if key.value_type.startswith("float") else int(value)


def _check_text(key: Key, value: str) -> None:
    if key.allowed is not None and value not in key.allowed:
        raise Refused(400, f"{key.name} must be one of {', '.join(key.allowed)}, not {_shown(value)}")
    if len(value) > TEXT_MAX:
        raise Refused(400, f"{key.name} is longer than {TEXT_MAX} characters")
    # JSON can name half a character (a lone surrogate), which no later message could carry.
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
        raise Refused(400, f"{key.name} has a character that is no text")


def _list(key: Key, value: list[Any]) -> Value:
    if len(value) > LIST_MAX or (key.length is not None and len(value) != key.length):
        wanted = key.length if key.length is not None else f"at most {LIST_MAX}"
        raise Refused(400, f"{key.name} must have {wanted} elements, not {len(value)}")
    if key.value_type == "string[]":
        for item in value:
            _check_text(key, item)
        return value
    return [_number(key, item) for item in value]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"


def value_object(key: Key, value: Value, version: str = VERSIONS[-1]) -> dict[str, Any]:
    """The JSON object that a GET answers."""
    value_type = key.type_160 if version == VERSIONS[0] and key.type_160 else key.value_type
    if value_type == "json":
        value_type = "string"
    answer: dict[str, Any] = {"value": value, "value_type": value_type, "access_mode": key.access}
    if key.unit is not None:
        answer["unit"] = key.unit
    if key.low is not None:
        answer["min"] = key.low
    if key.high is not None:
        answer["max"] = key.high
    if key.allowed is not None:
        answer["allowed_values"] = list(key.allowed)
    if key.critical is not None:
        answer["critical_limits"] = list(key.critical)
    return answer


class Registry:
    """The keys of one module's task with their present values."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.name: key for key in keys}
        self._original = dict(self._keys)
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

    def texts(self, name: str) -> list[str]:
        """The value of a string[] key."""
        value = self._values[name]
        assert isinstance(value, list)
        return [str(item) for item in value]

    def numbers(self, name: str) -> list[float]:
        """The value of a float[] key."""
        value = self._values[name]
        assert isinstance(value, list)
        return [float(item) for item in value]

    def listed(self, version: str = VERSIONS[-1]) -> list[str]:
        """The names that `keys` answers, sorted as hardware sorts them."""
        return sorted(name for name, key in self._keys.items() if key.listed and version in key.versions)

    def key(self, name: str, version: str | None = None) -> Key:
        """Raises Refused (404) when there is no such key, or none in this version."""
        key = self._keys.get(name)
        if key is None or (version is not None and version not in key.versions):
            raise unknown(name)
        return key

    def describe(self, name: str, version: str = VERSIONS[-1]) -> dict[str, Any]:
        """The JSON object of one key. Raises Refused (404)."""
        return value_object(self.key(name, version), self._values[name], version)

    def limit(self, name: str, low: float | None, high: float | None) -> None:
        """Other limits for a key, as long as the configuration is as it is."""
        self._keys[name] = replace(self._keys[name], low=low, high=high)

    def allow(self, name: str, allowed: Sequence[str]) -> None:
        """Other allowed values for a key."""
        self._keys[name] = replace(self._keys[name], allowed=tuple(allowed))

    def check(self, name: str, value: object) -> Value:
        """The value as the key's type. Raises Refused."""
        return checked(self.key(name), value)

    def update(self, values: Mapping[str, Value]) -> None:
        """Set values that have been checked, read-only keys included."""
        self._values.update(values)

    def reset(self) -> None:
        """Back to the defaults and the first limits."""
        self._keys = dict(self._original)
        self._values = {name: key.default for name, key in self._keys.items()}

    def values(self) -> Mapping[str, Value]:
        """Present values by name."""
        return self._values
