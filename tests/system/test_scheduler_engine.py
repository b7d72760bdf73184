"""The engine with real task processes."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from scheduler import (
    Engine,
    JournalRecord,
    Outcome,
    Plan,
    Progress,
    RunState,
    SchedulerTable,
    Task,
    Verdict,
    create_run,
    open_run,
    read_journal,
)
from scheduler.errors import ClockLost, JournalBusy, LauncherLost, PlanRejected, RunNotFound
from scheduler.journal import Journal, being_written
from scheduler.requests import submit
from scheduler.state import TaskStatus

HERE = Path(__file__).parent


@dataclass
class StepClock:
    """Time that jumps to where someone waits for; lost when told so."""

    time_ns: int = 0
    lost: bool = False
    interrupted: threading.Event = field(default_factory=threading.Event)

    def now_ns(self) -> int:
        if self.lost:
            raise ClockLost("the bench is gone")
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        if t_ns >= 1 << 60:
            self.interrupted.wait()
        else:
            self.time_ns = max(self.time_ns, t_ns)
        return self.now_ns()

    def interrupt(self) -> None:
        self.interrupted.set()


@dataclass
class Ear:
    """A listener that remembers, and that answers an event by an act."""

    acts: dict[str, object] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    progressed: list[Progress] = field(default_factory=list)

    def event(self, record: JournalRecord, state: RunState) -> None:
        self.events.append(record.event)
        assert state.seq == record.seq
        act = self.acts.pop(record.event, None)
        if callable(act):
            act()

    def progress(self, progress: Progress) -> None:
        self.progressed.append(progress)


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def task(name: str, function: str, **more) -> Task:
    return Task(name, name.upper(), f"scheduler_tasks:{function}", **more)


def run_of(tmp_path: Path, *tasks: Task, checks=(), parameters=None) -> Path:
    named = tuple(f"scheduler_tasks:{check}" for check in checks)
    return create_run(tmp_path / "fat", Plan("plan", tasks, named, parameters or {}))


def carry_out(run_dir: Path, *listeners, clock=None, environment=None, grace_s=5.0, preload=()) -> Outcome:
    settings = SchedulerTable(stop_grace_s=grace_s)
    return Engine(run_dir, None, clock or StepClock(), environment or {}, settings, listeners, preload).run()


def verdicts(run_dir: Path) -> dict[str, str]:
    return {name: str(state.verdict) for name, state in open_run(run_dir).tasks.items()}


def test_tasks_run_in_order_and_pass(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"), task("b", "passes", backup=True), checks=["well"])
    outcome = carry_out(run_dir)
    assert outcome == Outcome(Verdict.PASS, 0, interrupted=False)
    assert [r.event for r in read_journal(run_dir)] == [
        "run_created",
        "run_started",
        *["check_finished", "task_started", "task_note", "task_finished"] * 2,
        "backup_finished",
        "run_finished",
    ]
    assert [r.data["text"] for r in read_journal(run_dir) if r.event == "task_note"] == ["a ran", "b ran"]
    backup = open_run(run_dir).tasks["b"].backup
    assert backup is not None
    assert (tmp_path / "backup" / backup.file).parent == tmp_path / "backup" / "00001"
    assert not (run_dir / "live.json").exists()
    assert not being_written(run_dir)


def test_a_failed_limit_is_a_result_and_the_plan_goes_on(tmp_path):
    run_dir = run_of(tmp_path, task("a", "fails"), task("b", "passes"))
    assert carry_out(run_dir).exit_code == 1
    assert verdicts(run_dir) == {"a": "FAIL", "b": "PASS"}
    assert open_run(run_dir).tasks["a"].outputs == {"noise": 9.5}


def test_a_failure_that_stops_skips_the_rest_but_what_always_runs(tmp_path):
    run_dir = run_of(
        tmp_path, task("a", "fails", on_fail="stop"), task("b", "passes"), task("c", "passes", always=True)
    )
    assert carry_out(run_dir) == Outcome(Verdict.FAIL, 1, interrupted=False)
    assert verdicts(run_dir) == {"a": "FAIL", "b": "SKIPPED", "c": "PASS"}
    assert open_run(run_dir).tasks["b"].reason == "a failed"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("breaks", "RuntimeError: the pump is off"),
        ("exits", "SystemExit: I leave"),
        ("vanishes", "ended with exit code 7 and no result"),
        ("crashes", "killed by SIGSEGV"),
        ("returns_nonsense", "returned str; a task returns a TaskResult or None"),
        ("returns_nan", "outputs that are not JSON"),
        ("returns_too_much", "write them to a file"),
    ],
)
def test_what_goes_wrong_in_a_task_is_an_error_of_the_bench(tmp_path, function, told):
    run_dir = run_of(tmp_path, task("a", function), task("b", "passes"), task("c", "passes", always=True))
    assert carry_out(run_dir) == Outcome(Verdict.ERROR, 3, interrupted=False)
    state = open_run(run_dir)
    assert told in state.tasks["a"].error
    assert verdicts(run_dir) == {"a": "ERROR", "b": "UNSET", "c": "PASS"}


def test_an_error_keeps_its_traceback(tmp_path):
    run_dir = run_of(tmp_path, task("a", "breaks"))
    carry_out(run_dir)
    assert 'raise RuntimeError("the pump is off")' in open_run(run_dir).tasks["a"].traceback
    assert "the pump is off" in (run_dir / "log" / "a.log").read_text()


def test_resuming_runs_again_what_broke_and_what_cleaned_up(tmp_path):
    run_dir = run_of(
        tmp_path,
        task("a", "passes"),
        task("b", "breaks_until_mended"),
        task("c", "fails"),
        task("d", "passes", always=True),
    )
    assert carry_out(run_dir).exit_code == 3
    (run_dir / "mended").touch()
    assert carry_out(run_dir) == Outcome(Verdict.FAIL, 1, interrupted=False)
    attempts = {name: state.attempt for name, state in open_run(run_dir).tasks.items()}
    assert attempts == {"a": 1, "b": 2, "c": 1, "d": 2}


def test_resuming_a_finished_run_does_nothing_and_says_so(tmp_path):
    run_dir = run_of(tmp_path, task("a", "fails"))
    carry_out(run_dir)
    written = read_journal(run_dir)
    assert carry_out(run_dir) == Outcome(Verdict.FAIL, 0, interrupted=False, nothing_left=True)
    assert read_journal(run_dir) == written


def test_a_task_that_aborts_stops_the_run(tmp_path):
    run_dir = run_of(tmp_path, task("a", "aborts"), task("b", "passes"))
    assert carry_out(run_dir).exit_code == 75
    assert verdicts(run_dir) == {"a": "ABORTED", "b": "UNSET"}


def test_a_task_that_takes_too_long_is_stopped_and_may_clean_up(tmp_path):
    run_dir = run_of(tmp_path, task("a", "dawdles", timeout_s=0.3))
    assert carry_out(run_dir).exit_code == 3
    assert open_run(run_dir).tasks["a"].error == "took longer than 0.3 s and was stopped"
    assert (run_dir / "cleaned").exists()


def test_a_task_that_does_not_stop_is_killed(tmp_path):
    run_dir = run_of(tmp_path, task("a", "ignores_stop", timeout_s=0.3))
    assert carry_out(run_dir, grace_s=0.3).exit_code == 3
    assert "took longer" in open_run(run_dir).tasks["a"].error


def test_a_failing_check_stops_before_the_task(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"), task("b", "passes"), checks=["well", "unwell_before_b"])
    assert carry_out(run_dir).exit_code == 3
    state = open_run(run_dir)
    assert state.tasks["b"].status is TaskStatus.PENDING
    assert state.stop is not None
    assert "module 3 is silent before b" in state.stop.text


def test_a_check_that_breaks_stops_too(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"), checks=["check_breaks"])
    assert carry_out(run_dir).exit_code == 3
    assert (
        "no route to the module" in open_run(run_dir).tasks["a"].checks["scheduler_tasks:check_breaks"].text
    )


def test_a_task_is_told_everything_and_the_token_is_never_written(tmp_path):
    run_dir = run_of(
        tmp_path, task("a", "fails"), task("b", "tells_all", arguments={"x": [1]}), parameters={"serial": "7"}
    )
    carry_out(run_dir, environment={"token": "s3cret"})
    assert open_run(run_dir).tasks["b"].outputs == {
        "arguments": {"x": [1]},
        "parameters": {"serial": "7"},
        "results": {"a": {"noise": 9.5}},
        "title": "B",
        "attempt": 1,
    }
    assert (run_dir / "seen").read_text() == "s3cret"
    assert all(b"s3cret" not in path.read_bytes() for path in run_dir.glob("journal*"))
    assert (run_dir / "log" / "b.log").read_text() == "to standard output\n"


def test_a_task_waits_on_the_engines_clock(tmp_path):
    run_dir = run_of(tmp_path, task("a", "waits"), task("b", "passes"))
    carry_out(run_dir, clock=StepClock(1_000))
    state = open_run(run_dir)
    assert state.tasks["a"].outputs == {"waited_ns": 5_000_000_000}
    assert state.tasks["b"].started_sim_ns == 5_000_001_000


def test_a_task_whose_clock_is_lost_is_an_error(tmp_path):
    run_dir = run_of(tmp_path, task("a", "waits"))
    assert carry_out(run_dir, clock=StepClock(lost=True)).exit_code == 3
    assert open_run(run_dir).tasks["a"].error == "ClockLost: the bench is gone"


def test_progress_is_thinned_and_its_end_always_shown(tmp_path):
    ear = Ear()
    carry_out(run_of(tmp_path, task("a", "shows_progress")), ear)
    assert 2 <= len(ear.progressed) < 100
    assert (ear.progressed[0].done, ear.progressed[-1].done) == (0, 1000)
    assert ear.progressed[-1].remaining_s == 0


def test_a_listener_that_raises_is_logged_once_and_stops_nothing(tmp_path):
    class Broken:
        def event(self, record, state):
            raise OSError("no network")

        def progress(self, progress):
            raise OSError("no network")

    ear = Ear()
    with capture_logs() as logs:
        outcome = carry_out(run_of(tmp_path, task("a", "shows_progress")), Broken(), ear)
    assert outcome.exit_code == 0
    assert [entry["listener"] for entry in logs] == ["Broken"]
    assert ear.events[-1] == "run_finished"


def test_abort_stops_the_running_task_and_what_always_runs_still_does(tmp_path):
    run_dir = run_of(tmp_path, task("a", "dawdles"), task("b", "passes"), task("c", "passes", always=True))
    ear = Ear({"task_note": lambda: submit(run_dir, "abort", by="ada", reason="smoke")})
    assert carry_out(run_dir, ear) == Outcome(Verdict.ABORTED, 75, interrupted=True)
    state = open_run(run_dir)
    assert state.stop is not None
    assert state.stop.text == "aborted by ada: smoke"
    assert (run_dir / "cleaned").exists()
    assert verdicts(run_dir) == {"a": "ABORTED", "b": "UNSET", "c": "PASS"}


def test_abort_ends_a_wait_on_the_clock(tmp_path):
    run_dir = run_of(tmp_path, task("a", "waits_beyond_patience"))
    ear = Ear({"task_note": lambda: submit(run_dir, "abort", reason="enough")})
    assert carry_out(run_dir, ear).exit_code == 75


def test_pause_holds_between_tasks_until_continue(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"), task("b", "passes"))
    ear = Ear(
        {
            "task_started": lambda: submit(run_dir, "pause", by="ada"),
            "paused": lambda: submit(run_dir, "continue", by="bob"),
        }
    )
    assert carry_out(run_dir, ear).exit_code == 0
    told = [(r.event, r.data.get("by")) for r in read_journal(run_dir) if r.event in ("paused", "continued")]
    assert told == [("paused", "ada"), ("continued", "bob")]
    assert ear.events.index("task_finished") < ear.events.index("paused")


def test_what_is_to_come_can_be_left_out_and_moved_while_a_run_goes_on(tmp_path):
    run_dir = run_of(tmp_path, *(task(name, "passes") for name in "abcd"))

    def wish() -> None:
        submit(run_dir, "skip", by="ada", reason="being repaired", task="b")
        submit(run_dir, "move", by="ada", task="d", before="c")
        submit(run_dir, "skip", by="bob", reason="too late", task="a")

    assert carry_out(run_dir, Ear({"task_started": wish})).exit_code == 0
    state = open_run(run_dir)
    assert list(state.tasks) == ["a", "b", "d", "c"]
    assert (state.tasks["b"].verdict, state.tasks["b"].reason) == (Verdict.SKIPPED, "being repaired")
    begun = [r.data["task"] for r in read_journal(run_dir) if r.event == "task_started"]
    assert begun == ["a", "d", "c"]
    (refused,) = (r.data for r in read_journal(run_dir) if r.event == "request_refused")
    assert (refused["by"], refused["task"]) == ("bob", "a")
    assert refused["why"].startswith("a is running")
    assert state.misfits == 0


def test_abort_ends_a_pause(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"), task("b", "passes"))
    ear = Ear(
        {
            "task_started": lambda: submit(run_dir, "pause"),
            "paused": lambda: submit(run_dir, "abort", reason="enough"),
        }
    )
    assert carry_out(run_dir, ear).exit_code == 75
    assert verdicts(run_dir) == {"a": "PASS", "b": "UNSET"}


def test_requests_to_a_dead_engine_are_not_for_the_next(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"))
    with Journal(run_dir):
        submit(run_dir, "abort", reason="enough")
    assert carry_out(run_dir).exit_code == 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("no_such_module:f", "task 'b': no_such_module:f: module no_such_module cannot be imported"),
        (
            "scheduler_tasks:nothing",
            "task 'b': scheduler_tasks:nothing: module scheduler_tasks has no function",
        ),
    ],
)
def test_functions_are_looked_up_before_anything_starts(tmp_path, call, told):
    run_dir = run_of(tmp_path, task("a", "passes"), Task("b", "B", call))
    with pytest.raises(PlanRejected, match=told):
        carry_out(run_dir)
    assert [r.event for r in read_journal(run_dir)] == ["run_created"]


def test_another_plan_is_refused(tmp_path):
    run_dir = run_of(tmp_path, task("a", "passes"))
    other = Plan("other", (task("a", "fails"),))
    with pytest.raises(PlanRejected, match="was made with another plan"):
        Engine(run_dir, other, StepClock(), {}, SchedulerTable()).run()


def test_two_engines_never_write_one_journal(tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.journal.lock.PATIENCE_S", 0.05)
    run_dir = run_of(tmp_path, task("a", "passes"))
    with Journal(run_dir), pytest.raises(JournalBusy, match="another engine"):
        carry_out(run_dir)


def test_a_folder_without_journal_is_no_run(tmp_path):
    with pytest.raises(RunNotFound):
        carry_out(tmp_path)


def test_modules_to_preload_must_exist(tmp_path):
    with pytest.raises(LauncherLost, match="no_such_module cannot be imported"):
        carry_out(run_of(tmp_path, task("a", "passes")), preload=["no_such_module"])


def test_the_engine_never_imports_the_modules_of_tasks(tmp_path):
    carry_out(run_of(tmp_path, task("a", "passes")), preload=["scheduler_tasks"])
    assert "scheduler_tasks" not in sys.modules


def test_a_backup_that_cannot_be_made_is_shown_and_the_run_goes_on(tmp_path):
    (tmp_path / "backup").write_text("a file where a folder belongs")
    run_dir = run_of(tmp_path, task("a", "passes", backup=True))
    assert carry_out(run_dir).exit_code == 0
    backup = open_run(run_dir).tasks["a"].backup
    assert backup is not None
    assert not backup.verified
    assert "backup" in backup.error


def test_live_progress_is_there_while_a_task_runs(tmp_path):
    run_dir = run_of(tmp_path, task("a", "dawdles"))
    seen = []

    def look() -> None:
        seen.append(json.loads((run_dir / "live.json").read_text())["tasks"][0])
        submit(run_dir, "abort", reason="enough")

    carry_out(run_dir, Ear({"task_note": look}))
    assert (seen[0]["task"], seen[0]["done"]) == ("a", 1.0)
