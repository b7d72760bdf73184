"""A toy plan, and a program that carries it out and is killed on the way. Used by test_scheduler_*.py.

python scheduler_toy.py ROOT            every kill there is; prints one JSON line for each
python scheduler_toy.py ROOT 0 2        those at one of two shares of the writes, 0 the first
python scheduler_toy.py ROOT once       one run that goes through
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import sqlalchemy.dialects.sqlite  # noqa: F401  # half a second of a core, which each forked engine would spend anew
from deadly_journal import WAYS, let_writes_be_deadly

from scheduler import (
    Engine,
    Plan,
    SchedulerTable,
    Task,
    comparable,
    create_run,
    list_runs,
    read_journal,
    record,
    resumable,
    resume_time_ns,
)
from scheduler.journal import Journal
from scheduler.journal.record import Row
from scheduler.requests import submit


class JumpClock:
    """Simulated time that jumps to wherever someone wants to be."""

    def __init__(self, start_ns: int = 0) -> None:
        self.time_ns = start_ns

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


class Assent:
    """Somebody who says yes to every question."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir

    def event(self, record, state):
        if record.event == "question_asked":
            submit(self._run_dir, "answer", by="ada", answer="yes", question=str(record.seq))

    def progress(self, progress):
        pass


PLAN = Plan(
    "toy",
    (
        Task("dark", "Dark", "scheduler_toy_tasks:measure_in_parts", {"steps": 5}, backup=True),
        Task("analyse", "Analyse", "scheduler_toy_tasks:analyse", beside=True, timed=False),
        Task("flat", "Flat", "scheduler_toy_tasks:measure", {"steps": 2, "verdict": "FAIL"}),
        Task("gate", "Gate", "scheduler.manual:manual_input", {"message": "Go on?"}, after=("analyse",)),
        Task(
            "bright",
            "Bright",
            "scheduler_toy_tasks:measure",
            {"steps": 7, "failures": 1},
            backup=True,
            retries=1,
            retry_pause_s=3.0,
        ),
        Task("lights_off", "Lights off", "scheduler_toy_tasks:measure", {"steps": 1}, always=True),
    ),
    checks=("scheduler_toy_tasks:all_is_well",),
    parameters={"colour": "green"},
)


def carry_out(root: Path) -> None:
    """Make the run if it is not there, then carry it on to its end."""
    runs = list_runs(root)
    run_dir = runs[0] if runs else create_run(root, PLAN)
    clock = JumpClock(resume_time_ns(run_dir) or 0)
    listeners = [Assent(run_dir)]
    Engine(run_dir, None, clock, {}, SchedulerTable(), listeners, ["scheduler_toy_tasks"]).run()


def die_at(write: int, where: str) -> None:
    """Let this process be killed at its *write*-th journal write: before, within or after it (durable by then).

    *write* 0 is the last one. What runs beside makes the number of writes differ by one.
    """
    writes = 0

    def way_of(_journal: Journal, row: Row) -> str | None:
        nonlocal writes
        writes += 1
        return where if writes == write or (write == 0 and row.event == "run_finished") else None

    let_writes_be_deadly(way_of)


def in_child(root: Path, *deaths: tuple[int, str]) -> int:
    """Carry out in a forked process, which may die. Returns its wait status as an exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for write, where in deaths:
                die_at(write, where)
            carry_out(root)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def twice_run(run_dir: Path) -> list[str]:
    """Tasks that were started again after they had finished, and questions asked again after they were answered."""
    over: set[str] = set()
    wrong = []
    for entry in read_journal(run_dir):
        kind, _, what = entry.event.partition("_")
        if kind not in ("task", "question"):
            continue
        name = f"{kind} {entry.data.get('task')}"
        if what in ("finished", "answered"):
            over.add(name)
        if what in ("started", "asked") and name in over:
            wrong.append(name)
    return wrong


def tell(**what: object) -> None:
    """One line for the test."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def twice_killed(root: Path, expected: object, write: int, again: int) -> None:
    """Kill after a write, then the engine that goes on, after its *again*-th; then let it go through."""
    here = root / f"{write}-then-{again}"
    died = [in_child(here, (write, "after")), in_child(here, (again, "after"))]
    ended = in_child(here)
    run_dir = here / "00001"
    tell(
        write=write,
        where=f"after, then after {again} more",
        died=max(died),
        ended=ended,
        equal=comparable(record(run_dir)) == expected,
        twice=twice_run(run_dir),
        left=resumable(run_dir),
    )


def every_kill(root: Path, share: int = 0, shares: int = 1) -> None:
    """An undisturbed run, then one for each kill at a share of the writes; say how the records compare.

    With as many ways to die as there are, and shares that have no divisor in common with them, each share has all ways.
    """
    assert in_child(root / "whole") == 0
    whole = root / "whole" / "00001"
    expected = comparable(record(whole))
    writes = len(read_journal(whole))
    tell(writes=writes, verdict=expected["verdict"])
    for write in range(share, writes, shares):
        where = WAYS[write % len(WAYS)]
        here = root / f"{write}-{where}"
        died = in_child(here, (write, where))
        ended = in_child(here)
        run_dir = here / "00001"
        tell(
            write=write,
            where=where,
            died=died,
            ended=ended,
            equal=comparable(record(run_dir)) == expected,
            twice=twice_run(run_dir),
            left=resumable(run_dir),
        )
    for write in range(2 + 3 * share, writes - 2, 3 * shares):
        twice_killed(root, expected, write, again=1 + write % 3)


if __name__ == "__main__":
    if sys.argv[2:] == ["once"]:
        carry_out(Path(sys.argv[1]))
    else:
        every_kill(Path(sys.argv[1]), *map(int, sys.argv[2:]))
