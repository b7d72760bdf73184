"""What becomes of a task that hangs, fails, is cut short, or leaves files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from scheduler import (
    Engine,
    Plan,
    SchedulerTable,
    Task,
    Verdict,
    WallClock,
    create_run,
    open_run,
    read_journal,
    record,
    resume_time_ns,
)
from scheduler.requests import submit

SECOND_NS = 1_000_000_000


@dataclass
class JumpClock:
    """Time that jumps to where somebody waits for."""

    time_ns: int = 0

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


@dataclass
class Assent:
    """Says yes to everything."""

    run_dir: Path

    def event(self, record, state):
        if record.event == "question_asked":
            submit(self.run_dir, "answer", answer="yes", question=str(record.seq))

    def progress(self, progress):
        pass


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def run_of(tmp_path: Path, *tasks: Task) -> Path:
    return create_run(tmp_path / "fat", Plan("plan", tasks))


def a(function: str, **more) -> Task:
    return Task("a", "A", f"scheduler_tasks:{function}", **more)


def carry_out(run_dir: Path, clock=None) -> int:
    settings = SchedulerTable(stop_grace_s=0.05)
    clock = clock or WallClock()
    return Engine(run_dir, None, clock, {}, settings, [Assent(run_dir)]).run().exit_code


@pytest.mark.parametrize("function", ["suspends_itself", "holds_the_interpreter"])
def test_a_process_that_gives_no_sign_of_life_is_ended_and_the_error_says_so(tmp_path, function):
    run_dir = run_of(tmp_path, a(function, heartbeat_s=0.3))
    assert carry_out(run_dir) == 3
    assert open_run(run_dir).tasks["a"].error.startswith("gave no sign of life for 0.3 s and was stopped")


def test_a_process_that_only_computes_is_alive(tmp_path):
    run_dir = run_of(tmp_path, a("is_busy", heartbeat_s=1.0, arguments={"for_s": 1.2}))
    assert carry_out(run_dir) == 0


def test_an_error_is_tried_again_after_a_pause_as_often_as_the_plan_says(tmp_path):
    run_dir = run_of(tmp_path, a("fails_often", arguments={"times": 2}, retries=2, retry_pause_s=30.0))
    assert carry_out(run_dir, JumpClock()) == 0
    task = open_run(run_dir).tasks["a"]
    assert (task.verdict, task.attempt) == (Verdict.PASS, 3)
    assert task.failures == ("RuntimeError: cable 0 is loose", "RuntimeError: cable 1 is loose")
    assert task.outputs == {"began_ns": 60 * SECOND_NS}
    retried = [r.data["retried"] for r in read_journal(run_dir) if r.event == "task_failed"]
    assert retried == [True, True]


def test_one_failure_too_many_stops_the_run_and_resuming_begins_to_count_anew(tmp_path):
    run_dir = run_of(tmp_path, a("fails_often", arguments={"times": 2}, retries=1))
    assert carry_out(run_dir) == 3
    assert carry_out(run_dir) == 3
    retried = [r.data["retried"] for r in read_journal(run_dir) if r.event == "task_failed"]
    assert retried == [True, False] * 2


def test_a_failed_limit_is_not_tried_again(tmp_path):
    run_dir = run_of(tmp_path, a("fails", retries=5))
    assert carry_out(run_dir) == 1
    assert open_run(run_dir).tasks["a"].attempt == 1


def test_a_task_goes_on_from_what_it_kept_with_its_files_notes_and_answers(tmp_path):
    run_dir = run_of(tmp_path, a("works_in_parts"))
    assert carry_out(run_dir, JumpClock()) == 3
    back = resume_time_ns(run_dir)
    assert back == 2 * SECOND_NS  # where it kept part 1
    (run_dir / "mended").touch()
    assert carry_out(run_dir, JumpClock(back)) == 0
    task = open_run(run_dir).tasks["a"]
    assert task.outputs == {"parts": [0, 1, 2], "kept": [0, 1]}
    assert task.notes == ("part 0", "part 1", "part 2")
    assert [answer.text for answer in task.answers] == [f"Begin part {part}?" for part in range(3)]
    assert (task.started_sim_ns, task.finished_sim_ns) == (0, 3 * SECOND_NS)
    assert [artefact.name for artefact in task.artefacts] == ["part0.txt", "part1.txt", "part2.txt"]
    left = record(run_dir)["tasks"][0]["artefacts"]
    assert left["folder"] == "artefacts/a/1"
    assert left["files"][2] == {
        "name": "part2.txt",
        "bytes": 2,
        "sha256": hashlib.sha256((run_dir / left["folder"] / "part2.txt").read_bytes()).hexdigest(),
    }


def test_a_plan_may_want_it_from_its_start_again(tmp_path):
    run_dir = run_of(tmp_path, a("works_in_parts", on_resume="again"))
    assert carry_out(run_dir, JumpClock()) == 3
    assert resume_time_ns(run_dir) == 0
    (run_dir / "mended").touch()
    assert carry_out(run_dir, JumpClock()) == 0
    task = open_run(run_dir).tasks["a"]
    assert task.outputs == {"parts": [0, 1, 2], "kept": None}
    assert task.artefact_folder == "artefacts/a/2"


def test_a_plan_may_leave_out_what_must_not_be_begun_twice(tmp_path):
    b = Task("b", "B", "scheduler_tasks:passes")
    run_dir = run_of(tmp_path, a("works_in_parts", on_resume="skip"), b)
    assert carry_out(run_dir, JumpClock()) == 3
    assert carry_out(run_dir, JumpClock()) == 0
    tasks = open_run(run_dir).tasks
    assert (tasks["a"].verdict, tasks["b"].verdict) == (Verdict.SKIPPED, Verdict.PASS)
    assert "not to be begun twice" in tasks["a"].reason


def test_what_is_too_large_to_keep_is_refused(tmp_path):
    run_dir = run_of(tmp_path, a("keeps_too_much"))
    assert carry_out(run_dir) == 3
    assert "write it to a file in artefacts" in open_run(run_dir).tasks["a"].error


def test_a_check_may_look_again_and_repair_and_the_record_tells(tmp_path):
    name = "scheduler_tasks:repairs_at_the_third_look"
    run_dir = create_run(tmp_path / "fat", Plan("plan", (a("passes"),), (name,)))
    assert Engine(run_dir, None, WallClock(), {}, SchedulerTable(check_attempts=2)).run().exit_code == 3
    assert Engine(run_dir, None, WallClock(), {}, SchedulerTable(check_attempts=3)).run().exit_code == 0
    looks = [(r.data["ok"], r.data["retried"]) for r in read_journal(run_dir) if r.event == "check_finished"]
    assert looks == [(False, True), (False, False), (False, True), (False, True), (True, False)]
    assert record(run_dir)["tasks"][0]["checks"][name] == {
        "ok": True,
        "text": "firmware is 272",
        "repaired": "module 5003 was flashed again",
    }
