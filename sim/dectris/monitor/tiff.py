"""One image as a baseline TIFF, uncompressed, with the private directory of the control unit.

Source: TIFF 6.0; the SIMPLON API reference for tag 51192 (0xC7F8), which holds the offset of a directory of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PRIVATE_TAG: Final = 51192
_ASCII, _SHORT, _LONG, _RATIONAL, _DOUBLE = 2, 3, 4, 5, 12
_CODES: Final = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
_UNSIGNED, _FLOAT = 1, 3


@dataclass(frozen=True, slots=True)
class Field:
    """One entry of a directory."""

    tag: int
    type: int
    values: bytes
    count: int


def long(tag: int, value: int) -> Field:
    """An unsigned number of 32 bits; larger ones keep their low bits."""
    return Field(tag, _LONG, struct.pack("<I", value & 0xFFFFFFFF), 1)


def short(tag: int, values: Sequence[int]) -> Field:
    """Unsigned numbers of 16 bits."""
    return _numbers(tag, _SHORT, values)


def double(tag: int, values: Sequence[float]) -> Field:
    """Floating-point numbers of 64 bits."""
    return _numbers(tag, _DOUBLE, values)


def text(tag: int, value: str) -> Field:
    """ASCII text; other characters become question marks."""
    stored = value.encode("ascii", "replace").replace(b"\0", b"?") + b"\0"
    return Field(tag, _ASCII, stored, len(stored))


def tiff(image: NDArray[Any], private: Sequence[Field] = ()) -> bytes:
    """The bytes of a TIFF file. *image* (height, width): uint8, uint16, uint32 or float32."""
    height, width = image.shape
    kind = _FLOAT if image.dtype.kind == "f" else _UNSIGNED
    pixels = np.ascontiguousarray(image, image.dtype.newbyteorder("<")).tobytes()
    begin = 8 + len(pixels) + len(pixels) % 2
    hidden = _directory(private, begin) if private else b""
    fields = [
        long(256, width),
        long(257, height),
        short(258, [image.dtype.itemsize * 8]),
        short(259, [1]),  # no compression
        short(262, [1]),  # black is zero
        long(273, 8),
        short(277, [1]),
        long(278, height),
        long(279, len(pixels)),
        Field(282, _RATIONAL, struct.pack("<II", 1, 1), 1),
        Field(283, _RATIONAL, struct.pack("<II", 1, 1), 1),
        short(296, [1]),  # resolution without a unit
        short(339, [kind]),
    ]
    if private:
        fields.append(long(PRIVATE_TAG, begin))
    main_begin = begin + len(hidden)
    header = struct.pack("<2sHI", b"II", 42, main_begin)
    return b"".join([header, pixels, b"\0" * (len(pixels) % 2), hidden, _directory(fields, main_begin)])


def _numbers(tag: int, kind: int, values: Sequence[float]) -> Field:
    return Field(tag, kind, struct.pack(f"<{len(values)}{_CODES[kind]}", *values), len(values))


def _directory(fields: Sequence[Field], begin: int) -> bytes:
    """A directory that will lie at *begin*, followed by the values that do not fit into it; of even length."""
    ordered = sorted(fields, key=lambda field: field.tag)
    overflow_begin = begin + 2 + 12 * len(ordered) + 4
    entries, overflow = [struct.pack("<H", len(ordered))], b""
    for field in ordered:
        if len(field.values) <= 4:
            place = field.values.ljust(4, b"\0")
        else:
            place = struct.pack("<I", overflow_begin + len(overflow))
            overflow += field.values + b"\0" * (len(field.values) % 2)
        entries.append(struct.pack("<HHI", field.tag, field.type, field.count) + place)
    return b"".join([*entries, b"\0\0\0\0", overflow])
