"""Lets power fail after every call that wrote a run's journal, and looks at what is left, for test_scheduler_power.py.

python power_failures.py ROOT LOG [ENOUGH]

ROOT    where power_writer.py wrote
LOG     what it did (write_log.c)
ENOUGH  stop when so many things are wrong

Prints a JSON array of sentences: what is wrong.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from dropping_disk import Call, Disk, read_log

from scheduler import list_runs, read_journal
from scheduler.errors import JournalCorrupt
from scheduler.journal import Journal, JournalRecord


def losses(root: Path, calls: list[Call], left: Path, enough: int) -> list[str]:
    """Power fails after each of the calls, twice: what was not synchronised is lost, or some of it is."""
    written = read_journal(root / "00001")
    disk, acknowledged, wrong = Disk(), 0, []
    for number, call in enumerate(calls):
        disk.do(call)
        if call.path == "acknowledged":
            acknowledged = int(call.content or 0)
        for rng in (None, random.Random(number)):
            left.mkdir()
            disk.lose_power(left, rng)
            if problem := judge(left, written, acknowledged):
                wrong.append(f"after call {number}, {call.name} {call.path}: {problem}")
            shutil.rmtree(left)
            if len(wrong) == enough:
                return wrong
    assert acknowledged == len(written)
    return wrong


def judge(left: Path, written: list[JournalRecord], acknowledged: int) -> str:
    """What is wrong with the journal that is left; the next engine opens it and goes on."""
    runs = list_runs(left)
    if not runs:
        return "the run is gone" if acknowledged else ""
    try:
        with Journal(runs[0]) as journal:
            found = journal.records[:]
            journal.append("task_note", {"task": "a", "text": "after"}, 0)
    except JournalCorrupt as error:
        return str(error)
    if found != written[: len(found)]:
        return "records are others"
    return "" if acknowledged <= len(found) <= acknowledged + 1 else f"{len(found)} records of {acknowledged}"


if __name__ == "__main__":
    root, log, *enough = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        found = losses(Path(root), read_log(Path(log)), Path(work) / "left", *map(int, enough or [-1]))
    sys.stdout.write(json.dumps(found))
