"""The outbox: which messages of a run were delivered, in a file beside the journal.

The messages themselves are not kept: the journal's records make them again, the same each time. The file holds a mark
for each that was delivered or refused, one JSON object a line, appended and synchronised to the disk as soon as the
receiver's server has answered. What has no mark goes out.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from scheduler.notify.notice import OutgoingMessage


class Outbox:
    """Messages of one run through one messenger.

    A mark that cannot be read is left out: its message goes out again. Where the disk takes no mark, memory keeps it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._waiting: dict[str, OutgoingMessage] = {}
        self._settled: set[str] = set()
        self._roots: dict[str, Mapping[str, str]] = {}
        self._torn = False
        self.refused = 0
        self._load()

    def _load(self) -> None:
        with contextlib.suppress(OSError):  # better told twice than a run that does not begin
            content = self.path.read_bytes()
            self._torn = bool(content) and not content.endswith(b"\n")
            for line in content.split(b"\n"):
                with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                    self._apply(json.loads(line))

    def _apply(self, mark: dict[str, Any]) -> None:
        self._settled.add(mark["done"])
        self.refused += "refused" in mark
        if "root" in mark:
            self._roots.setdefault(str(mark["receiver"]), dict(mark["root"]))

    def put(self, message: OutgoingMessage) -> None:
        """Let a message wait for delivery, unless it was settled or waits already."""
        with self._lock:
            if not self.settled(message):
                self._waiting.setdefault(message.id, message)

    def settled(self, message: OutgoingMessage) -> bool:
        """Whether it was delivered or refused."""
        return message.id in self._settled

    def next(self, resting: Container[str]) -> OutgoingMessage | None:
        """The oldest message that waits, but for these receivers."""
        with self._lock:
            return next((m for m in self._waiting.values() if m.receiver not in resting), None)

    def root(self, receiver: str) -> Mapping[str, str] | None:
        """What the first message to this receiver returned, if it returned anything."""
        return self._roots.get(receiver)

    def delivered(self, message: OutgoingMessage, receipt: Mapping[str, str]) -> None:
        """Mark it; it does not go out again."""
        mark: dict[str, Any] = {"done": message.id}
        if receipt and message.receiver not in self._roots:
            self._roots[message.receiver] = receipt
            mark |= {"receiver": message.receiver, "root": dict(receipt)}
        self._settle(message, mark)

    def refuse(self, message: OutgoingMessage, why: str) -> None:
        """Mark a message that the receiver's server will never take."""
        self.refused += 1
        self._settle(message, {"done": message.id, "refused": why, "text": message.notice.plain})

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def _settle(self, message: OutgoingMessage, mark: dict[str, Any]) -> None:
        # Before the lock: whoever puts a message, the engine, must not wait for the disk.
        with contextlib.suppress(OSError):
            self._write(json.dumps(mark).encode() + b"\n")
        with self._lock:
            self._settled.add(message.id)
            self._waiting.pop(message.id, None)

    def _write(self, line: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            # A half line of a writer that was killed must not swallow this one.
            whole = b"\n" + line if self._torn else line
            self._torn = True
            self._torn = file.write(whole) != len(whole)
            os.fsync(file.fileno())
