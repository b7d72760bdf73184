"""What a look at the live page costs: a run of 1114 tasks, folded once and then followed.

    python benchmarks/live_page.py [--tasks 1114] [--looks 200]

Prints core milliseconds (process time) for each look, as the page's server spends them for one open page, and the bytes
that it sends.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scheduler import Plan, Task, create_run
from scheduler.journal import Journal
from scheduler.live import LiveFile, Progress
from scheduler.runs import open_run
from scheduler.web import room
from scheduler.web.painting import Painter, View
from scheduler.web.room import Part, Room

KINDS = ("status_check", "online_mon", "constant_monitor", "bootmon", "slowmon", "analysis", "measure_gain")


def a_run(root: Path, tasks: int) -> tuple[Path, Journal]:
    """A run of which half is done, 32 values for each seventh task."""
    plan = Plan(
        "bench",
        tuple(Task(f"{KINDS[n % 7]}_{n}", f"Task {n}", f"bench:{KINDS[n % 7]}") for n in range(tasks)),
        ("bench:ready",),
    )
    run_dir = create_run(root, plan)
    journal = Journal(run_dir)
    started = {"attempt": 1, "host": "here", "pid": 1, "version": "0", "resumed": False}
    journal.append("run_started", started, 0)
    for n, task in enumerate(plan.tasks[: tasks // 2]):
        finish(journal, task.id, n)
    journal.append("task_started", {"task": plan.tasks[tasks // 2].id, "attempt": 1}, tasks * 10**9)
    return run_dir, journal


def finish(journal: Journal, task: str, n: int) -> None:
    """Check, start and end of a task."""
    values = [
        {"device": f"device-{d}", "name": "gain", "value": 1.0 + d, "unit": "1", "about": "", "verdict": "PASS",
         "limit": {"at_least": 0.5, "at_most": 50.0}} for d in range(32)
    ] if n % 7 == 6 else []  # fmt: skip
    sim_ns = n * 10**9
    journal.append(
        "check_finished", {"check": "bench:ready", "before": task, "ok": True, "text": "ready"}, sim_ns
    )
    journal.append("task_started", {"task": task, "attempt": 1}, sim_ns)
    ended = {
        "task": task,
        "attempt": 1,
        "verdict": "PASS",
        "outputs": {"measurements": values},
        "wall_s": 1.0,
    }
    journal.append("task_finished", ended, sim_ns + 10**9)


def measure(name: str, looks: int, prepare: Callable[[int], None], look: Callable[[int], list[Part]]) -> None:
    """Repeat, and print the mean cost of a look and what it sends."""
    sent: dict[str, str] = {part.name: part.digest for part in look(-1)}
    spent = 0.0
    size = 0
    for n in range(looks):
        prepare(n)
        begun = time.process_time()
        parts = look(n)
        spent += time.process_time() - begun
        news = {part.name: [part.digest, part.html] for part in parts if sent.get(part.name) != part.digest}
        sent |= {part.name: part.digest for part in parts}
        size += len(json.dumps(news)) if news else 0
    print(f"{name:<44} {1000 * spent / looks:8.2f} core-ms   {size / looks / 1024:8.1f} KiB sent")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1114)
    parser.add_argument("--looks", type=int, default=200)
    given = parser.parse_args()
    room.PERIOD_S, room.PAID_OFF = 0.0, 0  # every look is a look, and makes all that is due
    with tempfile.TemporaryDirectory() as folder:
        run_dir, journal = a_run(Path(folder), given.tasks)
        painter, now_s = Painter(), time.time()
        plan = open_run(run_dir).plan
        assert plan is not None
        begun = time.process_time()
        seen = Room(run_dir, lambda _plan: [])
        seen.look()
        print(f"{'the first look folds the journal':<44} {1000 * (time.process_time() - begun):8.2f} core-ms")

        def look(n: int, view: str, moves_s: float) -> list[Part]:
            seen.look()
            return painter.parts(seen, View.read(view, {}), now_s + moves_s * n)

        live = LiveFile(run_dir)

        def progress(n: int) -> None:
            told = Progress(plan.tasks[given.tasks // 2].id, 1, n, 1000, "", n, 1000 - n, now_s + n, 0)
            live.show(told, at_once=True)

        def note(n: int) -> None:
            journal.append("task_note", {"task": plan.tasks[given.tasks // 2].id, "text": f"note {n}"}, 0)

        for view in ("schedule", "values", "trends", "log"):
            measure(
                f"{view}: nothing happened", given.looks, lambda _: None, lambda n, v=view: look(n, v, 0.0)
            )
            measure(
                f"{view}: progress, a second later", given.looks, progress, lambda n, v=view: look(n, v, 1.0)
            )
            measure(
                f"{view}: something was journalled", given.looks, note, lambda n, v=view: look(n, v, 0.25)
            )
        journal.__exit__(None, None, None)


if __name__ == "__main__":
    main()
