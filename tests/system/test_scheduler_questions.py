"""Questions to people: asked, answered, confirmed, and kept over an interruption."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

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
)
from scheduler.errors import ReasonNeeded
from scheduler.journal import Journal
from scheduler.requests import submit


@dataclass
class Crowd:
    """People who answer one question after the other: (answer, reason). None stops the run by hand."""

    run_dir: Path
    answers: list[tuple[str, str] | None]
    also: list[object] = field(default_factory=list)

    def event(self, record, state):
        asked = record.event in ("question_asked", "request_refused")
        if not asked and not (record.event == "question_answered" and state.questions):
            return
        for act in self.also:
            act()
        said = self.answers.pop(0)
        if said is None:
            submit(self.run_dir, "abort", by="ada", reason="lunch")
            return
        (question,) = state.questions.values()
        submit(self.run_dir, "answer", by="ada", answer=said[0], reason=said[1], question=str(question.seq))

    def progress(self, progress):
        pass


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def run_of(tmp_path: Path, *tasks: Task) -> Path:
    return create_run(tmp_path / "fat", Plan("plan", tasks))


def carry_out(run_dir: Path, *answers, also=()) -> int:
    crowd = Crowd(run_dir, list(answers), list(also))
    return Engine(run_dir, None, WallClock(), {}, SchedulerTable(), [crowd]).run().exit_code


def asked(run_dir: Path) -> list[str]:
    return [r.data["text"] for r in read_journal(run_dir) if r.event == "question_asked"]


ASKS = Task("a", "A", "scheduler_tasks:asks")
YES, NO = ("yes", ""), ("no", "")


def test_a_run_goes_on_when_somebody_has_said_yes_and_the_record_tells_who_and_when(tmp_path):
    message = {"message": "Are gain and STF OK?"}
    run_dir = run_of(tmp_path, Task("m", "M", "scheduler.manual:manual_input", message))
    assert carry_out(run_dir, ("yes", "all 32")) == 0
    state = open_run(run_dir)
    assert state.tasks["m"].outputs == {"by": "ada", "comment": "all 32"}
    (answer,) = state.tasks["m"].answers
    (told,) = (r for r in read_journal(run_dir) if r.event == "question_answered")
    assert (answer.text, answer.by, answer.at) == ("Are gain and STF OK?", "ada", told.at)
    assert not state.questions


def test_a_no_is_asked_again_and_a_yes_then_goes_on(tmp_path):
    run_dir = run_of(tmp_path, ASKS)
    assert carry_out(run_dir, NO, YES, YES) == 0
    assert open_run(run_dir).tasks["a"].outputs["said"][0] == ["Is the gain OK?", "ada", ""]


def test_a_second_no_needs_a_reason_and_ends_the_run_and_the_question_stands_again(tmp_path):
    cleans = Task("off", "Off", "scheduler_tasks:passes", always=True)
    run_dir = run_of(tmp_path, ASKS, cleans)
    assert carry_out(run_dir, NO, NO, ("no", "gain is off")) == 75
    state = open_run(run_dir)
    assert state.stop is not None
    assert state.stop.text == "ada answered no to 'Is the gain OK?': gain is off"
    assert state.tasks["off"].verdict is Verdict.PASS
    refused = [r.data["why"] for r in read_journal(run_dir) if r.event == "request_refused"]
    assert refused == ["a second no ends the run, and that needs a reason"]
    assert carry_out(run_dir, YES, YES) == 0
    assert asked(run_dir) == ["Is the gain OK?"] * 2 + ["Is the door shut?"]


def test_what_was_answered_before_an_interruption_is_not_asked_again(tmp_path):
    run_dir = run_of(tmp_path, ASKS)
    assert carry_out(run_dir, ("yes", "looks good"), None) == 75
    assert carry_out(run_dir, YES) == 0
    assert asked(run_dir) == ["Is the gain OK?", "Is the door shut?", "Is the door shut?"]
    said = open_run(run_dir).tasks["a"].outputs["said"]
    assert said == [["Is the gain OK?", "ada", "looks good"], ["Is the door shut?", "ada", ""]]


def test_time_to_think_is_not_the_tasks(tmp_path, monkeypatch):
    passed = [0.0]
    monkeypatch.setattr("scheduler.conversation.time", SimpleNamespace(monotonic=lambda: passed[0]))
    run_dir = run_of(tmp_path, Task("a", "A", "scheduler_tasks:asks", timeout_s=60.0))

    def think() -> None:
        passed[0] += 1e6

    assert carry_out(run_dir, YES, YES, also=[think]) == 0


def test_a_check_may_not_ask(tmp_path):
    run_dir = create_run(tmp_path, Plan("p", (ASKS,), ("scheduler_tasks:check_asks",)))
    assert carry_out(run_dir) == 3
    assert (
        "a check cannot ask people" in open_run(run_dir).tasks["a"].checks["scheduler_tasks:check_asks"].text
    )


def test_to_abort_needs_a_reason(tmp_path):
    run_dir = run_of(tmp_path, ASKS)
    with Journal(run_dir), pytest.raises(ReasonNeeded, match="needs a reason"):
        submit(run_dir, "abort", reason=" ")
