"""Carry an acceptance run on, and be killed at the first journal write of a kind that nobody was killed at before.

python fat_killer.py BENCH.toml KILLS     KILLS: a file with one line for each kill so far
Before the write, in the middle of its bytes, or after it (durable by then), in turn.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from fat.acceptance import launch
from fat.bench.file import load
from scheduler import list_runs
from scheduler.journal import Journal


def kind_of(line: bytes) -> str:
    record = json.loads(line)
    data = record["data"]
    parts = (record["event"], data.get("task", data.get("before", "")))
    return " ".join(str(part) for part in parts if part)


def be_killed_at_new_writes(kills: Path) -> None:
    whole = Journal._write

    def deadly(self: Journal, line: bytes) -> None:
        before = kills.read_text().splitlines()
        kind = kind_of(line)
        if kind in before:
            whole(self, line)
            return
        with kills.open("a") as file:
            file.write(kind + "\n")
        phase = len(before) % 3
        if phase == 1:
            os.write(self._descriptor, line[: len(line) // 2])
        elif phase == 2:
            whole(self, line)
            os.fsync(self._descriptor)
        os.kill(os.getpid(), signal.SIGKILL)

    Journal._write = deadly  # type: ignore[method-assign]


def main(bench: Path, kills: Path) -> int:
    be_killed_at_new_writes(kills)
    runs = list_runs(load(bench).data_dir / "fat")
    return launch.resume(runs[-1]) if runs else launch.run_new(bench)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
