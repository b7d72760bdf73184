"""What is said of a run, to whom, and with which secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from scheduler import Plan, SchedulerTable, Task
from scheduler.folding import HANDLERS, apply
from scheduler.journal import JournalRecord
from scheduler.notify.build import notifiers_of
from scheduler.notify.config import EmailTable, SlackTable, WebhookTable
from scheduler.notify.notice import Notice, Severity
from scheduler.notify.secret import read_secret
from scheduler.notify.wording import MOST_CHARACTERS, say
from scheduler.runs import create_run
from scheduler.state import EMPTY

STARTED = {"attempt": 1, "host": "h", "pid": 1, "version": "0", "resumed": False}


def told(tasks: list[Task], *events: tuple[str, dict]) -> list[list[Notice]]:
    """What is said of each event of a run of these tasks."""
    plan = Plan("acceptance", tuple(tasks))
    state, heard = EMPTY, []
    created = ("run_created", {"run": "00012", "plan": plan.to_json(), "parameters": {}})
    for seq, (event, data) in enumerate([created, *events], start=1):
        record = JournalRecord(seq, 1_767_225_600.0, 0, event, data)
        state = apply(state, record)
        heard.append(list(say(record, state)))
    assert state.misfits == 0
    return heard[1:]


def a_task(name: str, call: str = "m:measure", **more) -> Task:
    return Task(name, name, call, **more)


def ended(task: str, verdict: str) -> tuple[str, dict]:
    return "task_finished", {"task": task, "verdict": verdict, "outputs": {}, "wall_s": 1.0, "attempt": 1}


def texts(notices: list[Notice]) -> list[tuple[str, str]]:
    return [(str(notice.severity), notice.plain) for notice in notices]


def test_the_launch_lists_the_schedule():
    ((launch,),) = told([a_task("dark"), a_task("gain")], ("run_started", STARTED))
    assert launch.severity is Severity.MESSAGE
    assert launch.text.splitlines() == [
        "-" * 40,
        "Executing acceptance - time is now: 2026-01-01 00:00:00 UTC",
        "   -- Current run: 00012",
        "Schedule:",
        "[0] dark",
        "[1] gain",
    ]


def test_a_long_schedule_is_condensed():
    kinds = ["disable", "gain", "rate"] * 371 + ["power_off"]
    tasks = [a_task(f"{kind}_{n}", f"m:{kind}") for n, kind in enumerate(kinds)]
    ((launch,),) = told(tasks, ("run_started", STARTED))
    assert launch.text.splitlines()[3:] == [
        "Condensed schedule of 1114 tasks:",
        "[0] disable, 371 times to [1110]",
        "[1] gain, 371 times to [1111]",
        "[2] rate, 371 times to [1112]",
        "[1113] power_off",
    ]
    many = [a_task(f"t{n}", f"m:kind_{n}") for n in range(100)]
    ((launch,),) = told(many, ("run_started", STARTED))
    assert launch.text.splitlines()[-1] == "and 70 other kinds of task"


def test_an_error_wakes_everybody_and_its_trace_keeps_its_end():
    trace = "first line\n" + "x" * 9000 + "\nZeroDivisionError"
    failed = {"task": "dark", "attempt": 1, "error": "e", "traceback": trace}
    (notices,) = told([a_task("dark")], ("task_failed", failed))
    assert texts(notices)[0] == ("warning", "@channel - run stopped automatically in [0] dark")
    assert notices[1].trace
    assert len(notices[1].text) <= MOST_CHARACTERS
    assert notices[1].text.startswith("first line\n")
    assert notices[1].text.endswith("ZeroDivisionError")


def test_cleaning_up_that_fails_is_critical():
    failed = {"task": "hv_off", "attempt": 1, "error": "no answer", "traceback": ""}
    (notices,) = told([a_task("hv_off", always=True)], ("task_failed", failed))
    assert texts(notices) == [
        ("critical", "@channel - [0] hv_off could not clean up"),
        ("warning", "no answer"),
    ]


def test_the_end_tells_what_did_not_pass():
    tasks = [a_task("a"), a_task("b"), a_task("c")]
    skipped = ("task_skipped", {"task": "c", "reason": "too late"})
    end = ("run_finished", {"verdict": "FAIL"})
    *_, left_out, notices = told(tasks, ended("a", "PASS"), ended("b", "FAIL"), skipped, end)
    assert texts(left_out) == [("message", "[2] c is left out: too late")]
    assert texts(notices) == [
        ("message", "Schedule completed"),
        ("warning", "Completed, but [1] b = FAIL"),
        ("warning", "Completed, but [2] c = SKIPPED"),
        ("message", "Run 00012: FAIL"),
    ]
    *_, notices = told([a_task("a")], ended("a", "PASS"), ("run_finished", {"verdict": "PASS"}))
    assert texts(notices)[1] == ("message", "All tasks in schedule completed successfully")


def test_the_end_of_a_run_that_stopped_early_does_not_flood():
    tasks = [a_task(f"t{n}") for n in range(500)]
    check = ("check_finished", {"check": "m:c", "before": "t0", "ok": False, "text": "module 3 is silent"})
    stopped, notices = told(tasks, check, ("run_finished", {"verdict": "ERROR"}))
    assert texts(stopped) == [("warning", "@channel - check before [0] t0 failed: module 3 is silent")]
    assert texts(notices)[0] == ("message", "Schedule ended early: m:c: module 3 is silent")
    assert len(notices) == 3
    assert notices[1].text.startswith("500 tasks did not pass:\nCompleted, but [0] t0 = not run")
    assert len(notices[1].text) <= MOST_CHARACTERS


@pytest.mark.parametrize("severity", list(Severity))
def test_what_tasks_tell_keeps_its_severity(severity):
    body = {"by": "dark", "severity": str(severity), "text": "hot", "picture": "pictures/a.png", "title": "A"}
    ((notice,),) = told([a_task("dark")], ("notification", body))
    critical = severity is Severity.CRITICAL
    assert notice == Notice(severity, "dark: hot", critical, picture="pictures/a.png", title="A")


def test_every_event_can_be_told_or_not():
    tasks = [a_task("a"), a_task("b")]
    sample = STARTED | {
        "run": "00012",
        "plan": Plan("acceptance", tuple(tasks)).to_json(),
        "parameters": {},
        "task": "a",
        "before": "b",
        "verdict": "PASS",
        "outputs": {},
        "wall_s": 1.0,
        "check": "m:c",
        "ok": False,
        "files": 1,
        "verified": True,
        "severity": "warning",
        **dict.fromkeys(("error", "traceback", "reason", "by", "text", "why", "request", "file"), "told"),
        **dict.fromkeys(("sha256", "picture", "title"), ""),
    }
    asked = ("question_asked", sample | {"number": 1})
    stopped = ("run_interrupted", sample)
    saved = [("backup_finished", sample | {"to": "there", "file": file}) for file in ("old", "new")]
    for event in HANDLERS:
        # Only what is there can be pruned, only what is asked answered, and only who has stopped can tell why.
        earlier = {"backup_pruned": saved, "question_answered": [asked], "reason_given": [stopped]}
        files = ["old"] if event == "backup_pruned" else 1
        more = {"to": "there", "files": files, "number": 1, "yes": False, "comment": "told", "kept": [1]}
        *_, notices = told(tasks, *earlier.get(event, []), (event, sample | more))
        assert all(notice.text for notice in notices)


def test_secrets_come_from_a_variable_or_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", " from-variable\n")
    file = tmp_path / "token"
    file.write_text("from-file\n")
    assert read_secret("TOKEN", None) == "from-variable"
    assert read_secret("TOKEN", file) == "from-file"
    file.write_text("\n")
    for variable, path, reason in (
        ("TOKEN", file, "is empty"),
        ("TOKEN", tmp_path / "none", "cannot be read"),
        ("NO_SUCH_VARIABLE", None, "NO_SUCH_VARIABLE is not set"),
        (None, None, "neither"),
    ):
        with pytest.raises(LookupError, match=reason):
            read_secret(variable, path)


def test_a_password_never_goes_over_an_open_line():
    with pytest.raises(ValidationError, match="a password needs security"):
        EmailTable(host="mail.lab", user="me", security="none")
    EmailTable(host="localhost", user="me", security="none")


def test_who_cannot_be_told_is_named_and_the_others_are_told(tmp_path, monkeypatch):
    monkeypatch.delenv("STELLWERK_SLACK_TOKEN", raising=False)
    monkeypatch.setenv("HOOK", "https://chat.lab/s3cret")
    run_dir = create_run(tmp_path / "fat", Plan("p", (a_task("a"),)))
    table = SchedulerTable(
        slack=SlackTable(base_url="https://slack.com/api/"),
        email=EmailTable(host="mail.lab", user="me", password_file=Path("/no/such/file")),
        webhook=WebhookTable(url_variable="HOOK"),
    )
    people = notifiers_of(run_dir, table)
    assert len(people.listeners) == 1
    assert people.silent[0] == "Slack is not told: the environment variable STELLWERK_SLACK_TOKEN is not set"
    assert people.silent[1].startswith("E-mail is not told: /no/such/file cannot be read")
    assert people.close() == []
    assert notifiers_of(run_dir, SchedulerTable()).listeners == ()
