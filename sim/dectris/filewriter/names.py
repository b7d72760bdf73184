"""Names of files, from a pattern that a client wrote."""

from __future__ import annotations

import os
from typing import Final

from sim.errors import SimError

_COMPONENT_BYTES: Final = 200
"""Of a part of a path; file systems take 255, and `_data_000001.h5` is added."""
_DEPTH: Final = 8


class NameRefused(SimError):
    """A name pattern gives no usable file name."""


def base_name(pattern: str, series: int) -> str:
    """The pattern with `$id` replaced: a relative path that stays below its folder. Raises NameRefused."""
    name = pattern.replace("$id", str(series))
    parts = name.split("/")
    if len(parts) > _DEPTH:
        raise NameRefused(f"name_pattern has more than {_DEPTH} folders")
    for part in parts:
        _check_part(pattern, part)
    return name


def _check_part(pattern: str, part: str) -> None:
    shown = repr(pattern[:80])
    if not part or part.startswith("."):
        raise NameRefused(f"name_pattern {shown}: a file or folder cannot be called {part[:80]!r}")
    if not part.isprintable() or "\\" in part:
        raise NameRefused(f"name_pattern {shown} has characters that no file name should have")
    try:
        size = len(os.fsencode(part))
    except UnicodeEncodeError:
        raise NameRefused(f"name_pattern {shown} is not proper text") from None
    if size > _COMPONENT_BYTES:
        raise NameRefused(f"name_pattern: a name is longer than {_COMPONENT_BYTES} bytes")


def master_name(base: str) -> str:
    """Name of the master file."""
    return f"{base}_master.h5"


def data_name(base: str, file: int) -> str:
    """Name of data file number *file*, counted from 0; names count from 1."""
    return f"{base}_data_{file + 1:06d}.h5"


def link_name(base: str, file: int) -> str:
    """The same as seen from the master, which lies in the same folder."""
    return data_name(base.rsplit("/", 1)[-1], file)
