"""CBOR of untrusted senders (RFC 8949): only what stream 2 uses, with the place of every value.

Definite lengths, text keys, bounded depth and number of items. No length is believed before the bytes are there, so
nothing is ever allocated for what a sender merely announces.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import StreamBroken

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 1 << 16
_FLOATS: Final = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_SIMPLE: Final = {20: False, 21: True, 22: None, 23: None}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under a tag."""

    tag: int
    value: Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its head begins at *start*, its bytes end before *stop*."""

    start: int
    stop: int


class Decoder:
    """Decodes one message. Byte strings come as views into it."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._view = memoryview(data)
        self._at = 0
        self._items = 0
        self.places: dict[tuple[str | int, ...], Place] = {}
        """Places of unsigned integers and byte strings, by their path of keys, indices and tags left out."""

    def decode(self) -> Any:
        """The one value of the message. Raises StreamBroken."""
        try:
            value = self._value((), 0)
        except (UnicodeDecodeError, OverflowError):
            raise StreamBroken("a CBOR message holds a text that is no UTF-8") from None
        if self._at != len(self._view):
            raise StreamBroken(f"a CBOR message goes on after its end ({len(self._view) - self._at} bytes)")
        return value

    def _head(self) -> tuple[int, int, int]:
        """Major type, its small value, and the argument."""
        if self._at >= len(self._view):
            raise StreamBroken("a CBOR message ends too early")
        first = self._view[self._at]
        self._at += 1
        major, small = first >> 5, first & 31
        if small < 24:
            return major, small, small
        if small > 27:
            raise StreamBroken("a CBOR message has an item of indefinite length or a reserved head")
        return major, small, int.from_bytes(self._take(1 << (small - 24)), "big")

    def _take(self, count: int) -> memoryview:
        if count > len(self._view) - self._at:
            raise StreamBroken(f"a CBOR message tells of {count} bytes, but ends before")
        self._at += count
        return self._view[self._at - count : self._at]

    def _value(self, path: tuple[str | int, ...], depth: int) -> Any:
        self._items += 1
        if depth > MAX_DEPTH or self._items > MAX_ITEMS:
            raise StreamBroken(
                f"a CBOR message nests deeper than {MAX_DEPTH} or has more than {MAX_ITEMS} items"
            )
        start = self._at
        major, small, argument = self._head()
        if major == 0:
            self.places[path] = Place(start, self._at)
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            body = self._take(argument)
            self.places[path] = Place(start, self._at)
            return body
        if major == 3:
            return str(self._take(argument), "utf-8")
        if major == 4:
            self._room_for(argument)
            return [self._value((*path, index), depth + 1) for index in range(argument)]
        if major == 5:
            self._room_for(2 * argument)
            return dict(self._entries(argument, path, depth + 1))
        if major == 6:
            return Tagged(argument, self._value(path, depth + 1))
        if small in _FLOATS:
            return _FLOATS[small].unpack(self._view[start + 1 : self._at])[0]
        if small not in _SIMPLE:
            raise StreamBroken(f"a CBOR message holds the simple value {argument}, which means nothing")
        return _SIMPLE[small]

    def _room_for(self, items: int) -> None:
        """An item takes a byte at least."""
        if items > len(self._view) - self._at:
            raise StreamBroken(f"a CBOR message tells of {items} items, but ends before")

    def _entries(self, count: int, path: tuple[str | int, ...], depth: int) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for _ in range(count):
            key = self._value((*path, -1), depth)
            if not isinstance(key, str) or len(key) > 256 or key in seen:
                raise StreamBroken("a CBOR message has a key that is no short text, or has it twice")
            seen.add(key)
            yield key, self._value((*path, key), depth)
