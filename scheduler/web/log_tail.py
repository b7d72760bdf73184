"""The end of a task's log, bounded and harmless."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.web.text import harmless

FOLDER: Final = "log"
TAIL_BYTES: Final = 1 << 17
TAIL_LINES: Final = 300
MOST_TEXT: Final = 400
MOST_NAMES: Final = 3000
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}\.log")


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines of a log."""

    name: str
    lines: tuple[str, ...]
    bytes: int
    """Size of the whole log; 0 when there is none."""


def names(run_dir: Path) -> list[str]:
    """The logs of a run, the one written last first."""
    try:
        with os.scandir(run_dir / FOLDER) as entries:
            found = [
                entry
                for entry in entries
                if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ]
            newest = sorted(found, key=lambda entry: -entry.stat(follow_symlinks=False).st_mtime)
    except OSError:
        return []
    return [entry.name for entry in newest[:MOST_NAMES]]


def stamp(run_dir: Path, name: str) -> tuple[int, int]:
    """Changes when the log grows."""
    try:
        seen = (run_dir / FOLDER / name).stat() if NAME.fullmatch(name) else None
    except OSError:
        seen = None
    return (0, 0) if seen is None else (seen.st_size, seen.st_mtime_ns)


def tail(run_dir: Path, name: str, most_lines: int = TAIL_LINES) -> Tail:
    """The last lines of a log; none when it is no log of this run or cannot be read."""
    if not NAME.fullmatch(name):
        return Tail(name[:80], (), 0)
    try:
        descriptor = os.open(
            run_dir / FOLDER / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return Tail(name, (), 0)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        file.seek(max(0, size - TAIL_BYTES))
        content = file.read(TAIL_BYTES)
    lines = content.decode("utf-8", "replace").split("\n")
    if size > TAIL_BYTES and len(lines) > 1:
        del lines[0]  # its beginning is not here
    if lines and not lines[-1]:
        lines.pop()
    # A progress bar writes over itself: what a terminal would show is what follows the last return.
    latest = (line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines[-most_lines:])
    return Tail(name, tuple(harmless(line, MOST_TEXT) for line in latest), size)
