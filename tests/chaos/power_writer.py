"""Makes a run and writes its journal, for test_scheduler_power.py.

python power_writer.py ROOT power [synchronous=OFF]   acknowledges in ROOT/acknowledged each event that is durable
python power_writer.py ROOT full                      meets a full disk, and makes room again
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scheduler import Plan, Task, create_run, read_journal
from scheduler.errors import JournalUnwritable
from scheduler.journal import Journal, JournalReader

PLAN = Plan("power", (Task("a", "A", "m:f"),))
NOTES = 6


def write_notes(root: Path, run_dir: Path, pragmas: list[str]) -> None:
    """Two engines, one after the other, each with a reader beside it."""
    acknowledged = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(acknowledged, b"1\n")
    for _ in range(2):
        with Journal(run_dir) as journal, JournalReader(run_dir) as reader:
            for pragma in ("wal_autocheckpoint=4", *pragmas):  # the log is cleaned up on the way
                journal._store._pragma(pragma)  # type: ignore[attr-defined]
            for number in range(NOTES):
                journal.append("task_note", {"task": "a", "text": f"note {number} " * 20}, number)
                os.write(acknowledged, f"{len(journal.records)}\n".encode())
                reader.news()


def meet_a_full_disk(root: Path, run_dir: Path) -> None:
    note = {"task": "a", "text": "x" * 9000}
    with Journal(run_dir) as journal:
        journal.append("task_note", note, 1)
        os.close(os.open(root / "FULL_DISK", os.O_CREAT))
        for _ in range(3):
            try:
                journal.append("task_note", note, 2)
            except JournalUnwritable as error:
                sys.stdout.write(f"{error}\n")
        told = journal.records[:]
        assert read_journal(run_dir) == told
        (root / "FULL_DISK").unlink()
        journal.append("task_note", note, 3)
    assert [record.sim_ns for record in read_journal(run_dir)] == [0, 1, 3]


if __name__ == "__main__":
    root, what, *pragmas = sys.argv[1:]
    run_dir = create_run(Path(root), PLAN)
    if what == "full":
        meet_a_full_disk(Path(root), run_dir)
    else:
        write_notes(Path(root), run_dir, pragmas)
