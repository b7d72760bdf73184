"""A destination that is slow, or never answers: the next task waits for it, people and running tasks do not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler import Engine, Outcome, Plan, SchedulerTable, Task, create_run, open_run, read_journal
from scheduler.backup.archive import members
from scheduler.backup.destination import Directory, open_destination
from scheduler.backup.verifying import Finding, verify
from scheduler.requests import submit

HERE = Path(__file__).parent
PATIENCE_S = 60.0


class StillClock:
    """Time jumps to where somebody waits for."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


class Ear:
    """A listener on whose events another thread can wait."""

    def __init__(self) -> None:
        self._heard: Counter[str] = Counter()
        self._news = threading.Condition()

    def event(self, record, state):
        with self._news:
            self._heard.update([record.event, f"{record.event} {record.data.get('task')}"])
            self._news.notify_all()

    def progress(self, progress):
        pass

    def wait_for(self, event: str, times: int = 1) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self._heard[event] >= times, PATIENCE_S), f"no {event}"


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def task(name: str, function: str, **more) -> Task:
    return Task(name, name.upper(), f"scheduler_tasks:{function}", **more)


def carry_out(run_dir: Path, during: Callable[[Ear], None] = lambda _: None, **settings) -> Outcome:
    """Let *during* happen while the first backup is being copied."""
    ear, whole, times = Ear(), Directory.put, []

    def slow(self: Directory, source: Path, name: str) -> None:
        times.append(name)
        if len(times) == 1:
            during(ear)
        whole(self, source, name)

    table = SchedulerTable(backup_to=(str(run_dir.parents[1] / "there"),), **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Directory, "put", slow)
        return Engine(run_dir, None, StillClock(), {}, table, [ear]).run()


def written(run_dir: Path) -> list[str]:
    """What happened, of tasks with their names."""
    left_out = ("run_created", "run_started", "task_note", "question_asked")
    return [
        f"{entry.event.removeprefix('task_')} {entry.data.get('task', '')}".strip()
        for entry in read_journal(run_dir)
        if entry.event not in left_out
    ]


def test_while_a_backup_is_copied_people_and_running_tasks_are_served_and_the_next_task_waits(tmp_path):
    run_dir = create_run(
        tmp_path / "fat",
        Plan(
            "p",
            (
                task("beside", "asks", beside=True, backup=True),
                task("a", "passes", backup=True),
                task("b", "waits"),
            ),
        ),
    )

    def during(ear: Ear) -> None:
        submit(run_dir, "pause", by="ada")
        ear.wait_for("paused")
        submit(run_dir, "continue", by="ada")
        ear.wait_for("continued")
        for number in (1, 2):
            ear.wait_for("question_asked", number)
            submit(run_dir, "answer", by="ada", answer="yes")
        ear.wait_for("task_finished beside")

    assert carry_out(run_dir, during, backup_keep_last=1).exit_code == 0
    told = written(run_dir)
    assert told[:4] == ["started beside", "started a", "finished a", "paused"]
    assert told[4:8] == ["continued", *["question_answered beside"] * 2, "finished beside"]
    # What ended while the first archive was packed may not be in it: it has one of its own, and b waited for both.
    assert told[8:] == [
        "backup_finished a",
        "backup_finished beside",
        "backup_pruned",
        "started b",
        "finished b",
        "run_finished",
    ]
    (archive,) = open_run(run_dir).archives
    assert any(name == "journal.sqlite" for name, _ in members(tmp_path / "there" / archive.file))


def test_who_aborts_while_a_backup_is_copied_has_the_bench_safe_before_it_is_there(tmp_path):
    tasks = (task("a", "passes", backup=True), task("b", "passes"), task("safe", "waits", always=True))
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks))

    def during(ear: Ear) -> None:
        submit(run_dir, "abort", by="ada", reason="smoke")
        ear.wait_for("task_finished safe")

    assert carry_out(run_dir, during).exit_code == 75
    told = [
        "started a",
        "finished a",
        "run_interrupted",
        "started safe",
        "finished safe",
        "backup_finished a",
    ]
    assert written(run_dir) == told
    assert carry_out(run_dir).exit_code == 0
    again = ["started b", "finished b", "started safe", "finished safe", "run_finished"]
    assert written(run_dir)[len(told) :] == again


def test_a_backup_that_hangs_is_left_behind_and_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.backup.destination.LIMIT_S", 0.3)
    run_dir = create_run(tmp_path / "fat", Plan("p", (task("a", "passes", backup=True), task("b", "passes"))))
    assert carry_out(run_dir, lambda ear: ear.wait_for("run_finished")).exit_code == 0
    assert written(run_dir)[2:] == ["backup_failed a", "started b", "finished b", "run_finished"]
    failed = next(entry for entry in read_journal(run_dir) if entry.event == "backup_failed")
    assert "took longer than 0 s and was left behind" in failed.data["error"]


DIES = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_scheduler_slow_backup import StillClock
from scheduler import Engine, SchedulerTable
from scheduler.backup import destination

class Half:
    def copyfileobj(source, target):
        target.write(source.read(100))
        target.flush()
        os.kill(os.getpid(), signal.SIGKILL)

destination.shutil = Half
Engine(Path(sys.argv[2]), None, StillClock(), {}, SchedulerTable(backup_to=(sys.argv[3],))).run()
"""


def test_killed_in_the_middle_of_a_copy_the_backup_is_made_before_the_next_task(tmp_path):
    run_dir = create_run(tmp_path / "fat", Plan("p", (task("a", "passes", backup=True), task("b", "passes"))))
    there = tmp_path / "there"
    path = os.pathsep.join(filter(None, sys.path))
    died = subprocess.run(
        [sys.executable, "-c", DIES, HERE, run_dir, there],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert died.returncode == -9
    assert written(run_dir) == ["started a", "finished a"]
    (half,) = (there / "00001").iterdir()
    assert half.stat().st_size == 100

    assert carry_out(run_dir).exit_code == 0
    assert written(run_dir)[2:] == ["backup_finished a", "started b", "finished b", "run_finished"]
    found = verify(open_destination(str(there)), "00001", open_run(run_dir).archives)
    assert [one.finding for one in found] == [Finding.GOOD]
