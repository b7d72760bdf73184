"""What tasks and checks tell people, through real processes and a real HTTP server."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scheduler import Engine, Plan, SchedulerTable, Task, WallClock, create_run, open_run, read_journal
from scheduler.errors import JournalUnwritable
from scheduler.notify.build import notifiers_of
from scheduler.notify.config import WebhookTable
from scheduler.requests import submit
from scheduler.verdict import Verdict

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def run_of(tmp_path: Path, *functions: str, checks=()) -> Path:
    tasks = tuple(Task(name, name, f"telling_tasks:{name}") for name in functions)
    return create_run(tmp_path / "fat", Plan("plan", tasks, tuple(f"telling_tasks:{c}" for c in checks)))


def told(run_dir: Path) -> list[dict]:
    return [dict(record.data) for record in read_journal(run_dir) if record.event == "notification"]


def carry_out(run_dir: Path, *listeners) -> int:
    return Engine(run_dir, None, WallClock(), {}, SchedulerTable(), listeners).run().exit_code


def test_what_a_task_tells_is_journalled_with_the_picture_as_it_was(tmp_path):
    run_dir = run_of(tmp_path, "tells")
    assert carry_out(run_dir) == 0
    begins, rates, hot = told(run_dir)
    assert begins == {
        "by": "tells",
        "severity": "message",
        "text": "tells begins",
        "picture": "",
        "title": "",
    }
    assert (rates["severity"], rates["title"]) == ("monitoring", "Dark rates")
    assert (run_dir / rates["picture"]).read_bytes() == b"\x89PNG of tells"
    assert hot["severity"] == "critical"
    assert hot["text"].startswith("it is hot (its picture ")
    assert "No such file" in hot["text"]


def test_a_task_that_tells_too_much_is_cut_short(tmp_path):
    run_dir = run_of(tmp_path, "tells_too_much")
    assert carry_out(run_dir) == 0
    notices = told(run_dir)
    assert len(notices) == 100
    assert max(len(notice["text"]) for notice in notices) == 4096


def test_a_severity_that_there_is_not_is_an_error_of_the_task(tmp_path):
    run_dir = run_of(tmp_path, "tells_nonsense")
    assert carry_out(run_dir) == 3
    assert "'catastrophe' is not a valid Severity" in open_run(run_dir).tasks["tells_nonsense"].error


def test_a_check_can_tell_too(tmp_path):
    run_dir = run_of(tmp_path, "passes", checks=["well_and_tells"])
    assert carry_out(run_dir) == 0
    (notice,) = told(run_dir)
    assert notice["by"] == "check telling_tasks:well_and_tells before passes"


def test_what_a_task_tells_while_it_is_stopped_is_told(tmp_path):
    run_dir = run_of(tmp_path, "tells_while_it_is_stopped")

    class Stopping:
        def event(self, record, state):
            if record.event == "task_note":
                submit(run_dir, "abort", reason="enough")

        def progress(self, progress):
            pass

    assert carry_out(run_dir, Stopping()) == 75
    assert [notice["text"] for notice in told(run_dir)] == ["the lamp cannot be switched off"]


def test_a_run_that_is_killed_again_and_again_tells_everything(tmp_path, hook):
    run_dir = run_of(tmp_path, "tells", "fails")
    deaths = [("2", "after"), ("4", "before"), ("5", "within")]
    with hook() as found:
        for death in [*deaths, ()]:
            command = [sys.executable, str(HERE / "told_run.py"), str(run_dir), found.url, *death]
            code = subprocess.run(command, check=False).returncode
            assert code == {(): 1, deaths[2]: -signal.SIGXFSZ}.get(death, -signal.SIGKILL)
    taken = found.bodies
    assert open_run(run_dir).verdict is Verdict.FAIL
    count = Counter(body["id"] for body in taken)
    assert sum(count.values()) - len(count) <= len(deaths)
    ids = list(dict.fromkeys(body["id"] for body in taken))
    assert ids == sorted(ids, key=lambda identity: [int(part) for part in identity.split(".")[:2]])
    assert notifiers_of(run_dir, SchedulerTable(webhook=WebhookTable(url=found.url))).waiting == ()
    texts = [body["text"] for body in taken]
    finished = [record for record in read_journal(run_dir) if record.event == "task_started"]
    assert sum(text.startswith(("[0] tells", "[1] fails")) for text in texts) >= len(finished)
    assert texts[-1] == "Run 00001: FAIL"
    assert "tells: rates" in texts
    assert any(body.get("picture", {}).get("title") == "Dark rates" for body in taken)


def test_people_hear_of_a_journal_that_cannot_be_written_and_of_what_became_of_the_bench(tmp_path, hook):
    tasks = (
        Task("stops", "", "telling_tasks:tells_while_it_is_stopped"),
        Task("safe", "", "telling_tasks:passes", always=True),
    )
    run_dir = create_run(tmp_path / "fat", Plan("plan", tasks))

    class Filling:
        """From the task's note on the kernel lets this process write no more of the journal; a person stops the run."""

        def event(self, record, state):
            if record.event == "task_note":
                size = (run_dir / "journal.sqlite-wal").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
                submit(run_dir, "abort", reason="enough")

        def progress(self, progress):
            pass

    with hook() as found:
        people = notifiers_of(run_dir, SchedulerTable(webhook=WebhookTable(url=found.url, drain_s=20.0)))
        try:
            with pytest.raises(JournalUnwritable):
                carry_out(run_dir, *people.listeners, Filling())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert people.close() == []
    stopped, lamp, safe = found.bodies[-3:]
    assert "cannot be written" in stopped["text"]
    assert (stopped["severity"], lamp["text"]) == ("critical", "the lamp cannot be switched off")
    assert safe["text"] == "cleaned up: safe; resuming the run does it again at its end"
    assert told(run_dir) == []


def test_a_network_that_is_gone_costs_a_run_nothing(tmp_path):
    run_dir = run_of(tmp_path, "passes")
    table = SchedulerTable(webhook=WebhookTable(url="http://127.0.0.1:9/", drain_s=0.0))
    people = notifiers_of(run_dir, table)
    assert carry_out(run_dir, *people.listeners) == 0
    (left,) = people.close()
    assert left.startswith("5 messages by webhook could not be delivered (the webhook cannot be reached")
