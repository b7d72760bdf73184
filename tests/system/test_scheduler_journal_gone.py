"""A journal whose database goes away: what runs goes on, nothing is begun, and nothing stays switched on for long."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduler import (
    Engine,
    Plan,
    SchedulerTable,
    Task,
    comparable,
    create_run,
    open_run,
    read_journal,
    record,
    resume_time_ns,
)
from scheduler.errors import JournalUnwritable
from scheduler.outage import BACK
from scheduler.requests import submit
from scheduler.state import TaskStatus

HERE = Path(__file__).parent
NEVER_S = 3600.0
"""So patient that only the database's return ends the wait."""


class StepClock:
    """Time jumps to where somebody waits for."""

    def __init__(self, start_ns: int) -> None:
        self.time_ns = start_ns

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


class Ear:
    """Lets something happen at an event, at what a task shows of its progress, or at the first thing in no journal."""

    def __init__(self, **at: Callable[[], None]) -> None:
        self._at = at
        self.heard: list[str] = []
        self.notices: list[str] = []

    def event(self, entry: Any, state: Any) -> None:
        self._happens(f"{entry.event} {entry.data.get('task', '')}".strip())

    def progress(self, progress: Any) -> None:
        if progress.text:
            self._happens(progress.text)

    def unrecorded(self, notice: Any, state: Any) -> None:
        self.notices.append(notice.text)
        self._happens("told")

    def _happens(self, what: str) -> None:
        self.heard.append(what)
        self._at.pop(what.replace(" ", "_"), lambda: None)()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setattr("scheduler.book.PROMPT_S", 0.05)


@pytest.fixture
def server(postgres_server: Any) -> Iterator[Any]:
    """The server of all tests, and up again after this one."""
    yield postgres_server
    if not (postgres_server.folder / "data" / "postmaster.pid").exists():
        postgres_server.up()


@pytest.fixture
def run_dir(tmp_path: Path, server: Any) -> Path:
    return run_of(tmp_path, server.fresh())


def run_of(root: Path, journal: str | None) -> Path:
    root.mkdir(exist_ok=True)
    (root / "told").touch()
    safe = Task("safe", "Safe", "scheduler_tasks:cleans", {"told": str(root / "told")}, always=True)
    tasks = (
        Task("a", "A", "scheduler_tasks:passes"),
        Task("b", "B", "scheduler_tasks:goes_on_alone"),
        Task("c", "C", "scheduler_tasks:passes"),
        safe,
    )
    return create_run(root / "fat", Plan("p", tasks), journal=journal)


def carry_out(run_dir: Path, ear: Ear, patience_s: float = NEVER_S) -> int:
    settings = SchedulerTable(journal_patience_s=patience_s)
    clock = StepClock(resume_time_ns(run_dir) or 0)
    try:
        return Engine(run_dir, None, clock, {}, settings, [ear]).run().exit_code
    except JournalUnwritable as error:
        return error.exit_code


def go(run_dir: Path) -> Callable[[], None]:
    """Let task b go on."""
    return (run_dir / "go").touch


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        run_dir = run_of(tmp_path_factory.mktemp("whole") / "root", None)
        go(run_dir)()
        assert carry_out(run_dir, Ear()) == 0
    return course(run_dir)


def course(run_dir: Path) -> Any:
    """The record, without where the folders of this test are."""
    found = comparable(record(run_dir))
    return {**found, "tasks": [{**task, "arguments": {}} for task in found["tasks"]]}


def test_a_task_goes_on_without_the_database_and_all_is_recorded_when_it_is_back(
    run_dir, server, undisturbed
):
    ear = Ear(waiting=server.down, told=go(run_dir), done=server.up)
    assert carry_out(run_dir, ear) == 0
    # The task worked and waited on the clock; what it told in between came when the database was back.
    told = ear.heard.index("told")
    assert ear.heard[told : told + 4] == ["told", "done", "task_note b", "task_finished b"]
    assert ear.notices[0].startswith("the journal is gone: postgresql+psycopg://postgres@/caldb_")
    assert ear.notices[1:] == [BACK]
    assert course(run_dir) == undisturbed
    assert [task.attempt for task in open_run(run_dir).tasks.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize("at", ["run_started", "task_finished_a", "task_started_b", "task_finished_safe"])
def test_wherever_it_goes_and_comes_back_the_record_is_that_of_an_undisturbed_run(
    run_dir, server, undisturbed, at
):
    go(run_dir)()
    assert carry_out(run_dir, Ear(**{at: server.down}, told=server.up)) == 0
    assert course(run_dir) == undisturbed
    assert open_run(run_dir).attempt == 1


def test_when_the_task_has_ended_and_it_is_still_gone_things_are_cleaned_up(
    run_dir, server, undisturbed, tmp_path
):
    ear = Ear(waiting=server.down, told=go(run_dir))
    assert carry_out(run_dir, ear, 0.1) == 74
    assert ear.heard[-3:] == ["done", "told", "told"]
    assert (tmp_path / "told").read_text() == "safe 0 ['a']\n"
    assert "make it writable, then resume the run" in ear.notices[1]
    assert ear.notices[2] == "cleaned up: safe; resuming the run does it again at its end"
    server.up()
    assert open_run(run_dir).tasks["b"].status is TaskStatus.RUNNING  # nothing was written after that
    assert carry_out(run_dir, Ear()) == 0
    assert course(run_dir) == undisturbed


def test_a_server_that_hangs_is_one_that_is_gone(run_dir, server, tmp_path):
    held: list[int] = []

    def suspend() -> None:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'stellwerk journal'"
        with psycopg.connect(server.url("postgres")) as db:
            held.extend(pid for (pid,) in db.execute(query))
        for pid in held:
            os.kill(pid, signal.SIGSTOP)

    try:
        ear = Ear(task_finished_a=suspend)
        assert carry_out(run_dir, ear, 0.1) == 74
    finally:
        for pid in held:
            os.kill(pid, signal.SIGCONT)
    assert "it does not answer" in ear.notices[0]
    assert (tmp_path / "told").read_text() == "safe 0 ['a']\n"


def test_who_stops_the_run_meanwhile_is_heard_and_other_wishes_wait(run_dir, server):
    def stop() -> None:
        submit(run_dir, "skip", task="c", by="ada", reason="late")
        os.kill(os.getpid(), signal.SIGTERM)

    ear = Ear(waiting=server.down, told=stop, stopped=server.up)
    assert carry_out(run_dir, ear) == 75
    events = [entry.event for entry in read_journal(run_dir)]
    assert events[-6:] == [
        "task_note",
        "run_interrupted",
        "task_skipped",
        "task_started",
        "task_note",
        "task_finished",
    ]
    assert open_run(run_dir).tasks["b"].status is TaskStatus.PENDING
