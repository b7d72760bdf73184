"""Fields of a request's header: each is there, of its type and within bounds, or refused with a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

Parameters = Mapping[str, float | str]
"""Operating conditions by the catalogue's parameter names."""
Kind = Literal[
    "malformed", "schema", "busy", "taken", "not_found", "invalid", "file", "checksum", "too_large",
    "out_of_memory", "failed",
]  # fmt: skip
"""Why a request is refused; docs/caldb-remotes.md says what a client does about each."""

MOST_TEXT: Final = 512
MOST_PARAMETERS: Final = 64
MOST_CELL_ORDER: Final = 8192
"""The memory cell order of an LPD is a parameter that lists up to 512 cells."""


class Refusal(Exception):
    """A request is not carried out; the client gets this sentence."""

    def __init__(self, kind: Kind, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.kind, self.message = kind, message
        self.details: Mapping[str, Any] = details or {}
        self.number: int | None = None
        """The request's id, as far as it could be read."""
        super().__init__(message)


def _wrong(name: str, what: str) -> Refusal:
    return Refusal("malformed", f"{name} {what}")


class Fields:
    """Reads a map field by field, and knows in the end what was not asked for."""

    def __init__(self, given: Mapping[Any, Any], prefix: str = "") -> None:
        self._given, self._prefix = given, prefix
        self._read: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._given

    def _take(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        value = self._given.get(name)
        if value is None:
            value = default
        if value is None:
            raise _wrong(self._prefix + name, "is missing")
        return value

    def text(self, name: str, *, default: str | None = None, most: int = MOST_TEXT) -> str:
        """A text of bounded length."""
        return _text(self._prefix + name, self._take(name, default), most)

    def flag(self, name: str) -> bool:
        """True or false; false where it is not there."""
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise _wrong(self._prefix + name, "is neither true nor false")
        return value

    def integer(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        """A whole number within bounds."""
        return _integer(self._prefix + name, self._take(name, default), least, most)

    def integers(self, name: str, most: int) -> tuple[int, ...]:
        """A list of positive numbers, such as a shape."""
        listed = self._list(name, most)
        return tuple(_integer(f"{self._prefix}{name}", value, 1, 2**40) for value in listed)

    def texts(self, name: str, *, most: int) -> tuple[str, ...]:
        """A list of texts; empty where it is not there."""
        return tuple(_text(f"{self._prefix}{name}", value, MOST_TEXT) for value in self._list(name, most))

    def map(self, name: str) -> Mapping[Any, Any]:
        """A map."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise _wrong(self._prefix + name, "is no map")
        return value

    def parameters(self, name: str) -> dict[str, float | str]:
        """Operating conditions: numbers and texts by parameter name."""
        given = self.map(name)
        if len(given) > MOST_PARAMETERS:
            raise _wrong(name, f"holds more than {MOST_PARAMETERS} parameters")
        return {_text(name, key, MOST_TEXT): _parameter(f"{name}: {key!r}", v) for key, v in given.items()}

    def nothing_else(self) -> None:
        """Refuse fields that nobody read: a misspelled condition must not go unnoticed."""
        other = sorted(str(name)[:60] for name in self._given if name not in self._read)
        if other:
            raise Refusal("malformed", f"unknown field {self._prefix}{other[0]!r}")

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._take(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise _wrong(self._prefix + name, f"is no list of at most {most} entries")
        return value


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise _wrong(name, f"is no text of at most {most} characters")
    return value


def _integer(name: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _wrong(name, f"is no whole number from {least} to {most}")
    return value


def _parameter(name: str, value: Any) -> float | str:
    if isinstance(value, str):
        return _text(name[:100], value, MOST_CELL_ORDER)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(name[:100], "is neither a finite number nor a text")
    return float(value)
