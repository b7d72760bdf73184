"""A destination that is slow, or never answers: the next backup waits for it, people and the next task do not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler import Engine, Outcome, Plan, SchedulerTable, Task, create_run, open_run, read_journal
from scheduler.backup import packing
from scheduler.backup.archive import members
from scheduler.backup.destination import Directory, open_destination
from scheduler.backup.verifying import Finding, verify
from scheduler.journal.copying import JournalCopy
from scheduler.requests import submit

HERE = Path(__file__).parent
PATIENCE_S = 60.0
During = Callable[["Ear"], None]
Where = tuple[Any, str]
"""A place and a name in it: what is called there while a backup is made."""
READING: Where = (JournalCopy, "follow")
PACKING: Where = (packing, "_compressed")
COPYING: Where = (Directory, "put")


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
            name = record.data.get("task", record.data.get("before"))
            self._heard.update([record.event, f"{record.event} {name}"])
            self._news.notify_all()

    def progress(self, progress):
        pass

    def has_heard(self, event: str) -> bool:
        with self._news:
            return self._heard[event] > 0

    def wait_for(self, event: str, times: int = 1) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self._heard[event] >= times, PATIENCE_S), f"no {event}"


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def task(name: str, function: str, **more) -> Task:
    return Task(name, name.upper(), f"scheduler_tasks:{function}", **more)


def carry_out(run_dir: Path, during: During = lambda _: None, at: Where = COPYING, **settings) -> Outcome:
    """Let *during* happen in the course of the first backup."""
    ear, times, (where, name) = Ear(), [], at
    whole = getattr(where, name)

    def slow(*args: Any) -> Any:
        times.append(args)
        if len(times) == 1:
            during(ear)
        return whole(*args)

    table = SchedulerTable(backup_to=(str(run_dir.parents[1] / "there"),), **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, name, slow)
        return Engine(run_dir, None, StillClock(), {}, table, [ear]).run()


def let_the_engine_look_around(run_dir: Path, ear: Ear) -> None:
    """Until it has decided several times what is to do."""
    for number in (1, 2):
        submit(run_dir, "skip", by="ada", task="none", reason="to see whether it listens")
        ear.wait_for("request_refused", number)


def written(run_dir: Path) -> list[str]:
    """What happened, of tasks with their names."""
    left_out = ("run_created", "run_started", "task_note", "question_asked")
    return [
        f"{entry.event.removeprefix('task_')} {entry.data.get('task', '')}".strip()
        for entry in read_journal(run_dir)
        if entry.event not in left_out
    ]


def test_while_a_backup_is_copied_people_and_tasks_are_served_and_the_next_backup_waits(tmp_path):
    tasks = (
        task("beside", "asks", beside=True, backup=True),
        task("a", "passes", backup=True),
        task("b", "passes"),
        task("c", "passes", backup=True),
        task("d", "waits"),
    )
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks))

    def during(ear: Ear) -> None:
        for number in (1, 2):
            ear.wait_for("question_asked", number)
            submit(run_dir, "answer", by="ada", answer="yes")
        # b and c wait for nothing; d waits for the backup after c or after beside, which wait for this one.
        for event in ("task_finished beside", "task_started b"):
            ear.wait_for(event)
        submit(run_dir, "pause", by="ada")
        ear.wait_for("paused")
        submit(run_dir, "continue", by="ada")
        ear.wait_for("continued")
        let_the_engine_look_around(run_dir, ear)
        assert not ear.has_heard("task_started d")

    assert carry_out(run_dir, during, backup_keep_last=1).exit_code == 0
    told = written(run_dir)
    assert told[:3] == ["started beside", "started a", "finished a"]
    # What ended while the first archive was packed may not be in it: one more holds it, or two.
    first, second, pruned, d = map(
        told.index, ("backup_finished a", "backup_finished beside", "backup_pruned", "started d")
    )
    assert max(told.index("finished beside"), told.index("started b")) < first < second < pruned
    assert first < d
    assert told[-1] == "run_finished"
    assert {open_run(run_dir).tasks[name].backup.verified for name in ("beside", "a", "c")} == {True}
    (archive,) = open_run(run_dir).archives
    assert any(name == "journal.sqlite" for name, _ in members(tmp_path / "there" / archive.file))


def test_the_task_after_the_next_waits_for_the_copy_and_takes_no_time_by_that(tmp_path):
    tasks = (
        task("beside", "waits", beside=True),
        task("a", "passes", backup=True),
        task("b", "passes", backup=True),
        task("c", "passes"),
    )
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks))

    def during(ear: Ear) -> None:
        ear.wait_for("task_finished b")
        let_the_engine_look_around(run_dir, ear)
        assert not ear.has_heard("task_started c")

    assert carry_out(run_dir, during).exit_code == 0
    told = written(run_dir)
    assert told.index("backup_finished a") < told.index("started c")
    assert open_run(run_dir).tasks["c"].started_sim_ns == 0


def test_no_task_begins_before_the_records_were_read_but_checks_do(tmp_path):
    tasks = (task("beside", "waits", beside=True), task("a", "passes", backup=True), task("b", "passes"))
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks, ("scheduler_tasks:well",)))

    def during(ear: Ear) -> None:
        ear.wait_for("check_finished b")
        let_the_engine_look_around(run_dir, ear)
        assert not ear.has_heard("task_started b")

    assert carry_out(run_dir, during, READING).exit_code == 0
    assert open_run(run_dir).tasks["b"].started_sim_ns == 0


def test_what_the_next_task_does_to_the_records_is_not_in_the_archive(tmp_path):
    tasks = (task("a", "leaves_its_name", backup=True), task("b", "leaves_its_name"))
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks))
    assert carry_out(run_dir, lambda ear: ear.wait_for("task_finished b"), PACKING).exit_code == 0
    (archive,) = open_run(run_dir).archives
    contents = dict(members(tmp_path / "there" / archive.file))
    assert contents["latest.json"] == b'"a"'
    assert (run_dir / "latest.json").read_text() == '"b"'


def test_who_aborts_while_a_backup_is_copied_has_the_bench_safe_before_it_is_there(tmp_path):
    tasks = (
        task("a", "passes", backup=True),
        task("b", "passes", backup=True),
        task("c", "passes"),
        task("safe", "waits", always=True),
    )
    run_dir = create_run(tmp_path / "fat", Plan("p", tasks))

    def during(ear: Ear) -> None:
        ear.wait_for("task_finished b")
        submit(run_dir, "abort", by="ada", reason="smoke")
        ear.wait_for("task_finished safe")

    assert carry_out(run_dir, during).exit_code == 75
    told = [
        "started a",
        "finished a",
        "started b",
        "finished b",
        "run_interrupted",
        "started safe",
        "finished safe",
        "backup_finished a",
        "backup_finished b",
    ]
    assert written(run_dir) == told
    assert carry_out(run_dir).exit_code == 0
    again = ["started c", "finished c", "started safe", "finished safe", "run_finished"]
    assert written(run_dir)[len(told) :] == again


def test_a_backup_that_hangs_is_left_behind_and_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.backup.destination.LIMIT_S", 0.3)
    run_dir = create_run(tmp_path / "fat", Plan("p", (task("a", "passes", backup=True), task("b", "passes"))))
    assert carry_out(run_dir, lambda ear: ear.wait_for("run_finished")).exit_code == 0
    told = written(run_dir)
    assert sorted(told[2:-1]) == ["backup_failed a", "finished b", "started b"]
    assert told[-1] == "run_finished"
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


def test_killed_in_the_middle_of_a_copy_the_backup_is_made_when_the_run_is_taken_up(tmp_path):
    run_dir = create_run(tmp_path / "fat", Plan("p", (task("a", "passes", backup=True), task("b", "passes"))))
    there = tmp_path / "there"
    path = os.pathsep.join(filter(None, sys.path))
    died = subprocess.run(
        [sys.executable, "-c", DIES, HERE, run_dir, there],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert died.returncode == -9
    told = written(run_dir)
    assert told[:2] == ["started a", "finished a"]
    (half,) = (there / "00001").iterdir()
    assert half.stat().st_size == 100

    assert carry_out(run_dir).exit_code == 0
    again = {"backup_finished a", "finished b", "run_finished"}
    assert set(written(run_dir)[len(told) :]) - {"started b"} == again
    found = verify(open_destination(str(there)), "00001", open_run(run_dir).archives)
    assert [one.finding for one in found] == [Finding.GOOD]
