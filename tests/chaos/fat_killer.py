"""Carry an acceptance run on, and be killed at the first journal write of a kind that nobody was killed at before.

python fat_killer.py BENCH.toml KILLS SHARE SHARES

KILLS         a file with one line for each kill so far
SHARE SHARES  which of how many shares of the kinds to be killed at, 0 the first; all of them together are all kinds

Before the write, in the middle of its bytes, or after it (durable by then), in turn.

A kind is an event and what it tells of. The end of a task, where what it did may be lost, is one kind for each lengthy
function and one for all others; its beginning and the backup after it are one for each of the three ways to die. With
STELLWERK_EVERY_KILL=1 every event of every task is a kind of its own.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from deadly_journal import WAYS, let_writes_be_deadly

from fat.acceptance import launch
from fat.bench.file import load
from scheduler import list_runs
from scheduler.journal import Journal
from scheduler.journal.record import Row

EVERY = os.environ.get("STELLWERK_EVERY_KILL") == "1"
BY_EVERY_WAY = ("task_started", "backup_finished")
LENGTHY = ("record_dark", "inject", "record_and_correct", "acquire")


class Kinds:
    """Names kinds of writes, in the order of a journal."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}
        self._seen: dict[str, list[str]] = {}

    def of(self, event: str, data: Mapping[str, Any]) -> str:
        """The kind of a write; the first is the one that makes the run."""
        if event == "run_created":
            self._calls = {task["id"]: task["call"] for task in data["plan"]["tasks"]}
        task = str(data.get("task", data.get("before", "")))
        if EVERY or not task:
            return f"{event} {task}".strip()
        if event == "task_finished":
            # The lengthy ones each, which lose most; of the others the first.
            function = self._calls[task].rpartition(":")[2]
            return f"{event} {function if function in LENGTHY else 'other'}"
        seen = self._seen.setdefault(event, [])
        if task not in seen:
            seen.append(task)
        return f"{event} {seen.index(task) % len(WAYS) if event in BY_EVERY_WAY else 0}"


def share_of(kind: str, shares: int) -> int:
    """Which of so many shares a kind belongs to."""
    return zlib.adler32(kind.encode()) % shares


def be_killed_at_new_writes(kills: Path, share: int, shares: int) -> None:
    def way_of(journal: Journal, row: Row) -> str | None:
        before = kills.read_text().splitlines()
        kinds = Kinds()
        for known in journal.records:
            kinds.of(known.event, known.data)
        kind = kinds.of(row.event, json.loads(row.data))
        if kind in before or share_of(kind, shares) != share:
            return None
        with kills.open("a") as file:
            file.write(kind + "\n")
        return WAYS[int(kind[-1]) if kind[-1].isdecimal() else len(before) % len(WAYS)]

    let_writes_be_deadly(way_of)


def main(bench: Path, kills: Path, share: int, shares: int) -> int:
    be_killed_at_new_writes(kills, share, shares)
    runs = list_runs(load(bench).data_dir / "fat")
    return launch.resume(runs[-1]) if runs else launch.run_new(bench)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
