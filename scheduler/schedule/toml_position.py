"""Where in a TOML text a key stands, so that an error can name the line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Path = tuple[str | int, ...]

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def line_numbers(text: str) -> dict[Path, int]:
    """Line (from 1) of every table header and key of a valid TOML text, by path.

    Entries of arrays of tables have their index in the path. Keys inside inline tables are not listed.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _enter(_parts(header.group(2)), array=header.group(1) == "[[", counts=counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            path = table + _parts(key.group(1))
            for depth in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:depth], number)
    return lines


def _enter(names: Sequence[str], *, array: bool, counts: dict[Path, int]) -> Path:
    """The path of a table header, with the running index of each array of tables in it."""
    path: Path = ()
    for depth, name in enumerate(names):
        path = (*path, name)
        last = depth == len(names) - 1
        if array and last:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def line_of(text: str, path: Path) -> int | None:
    """The line of a key, or of the nearest enclosing key or table that has one.

    A table that only headers of its parts imply stands where the first of them does.
    """
    lines = line_numbers(text)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
        inside = [line for other, line in lines.items() if other[:length] == path[:length]]
        if inside:
            return min(inside)
    return None
