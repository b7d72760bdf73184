"""The outbox: messages that must not be lost, in a file beside the journal.

One JSON object a line, appended and flushed to the disk: a message when it is written, a mark when it was delivered or
given up. What has no mark goes out, perhaps a second time, when the run is taken up again: at least once.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

OUTBOX_NAME: Final = "outbox.jsonl"
Severity = Literal["message", "warning"]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One text for one receiver."""

    id: str
    """The journal record that it tells of, and a number: the same record makes the same message again."""
    severity: Severity
    receiver: str
    text: str


class Outbox:
    """Messages of one run. Raises nothing for a file that is damaged: a line that cannot be read is left out."""

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._path, self._changed = path, changed
        self._lock = threading.Lock()
        self._waiting: dict[str, OutgoingMessage] = {}
        self._known: set[str] = set()
        self.given_up = 0
        self._load()

    def _load(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError, KeyError):
                    self._apply(json.loads(line))

    def _apply(self, entry: dict[str, Any]) -> None:
        if "text" in entry:
            message = OutgoingMessage(**entry)
            self._known.add(message.id)
            self._waiting[message.id] = message
            return
        self._waiting.pop(entry["done"], None)
        self.given_up += "why" in entry

    def put(self, message: OutgoingMessage) -> None:
        """Keep a message for delivery, unless it is known already."""
        with self._lock:
            if message.id in self._known:
                return
            self._write(asdict(message))
            self._known.add(message.id)
            self._waiting[message.id] = message
        self._changed()

    def next(self) -> OutgoingMessage | None:
        """The oldest message that waits."""
        with self._lock:
            return next(iter(self._waiting.values()), None)

    def delivered(self, message: OutgoingMessage) -> None:
        """Mark it; it does not go out again."""
        self._mark(message, {"done": message.id})

    def give_up(self, message: OutgoingMessage, why: str) -> None:
        """Mark a message that the receiver's server will never take."""
        self.given_up += 1
        self._mark(message, {"done": message.id, "why": why})

    def _mark(self, message: OutgoingMessage, entry: dict[str, Any]) -> None:
        with self._lock:
            self._write(entry)
            self._waiting.pop(message.id, None)

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def _write(self, entry: dict[str, Any]) -> None:
        # A full disk must not stop the run: the message then lives in memory only.
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
