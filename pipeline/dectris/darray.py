"""Two-dimensional arrays as the control unit writes them into JSON (SIMPLON API reference 1.8: darray)."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ControlUnitError

VERSION: Final = [1, 0, 0]
TYPES: Final = {"<u4": np.dtype("<u4"), "<f4": np.dtype("<f4")}
MAX_SIDE: Final = 1 << 14


def from_darray(value: object, key: str) -> NDArray[Any]:
    """The array (height, width), uint32 or float32, of the darray *value* of *key*. Raises ControlUnitError.

    The reference writes the shape as [width, height]; the data are in rows, the first row first.
    """
    if not isinstance(value, dict) or "__darray__" not in value:
        raise ControlUnitError(f"{key} is no array; the control unit should answer a darray")
    shape, dtype = value.get("shape"), TYPES.get(str(value.get("type")))
    if dtype is None or value.get("filters") != ["base64"]:
        raise ControlUnitError(
            f"{key} has type {str(value.get('type'))[:40]!r} and filters {str(value.get('filters'))[:40]}; "
            "known: <u4 and <f4, in base64"
        )
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(isinstance(side, int) and 0 < side <= MAX_SIDE for side in shape)
    ):
        raise ControlUnitError(f"{key} has the shape {str(shape)[:40]}; it should be [width, height]")
    try:
        data = base64.b64decode(str(value.get("data")), validate=True)
    except (binascii.Error, ValueError):
        raise ControlUnitError(f"the data of {key} are not base64") from None
    width, height = shape
    if len(data) != width * height * dtype.itemsize:
        raise ControlUnitError(
            f"{key} holds {len(data)} bytes; {width} × {height} values of {dtype.itemsize} bytes were expected"
        )
    return np.frombuffer(data, dtype).reshape(height, width)


def to_darray(array: NDArray[Any]) -> dict[str, Any]:
    """The darray of an array (height, width): uint32 where it holds integers, else float32."""
    dtype = "<u4" if array.dtype.kind in "bui" else "<f4"
    height, width = array.shape
    data = np.ascontiguousarray(array, TYPES[dtype]).tobytes()
    return {
        "__darray__": VERSION,
        "type": dtype,
        "shape": [width, height],
        "filters": ["base64"],
        "data": base64.b64encode(data).decode("ascii"),
    }
