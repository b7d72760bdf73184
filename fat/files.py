"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

DEEPEST: Final = 200
"""Levels of what is written as JSON: pydantic's decoder reads no more."""


def write_bytes_atomically(
    path: Path, data: bytes, *, mode: int = 0o644, changed_ns: int | None = None
) -> None:
    """Write beside *path*, flush to the disk, rename.

    changed_ns  Unix time that the file is to show as that of its last change; default: the disk's, which goes in ticks
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if changed_ns is not None:
                os.utime(file.fileno(), ns=(changed_ns, changed_ns))
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_json(value: Any, *, indent: int = 2) -> bytes:
    """JSON as people read it, by pydantic's encoder: the standard library's takes seven times as long to indent."""
    return to_json(value, indent=indent, ensure_ascii=True) + b"\n"


def not_json(value: Any, depth: int = 0) -> str:
    """What of *value* would not be read again as it is, in words; nothing if all would."""
    kind = type(value)
    if kind in (dict, list, tuple) and depth == DEEPEST:
        return f"it has more than {DEEPEST} levels"
    if kind is list and _finite(value):
        return ""
    if kind is dict:
        for key, inner in value.items():
            if type(key) is not str:
                return f"the key {key!r} is no text"
            if wrong := not_json(inner, depth + 1):
                return wrong
    elif kind is list or kind is tuple:
        for inner in value:
            if wrong := not_json(inner, depth + 1):
                return wrong
    elif isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is no number of JSON"
    elif not (value is None or isinstance(value, str | int)):
        return f"{kind.__name__} is no type of JSON"
    return ""


def _finite(values: list[Any]) -> bool:
    """Whether all are numbers of JSON, as in graphs: without a call for each of ten thousand."""
    return set(map(type, values)) <= {float, int} and all(map(math.isfinite, values))


def write_json_atomically(path: Path, value: Any, *, mode: int = 0o644) -> None:
    """Write indented JSON atomically."""
    write_bytes_atomically(path, as_json(value), mode=mode)
