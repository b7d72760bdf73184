"""Tasks a second through journal and runner, beside two peers, and how long resuming takes.

    PYTHONPATH=. .venv/bin/python benchmarks/scheduler_tasks.py [--quick] [--postgres URL]

Tasks that do nothing, each durable before the next begins: a process for each with its begin and its end in the
journal (SQLite; PostgreSQL too, given a database). The peers, in one run, where their environment has been made:

    python3.11 -m venv .venvs/scheduler-peers
    .venvs/scheduler-peers/bin/pip install --require-hashes -r .ci/locks/scheduler-peers.txt
    apt-get install redis-server

bluesky-queueserver  plans that do nothing, from its queue in Redis (synchronised at each write), run in its worker
OpenHTF              phases that do nothing in one test, in this process; its record is written once, at the end
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scheduler import Engine, Plan, SchedulerTable, Task, WallClock, create_run, read_journal
from scheduler.decide import decide
from scheduler.folding import fold
from scheduler.journal import Journal, JournalRecord
from scheduler.journal.place import open_store, place_of
from scheduler.journal.record import to_row

PEERS = Path(__file__).parents[1] / ".venvs" / "scheduler-peers" / "bin" / "python"
ROUNDS = 3
TASKS_OF_A_FAT = 1114


def databases(postgres: str | None) -> list[tuple[str, str | None]]:
    """Where journals are measured."""
    return [("SQLite", None), *([("PostgreSQL", postgres)] if postgres else [])]


def best_of(rounds: int, act: Callable[[], float]) -> float:
    """The shortest of several, seconds: the machine may be shared."""
    return min(act() for _ in range(rounds))


def engine_s(work: Path, tasks: int, journal: str | None) -> float:
    """Carry a plan of tasks that do nothing out, seconds for all; what starting takes is taken off."""

    def took(count: int) -> float:
        call = "benchmark_scheduler_task:nothing"
        plan = Plan("nothing", tuple(Task(f"t{n}", "", call) for n in range(count)))
        run_dir = create_run(work, plan, journal=journal)
        began = time.perf_counter()
        code = Engine(
            run_dir, plan, WallClock(), {}, SchedulerTable(), preload=["benchmark_scheduler_task"]
        ).run()
        assert code.exit_code == 0
        return time.perf_counter() - began

    took(1)
    return took(tasks + 1) - took(1)


def journal_s(work: Path, events: int, journal: str | None) -> float:
    """Append events, seconds for all."""
    run_dir = create_run(work, Plan("events", (Task("a", "", "m:f"),)), journal=journal)
    with Journal(run_dir) as written:
        began = time.perf_counter()
        for number in range(events):
            written.append("task_note", {"task": "a", "text": f"note {number}"}, number)
        return time.perf_counter() - began


def peer_s(peer: str, tasks: int) -> float | None:
    """What a peer takes for as many; None where it is not installed."""
    if not PEERS.exists() or (peer == "queueserver" and shutil.which("redis-server") is None):
        return None
    program = Path(__file__).with_name("scheduler_peers.py")

    def took() -> float:
        done = subprocess.run([PEERS, program, peer, str(tasks)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{peer} does not run: {done.stderr[-2000:]}")
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"])

    return best_of(ROUNDS, took)


def a_journal(work: Path, events: int, journal: str | None) -> Path:
    """A run of 1114 tasks that was killed after so many events: each begins, notes so much, and ends."""
    tasks = [f"t{number:04}" for number in range(TASKS_OF_A_FAT)]
    plan = Plan("long", tuple(Task(name, f"Task {name}", "m:f", {"hv": 1500}) for name in tasks))
    run_dir = create_run(work, plan, journal=journal)
    notes = max(1, events // TASKS_OF_A_FAT - 2)
    body = {"attempt": 1, "outputs": {"noise_adu": 3.1}, "artefacts": [], "verdict": "PASS", "wall_s": 1.0}
    happened: list[tuple[str, dict[str, object]]] = []
    for name in tasks:
        happened.append(("task_started", {"task": name, "attempt": 1}))
        happened += [("task_note", {"task": name, "text": f"shutter closed, note {n}"}) for n in range(notes)]
        happened.append(("task_finished", {"task": name, **body}))
    happened += [("notification", {"by": "t0000", "severity": "message", "text": "x"})] * events
    store = open_store(place_of(run_dir), write=True)
    made = enumerate(happened[: events - 1], start=2)
    store.append_all([to_row(JournalRecord(n, 1.8e9 + n, n, event, data)) for n, (event, data) in made])
    store.close()
    return run_dir


def resume_s(run_dir: Path) -> tuple[float, float, float]:
    """What an engine that resumes computes until it knows what to do next: opening and reading, folding, deciding.

    Seconds of this process's core, because the machine may be shared; a database in another process is not counted.
    """
    began = time.process_time()
    with Journal(run_dir) as journal:
        read = time.process_time()
        state = fold(journal.records)
        folded = time.process_time()
        decide(state)
        decided = time.process_time()
    assert state.misfits == 0
    return read - began, folded - read, decided - folded


def compare(work: Path, console: Console, tasks: int, postgres: str | None) -> None:
    """Print what a task costs, ours and the peers'."""
    table = Table(title=f"{tasks} tasks that do nothing, best of {ROUNDS}")
    for column in ("who", "ms a task", "tasks/s", "ours takes"):
        table.add_column(column, justify="left" if column == "who" else "right")
    rows: list[tuple[str, float | None]] = []
    for name, address in databases(postgres):
        rows.append((f"stellwerk, {name}", best_of(ROUNDS, partial(engine_s, work, tasks, address))))
    ours = rows[0][1] or 0.0
    rows.append(("bluesky-queueserver, Redis", peer_s("queueserver", tasks)))
    rows.append(("OpenHTF phases, nothing durable", peer_s("openhtf", tasks)))
    for name, address in databases(postgres):
        rows.append(
            (f"stellwerk, an event in {name}", best_of(ROUNDS, partial(journal_s, work, tasks, address)))
        )
    for who, seconds in rows:
        if seconds is None:
            table.add_row(who, "not installed", "", "")
        else:
            table.add_row(
                who, f"{1e3 * seconds / tasks:.2f}", f"{tasks / seconds:.0f}", f"{ours / seconds:.2f} ×"
            )
    console.print(table)


