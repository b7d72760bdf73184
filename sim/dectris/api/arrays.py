"""Arrays in requests and answers: the `__darray__` object and TIFF.

Source: SIMPLON API reference 1.8, JSON objects of two-dimensional arrays. `shape` is [width, height]; a dump of a real
EIGER1 shows [height, width] on the paths of 1.6.0.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.models import V16
from sim.dectris.refusal import Refused

_TYPES: Final = {"<u4": np.dtype("<u4"), "<f4": np.dtype("<f4")}
_SHORT, _LONG = 3, 4


def body_limit(width: int, height: int) -> int:
    """Bytes that the JSON of a 32-bit array of this size may have: base64 and some words around it."""
    return width * height * 4 * 4 // 3 + (1 << 16)


def array_json(array: NDArray[Any], version: str, access: str) -> bytes:
    """The JSON of an array key's value object; the array is (height, width)."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    value = {
        "__darray__": [1, 0, 0],
        "type": little.dtype.str,
        "shape": list(array.shape) if version == V16 else list(array.shape[::-1]),
        "filters": ["base64"],
        "data": "",
    }
    value_type = "float[][]" if array.dtype.kind == "f" else "uint[][]"
    frame = json.dumps({"value_type": value_type, "access_mode": access, "value": value}).encode()
    # Base64 needs no escapes, and a JSON encoder looks at each of its hundred million characters.
    return frame.removesuffix(b'"}}') + base64.b64encode(little.data) + b'"}}'


def parsed_array(value: object, version: str, wanted: str) -> NDArray[Any]:
    """(height, width) from a `__darray__` object of type *wanted*, <u4 or <f4. Raises Refused (400)."""
    if not isinstance(value, dict) or "__darray__" not in value:
        raise Refused(
            400, 'an array must be an object with "__darray__", "type", "shape", "filters" and "data"'
        )
    if value.get("type") != wanted:
        raise Refused(400, f"the array's type must be {wanted}, not {str(value.get('type'))[:20]}")
    if value.get("filters") != ["base64"]:
        raise Refused(400, 'the array\'s filters must be ["base64"]')
    shape = value.get("shape")
    if not (isinstance(shape, list) and len(shape) == 2 and all(_is_size(size) for size in shape)):
        raise Refused(400, "the array's shape must be two numbers of pixels")
    rows, columns = shape if version == V16 else shape[::-1]
    data = value.get("data")
    try:
        raw = base64.b64decode(data if isinstance(data, str) else "", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, "the array's data is no base64") from None
    if len(raw) != rows * columns * 4:
        raise Refused(
            400, f"the array's data has {len(raw)} bytes; {columns} x {rows} pixels need {rows * columns * 4}"
        )
    return np.frombuffer(raw, _TYPES[wanted]).reshape(rows, columns)


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 < size <= 1 << 16


def tiff_of(array: NDArray[Any]) -> bytes:
    """A baseline TIFF of one uncompressed strip: (height, width) of 32-bit integers or floats."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    height, width = array.shape
    entries = (
        (256, _LONG, width),
        (257, _LONG, height),
        (258, _SHORT, little.dtype.itemsize * 8),
        (259, _SHORT, 1),  # no compression
        (262, _SHORT, 1),  # black is zero
        (273, _LONG, 8),  # the strip begins behind the file's head
        (277, _SHORT, 1),
        (278, _LONG, height),
        (279, _LONG, little.nbytes),
        (339, _SHORT, 3 if little.dtype.kind == "f" else 1),
    )
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    head = struct.pack("<2sHI", b"II", 42, 8 + little.nbytes)
    return head + little.tobytes() + directory + struct.pack("<I", 0)
