"""What each client did: a line of JSON for each request and each event of a stream, for people who write clients.

A request that only repeats a GET with the same answer is written three times, then at every tenth power: polling would
drown everything else. The file holds MAX_BYTES; what was in it before lies beside it as `conformance.1.jsonl`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

MAX_BYTES: Final = 8 << 20
FLUSH_S: Final = 0.5
"""Longest time for which a line waits for others."""
_FLUSH_LINES: Final = 500
_MAX_REPEATED: Final = 10_000
"""Different requests whose repetitions are counted."""
_ALWAYS: Final = 3


class ConformanceLog:
    """One control unit's log. Used in the event loop's thread."""

    def __init__(self, path: Path, unix_ns: Callable[[], int], *, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._unix_ns, self._max_bytes = path, unix_ns, max_bytes
        self._lines: list[str] = []
        self._repeated: dict[tuple[object, ...], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.lost = 0
        """Lines that could not be written, because the disk is full or the folder is gone."""

    def request(
        self,
        client: str,
        agent: str,
        method: str,
        path: str,
        body: str,
        status: int,
        remarks: Sequence[str],
    ) -> None:
        """Note a request and its answer."""
        times = 1
        if method in ("GET", "HEAD"):
            times = self._count((client, agent, method, path, status, tuple(remarks)))
            if times > _ALWAYS and times != 10 ** (len(str(times)) - 1):
                return
        line: dict[str, Any] = {
            "client": client,
            "agent": agent[:200],
            "method": method,
            "path": path[:300],
            "body": body,
            "status": status,
        }
        if times > 1:
            line["times"] = times
        if remarks:
            line["remarks"] = [remark[:300] for remark in remarks]
        self._add(line)

    def note(self, peer: str, what: str) -> None:
        """Note something that happened elsewhere, e.g. a receiver that connected to a stream."""
        self._add({"client": peer, "event": what[:300]})

    def close(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            self._flush()

    def files(self) -> list[Path]:
        """What there is on the disk, oldest first."""
        return [path for path in (self._path.with_suffix(".1.jsonl"), self._path) if path.is_file()]

    def _count(self, key: tuple[object, ...]) -> int:
        if key not in self._repeated and len(self._repeated) >= _MAX_REPEATED:
            self._repeated.clear()
        self._repeated[key] = self._repeated.get(key, 0) + 1
        return self._repeated[key]

    def _add(self, line: dict[str, Any]) -> None:
        self._lines.append(json.dumps({"unix_ns": self._unix_ns(), **line}) + "\n")
        if len(self._lines) >= _FLUSH_LINES:
            self.close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.close)

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        text = "".join(lines)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            written = self._path.stat().st_size if self._path.exists() else 0
            if written and written + len(text) > self._max_bytes:
                self._path.replace(self._path.with_suffix(".1.jsonl"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            # The log is for people; a unit whose disk is full goes on.
            self.lost += len(lines)
