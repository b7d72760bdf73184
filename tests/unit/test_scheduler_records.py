"""The journal's file, folders of runs, requests, records."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from scheduler import Plan, Task, create_run, list_runs, open_run, point_latest, record
from scheduler.errors import (
    JournalBusy,
    NotRunning,
    RunNotFound,
)
from scheduler.journal import Journal, being_written
from scheduler.records import as_csv
from scheduler.requests import Request, submit, take
from scheduler.runs import find_run

PLAN = Plan("p", (Task("a", "A", "m:f"), Task("b", "=B()", "m:f")))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return create_run(tmp_path / "fat", PLAN)


def write_notes(run_dir: Path, count: int) -> None:
    with Journal(run_dir) as journal:
        for number in range(count):
            journal.append("task_note", {"task": "a", "text": f"note {number}"}, number)


def test_runs_are_numbered_from_one_with_five_digits(tmp_path):
    assert [create_run(tmp_path, PLAN).name for _ in range(3)] == ["00001", "00002", "00003"]
    (tmp_path / "00041").mkdir()
    assert create_run(tmp_path, PLAN).name == "00042"
    assert [run.name for run in list_runs(tmp_path)] == ["00001", "00002", "00003", "00041", "00042"]


def test_a_run_that_was_being_made_when_power_failed_is_no_run(tmp_path):
    (tmp_path / ".unborn").mkdir(parents=True)
    (tmp_path / ".unborn" / "journal.sqlite").write_text("SQLite format 3")
    run_dir = create_run(tmp_path, PLAN)
    assert open_run(run_dir).plan == PLAN
    assert list_runs(tmp_path) == [run_dir]


def test_one_journal_has_one_writer(run_dir, monkeypatch):
    monkeypatch.setattr("scheduler.journal.lock.PATIENCE_S", 0.05)
    assert not being_written(run_dir)
    with Journal(run_dir):
        assert being_written(run_dir)
        with pytest.raises(JournalBusy):
            Journal(run_dir)
    assert not being_written(run_dir)


def test_runs_are_found_by_folder_number_and_link(tmp_path, monkeypatch):
    data = tmp_path / "runs" / "demo"
    first, second = (create_run(data / "fat", PLAN) for _ in range(2))
    point_latest(tmp_path / "runs" / "latest", first)
    point_latest(tmp_path / "runs" / "latest", second)
    monkeypatch.chdir(tmp_path)
    assert find_run(None, None) == second
    assert find_run("1", None) == first
    assert find_run("00001", data) == first
    assert find_run(None, data) == second
    assert find_run(str(first), None) == first


@pytest.mark.parametrize(
    ("which", "data"), [(None, None), ("7", None), ("7", "here"), (None, "here"), ("x/y", None)]
)
def test_a_run_that_is_not_there_is_told(tmp_path, monkeypatch, which, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunNotFound, match="give a run folder"):
        find_run(which, None if data is None else Path(data))


def test_requests_need_a_running_engine(run_dir):
    with pytest.raises(NotRunning, match="nobody is carrying out run 00001, so there is nothing to pause"):
        submit(run_dir, "pause")


def test_requests_are_taken_once_in_order_and_rubbish_is_dropped(run_dir):
    with Journal(run_dir):
        submit(run_dir, "pause", by="ada")
        submit(run_dir, "abort", by="bob", reason="smoke")
    (run_dir / "requests" / "0.json").write_text("{")
    (run_dir / "requests" / "1.json").write_text(
        '{"kind": "explode", "by": "x", "reason": "", "task": "", "before": ""}'
    )
    assert take(run_dir) == [Request("pause", "ada", ""), Request("abort", "bob", "smoke")]
    assert take(run_dir) == []
    assert os.listdir(run_dir / "requests") == []


def test_a_record_is_json_and_a_table(run_dir):
    body = record(run_dir)
    assert json.loads(json.dumps(body)) == body
    rows = list(csv.reader(io.StringIO(as_csv(body))))
    assert [row[0] for row in rows] == ["id", "a", "b"]
    assert rows[2][1] == "'=B()"  # not a formula to a spreadsheet
