"""`stellwerk sched` and what it shows."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scheduler import JournalRecord, Plan, Progress, Task, create_run, open_run
from scheduler.commands import app
from scheduler.folding import fold
from scheduler.journal import Journal
from scheduler.requests import Request, take
from scheduler.screen import duration, headline, screen
from scheduler.state import RunState

PLAN = Plan("demo", tuple(Task(f"t{n:02}", f"Task {n}", "m:f") for n in range(30)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a run that was killed in its third task."""
    run_dir = create_run(tmp_path / "fat", PLAN)
    with Journal(run_dir) as journal:
        for event, body in events():
            journal.append(event, body, 0)
    return tmp_path


def events() -> list[tuple[str, dict[str, Any]]]:
    begun = {"attempt": 1, "host": "h", "pid": 1, "version": "1", "resumed": False}
    ended = {"attempt": 1, "outputs": {}, "wall_s": 1.5}
    return [
        ("run_started", begun),
        ("task_started", {"task": "t00", "attempt": 1}),
        ("task_note", {"task": "t00", "text": "noise is 3 ADU"}),
        ("task_finished", {"task": "t00", "verdict": "PASS", **ended}),
        ("task_started", {"task": "t01", "attempt": 1}),
        ("task_finished", {"task": "t01", "verdict": "FAIL", **ended}),
        ("task_started", {"task": "t02", "attempt": 1}),
    ]


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_status_tells_where_a_run_stands(data):
    done = call("status", "--data", str(data))
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "Run 00001, demo: 2 of 30 tasks; nobody is carrying it out, it can be resumed"
    assert [line.split() for line in lines[1:4]] == [
        ["✓", "t00", "PASS"],
        ["✗", "t01", "FAIL"],
        ["▶", "t02", "running"],
    ]


def test_status_as_json(data):
    body = json.loads(call("status", "1", "--data", str(data), "--json").stdout)
    assert (body["running"], body["resumable"], body["run"]) == (False, True, "00001")


def test_watch_piped_is_a_line_for_each_event(data):
    done = call("watch", "--data", str(data))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[:5] == [
        "run 00001 started (attempt 1)",
        "▶ t00: Task 0",
        "  t00: noise is 3 ADU",
        "✓ t00 PASS (1.5 s)",
        "▶ t01: Task 1",
    ]


def test_watch_as_json_is_the_journal(data):
    lines = call("watch", "--data", str(data), "--json").stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["run_created", *(event for event, _ in events())]


def test_export_and_backup(data, tmp_path):
    target = tmp_path / "table.csv"
    assert call("export", "--data", str(data), "--form", "csv", "--output", str(target)).exit_code == 0
    assert target.read_text().splitlines()[1].startswith("t00,Task 0,PASS,1.5,")
    assert json.loads(call("export", "--data", str(data)).stdout)["plan"] == "demo"
    made = json.loads(call("backup", "--data", str(data), "--json").stdout)
    assert (made["to"], Path(made["file"]).parent) == (str(data / "backup"), Path("00001"))


def test_steering_reaches_the_spool_of_a_running_engine(data):
    run_dir = data / "fat" / "00001"
    with Journal(run_dir):
        assert call("pause", "1", "--data", str(data)).exit_code == 0
        assert call("continue", "1", "--data", str(data)).exit_code == 0
        assert call("abort", "1", "--data", str(data), "--reason", "smoke").exit_code == 0
    kinds = [(request.kind, request.reason) for request in take(run_dir) if isinstance(request, Request)]
    assert kinds == [("pause", ""), ("continue", ""), ("abort", "smoke")]


@pytest.mark.parametrize("command", ["status", "watch", "export", "backup", "pause", "continue", "abort"])
def test_trouble_is_one_sentence_and_exit_2(data, command):
    done = call(command, "99", "--data", str(data))
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "no run at" in done.stderr


def test_a_backup_that_fails_is_trouble_of_the_bench(data, tmp_path):
    (tmp_path / "full").write_text("a file where a folder belongs")
    done = call("backup", "--data", str(data), "--to", str(tmp_path / "full"))
    assert done.exit_code == 3
    assert done.stderr.count("\n") == 1


def test_steering_a_dead_run_is_refused(data):
    done = call("pause", "1", "--data", str(data))
    assert (done.exit_code, done.stderr) == (
        2,
        "nobody is carrying out run 00001, so there is nothing to pause\n",
    )


@pytest.mark.parametrize("command", ["status", "watch", "export", "backup", "pause", "continue", "abort"])
def test_every_command_has_an_example(command):
    assert f"stellwerk sched {command}" in call(command, "--help").stdout


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00"), (187, "3:07"), (18250, "5:04:10")]
)
def test_durations(seconds, told):
    assert duration(seconds) == told


def picture(state: RunState, live: Progress | None, *, alive: bool, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(screen(state, live, alive=alive, now_s=(state.started_at or 0) + 61, height=height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_the_screen_shows_marks_progress_and_notes_and_fits(data):
    state = open_run(data / "fat" / "00001")
    live = Progress("t02", 1, 1, 4, "train 17", 20.0, 60.0, 0.0, 0)
    lines = picture(state, live, alive=True, height=16)
    assert len(lines) <= 15
    assert lines[0] == "Run 00001, demo: 2 of 30 tasks, running   1:01"
    text = "\n".join(lines)
    for shown in ("✓ Task 0", "✗ Task 1", "▶ Task 2", "25%", "1:00 remain", "train 17", "noise is 3 ADU"):
        assert shown in text


def test_the_screen_follows_the_task_that_runs():
    body = {"run": "00001", "plan": PLAN.to_json(), "parameters": {}}
    ended = {"attempt": 1, "verdict": "PASS", "outputs": {}, "wall_s": 1.0}
    written = [("run_created", body), events()[0]]
    written += [("task_finished", {"task": task.id, **ended}) for task in PLAN.tasks[:20]]
    state = fold(JournalRecord(n, 0.0, 0, event, told) for n, (event, told) in enumerate(written, 1))
    text = "\n".join(picture(state, None, alive=True, height=14))
    assert "Task 20" in text
    assert "Task 0 " not in text
    assert headline(state, alive=False).endswith("it can be resumed")


def test_a_question_is_shown_and_answered_and_a_first_no_is_told_to_be_asked_again(data):
    run_dir = data / "fat" / "00001"
    asked = {"task": "t02", "attempt": 1, "number": 1, "text": "Is the gain OK?", "severity": "message"}
    with Journal(run_dir) as journal:
        journal.append("question_asked", asked, 0)
        shown = call("status", "--data", str(data)).stdout
        assert "? t02 asks: Is the gain OK? (stellwerk sched answer yes|no)" in shown
        said = call("answer", "no", "--data", str(data), "--reason", "look")
        assert (said.exit_code, said.stdout.splitlines()[1]) == (
            0,
            "it is asked again now; a second no, with --reason, ends the run",
        )
        (request,) = take(run_dir)
        assert (request.kind, request.answer, request.task, request.reason) == ("answer", "no", "t02", "look")
        assert request.question == str(open_run(run_dir).seq)
        answered = {"task": "t02", "number": 1, "yes": False, "by": "ada", "comment": ""}
        journal.append("question_answered", answered, 0)
        refused = call("answer", "no", "--data", str(data))
        assert (refused.exit_code, refused.stderr) == (
            2,
            "a second no ends the run, and that needs a reason\n",
        )
    assert call("answer", "yes", "--data", str(data)).exit_code == 2


def test_to_abort_needs_a_reason(data):
    with Journal(data / "fat" / "00001"):
        done = call("abort", "--data", str(data))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "needs a reason" in done.stderr