def resuming(work: Path, console: Console, counts: list[int], postgres: str | None) -> None:
    """Print how long resuming takes."""
    table = Table(title=f"Resuming: time of a core until the next step is known, best of {ROUNDS}")
    for column in (
        "events",
        "journal",
        "open and read ms",
        "fold ms",
        "decide ms",
        "together ms",
        "for each event",
    ):
        table.add_column(column, justify="right")
    for count in counts:
        for name, journal in databases(postgres):
            run_dir = a_journal(work, count, journal)
            assert len(read_journal(run_dir)) == count
            times = min((resume_s(run_dir) for _ in range(ROUNDS)), key=sum)
            cells = [f"{1e3 * seconds:.1f}" for seconds in (*times, sum(times))]
            table.add_row(f"{count}", name, *cells, f"{1e6 * sum(times) / count:.1f} µs")
    console.print(table)


def main() -> None:
    """As the first lines of this file say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer tasks and events")
    parser.add_argument("--postgres", metavar="URL", help="a database for journals, postgresql+psycopg://…")
    arguments = parser.parse_args()
    console = Console(width=110)
    with tempfile.TemporaryDirectory(prefix="stellwerk-benchmark-", dir=".") as folder:
        work = Path(folder).resolve()
        # A module of its own, so that task processes load nothing of this one.
        (work / "benchmark_scheduler_task.py").write_text("def nothing(context):\n    pass\n")
        sys.path.insert(0, str(work))
        os.sync()
        console.print(
            f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores"
        )
        compare(work, console, 50 if arguments.quick else 200, arguments.postgres)
        resuming(
            work, console, [1000, 10_000] if arguments.quick else [1000, 10_000, 100_000], arguments.postgres
        )


if __name__ == "__main__":
    main()
