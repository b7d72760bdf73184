"""What of a control source's names and values a run file can hold. Pure.

Names come from the network and become paths in HDF5 files; a path that is a dataset cannot be a group too, and a text
cannot hold NUL. What cannot be held is left out and counted, so that one odd source does not end a recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESERVED: Final = frozenset({"value", "timestamp", "first", "count", "data"})
"""Names that the file format gives to datasets and groups below a source."""
_SOURCE: Final = re.compile(r"[\w:.@+-]{1,80}(/[\w:.@+-]{1,80}){0,7}", re.ASCII)
_KEY: Final = re.compile(r"\w{1,80}(\.\w{1,80}){0,7}", re.ASCII)


def is_source(name: str) -> bool:
    """Whether a file can have a source of this name."""
    return (
        bool(_SOURCE.fullmatch(name)) and not RESERVED & set(name.split("/")) and not _dots(name.split("/"))
    )


def is_key(key: str) -> bool:
    """Whether a file can have a control property of this name."""
    return bool(_KEY.fullmatch(key)) and not {"value", "timestamp"} & set(key.split("."))


def is_value(value: Any) -> bool:
    """Whether a control property can have this value: a number, a flag, or a text without NUL."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int) and not isinstance(value, bool):
        return -(1 << 63) <= value < 1 << 63
    return isinstance(value, bool | float)


def arrays_that_fit(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays of an output channel, `data.…`, that hold something and whose paths do not stand in each other's way."""
    fitting = {
        key: array
        for key, array in arrays.items()
        if key.startswith("data.") and _KEY.fullmatch(key) and array.size and array.dtype.kind != "c"
    }
    return {key: array for key, array in fitting.items() if not _has_below(key, fitting)}


def same_kind(known: Any, value: Any) -> bool:
    """Whether a value can follow another one in a column: nothing would be cut off."""
    if isinstance(known, str) or isinstance(value, str):
        return isinstance(known, str) and isinstance(value, str)
    before, after = np.asarray(known).dtype, np.asarray(value).dtype
    return before.kind == after.kind or (before.kind == "f" and after.kind in "iu")


def _has_below(key: str, keys: Iterable[str]) -> bool:
    return any(other.startswith(f"{key}.") for other in keys)


def _dots(parts: list[str]) -> bool:
    return any(not part.strip(".") for part in parts)
