"""The book: one line of JSON for each entry, only ever added to, each with the digest of the line before.

A line that was changed, taken out or put in later is noticed by whoever reads the book (`BookDamaged`), but not that
the last ones are missing. A line that a power cut has torn is cut off by the next entry: nobody was told that it was
written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.errors import FatError

NAME: Final = "logbook.jsonl"
FIRST: Final = "0" * 64


class BookDamaged(FatError):
    """A line of the book is not as it was written."""

    def __init__(self, path: Path, number: int, reason: str) -> None:
        super().__init__(f"{path}:{number}: {reason}; restore the logbook from a copy")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry."""

    number: int
    """1, 2, 3 …"""
    at: str
    """UTC, `2026-03-01T12:00:00Z`."""
    user: str
    form: str
    values: Mapping[str, Any]


class Logbook:
    """A book in a folder, which is made when the first entry is."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path, self._now = folder / NAME, now

    def add(self, user: str, form: str, values: Mapping[str, Any]) -> Entry:
        """Add an entry; it is durable when this returns. Raises BookDamaged, OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            file.truncate(len(whole))
            entries = _read(self._path, whole)
            entry = Entry(len(entries) + 1, f"{self._now():%Y-%m-%dT%H:%M:%SZ}", user, form, dict(values))
            file.write(_line(entry, _digest(whole)))
            file.flush()
            os.fsync(file.fileno())
        return entry

    def entries(self) -> list[Entry]:
        """All entries, oldest first. Raises BookDamaged."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        return _read(self._path, data[: data.rfind(b"\n") + 1])


def _line(entry: Entry, before: str) -> bytes:
    body = {
        "number": entry.number,
        "at": entry.at,
        "user": entry.user,
        "form": entry.form,
        "values": dict(entry.values),
        "before": before,
    }
    return json.dumps(body, allow_nan=False).encode() + b"\n"


def _digest(whole: bytes) -> str:
    """Of the last line."""
    last = whole.rstrip(b"\n").rpartition(b"\n")[2]
    return hashlib.sha256(last).hexdigest() if last else FIRST


def _read(path: Path, whole: bytes) -> list[Entry]:
    entries: list[Entry] = []
    before = FIRST
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            body = json.loads(line)
            entry = Entry(body["number"], body["at"], body["user"], body["form"], body["values"])
            linked = body["before"] == before and entry.number == number
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BookDamaged(path, number, f"is no entry ({error!r})") from None
        if not linked:
            raise BookDamaged(path, number, "does not follow the line before it: something was changed")
        before = hashlib.sha256(line).hexdigest()
        entries.append(entry)
    return entries
