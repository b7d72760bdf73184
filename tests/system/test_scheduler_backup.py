"""Backups by the engine, and the way back from them onto an empty disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scheduler import (
    Engine,
    Outcome,
    Plan,
    SchedulerTable,
    Task,
    Verdict,
    comparable,
    create_run,
    open_run,
    read_journal,
    record,
)
from scheduler.commands import app
from scheduler.journal import Journal

HERE = Path(__file__).parent


class StillClock:
    """The same instant for ever: nobody here waits."""

    def now_ns(self) -> int:
        return 0

    def wait_until(self, t_ns: int) -> int:
        return t_ns

    def interrupt(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def plan(*flagged: str) -> Plan:
    tasks = {"a": "passes", "b": "fails", "c": "passes", "d": "passes"}
    return Plan(
        "plan",
        tuple(Task(n, n.upper(), f"scheduler_tasks:{f}", backup=n in flagged) for n, f in tasks.items()),
    )


def carry_out(run_dir: Path, *to: Path | str, until: str = "", **settings) -> Outcome:
    """To the end; or until an event of that name is written, after which the engine is as dead as after kill -9."""
    table = SchedulerTable(backup_to=tuple(map(str, to)), **settings)
    if not until:
        return Engine(run_dir, None, StillClock(), {}, table).run()
    append = Journal.append

    def deadly(self: Journal, event: str, data: Any, sim_ns: int) -> Any:
        if event == until:
            raise PowerLost
        return append(self, event, data, sim_ns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", deadly)
        with pytest.raises(PowerLost):
            Engine(run_dir, None, StillClock(), {}, table).run()
    return Outcome(Verdict.UNSET, -9, interrupted=False)


class PowerLost(Exception):
    """Nothing more is written."""


def told(run_dir: Path) -> list[tuple[str, ...]]:
    return [
        (entry.event.removeprefix("backup_"), entry.data["task"], entry.data["to"])
        for entry in read_journal(run_dir)
        if entry.event in ("backup_finished", "backup_failed")
    ]


def call(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["backup", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


def test_a_run_restored_onto_an_empty_disk_ends_as_if_nothing_had_happened(tmp_path):
    whole = create_run(tmp_path / "whole" / "fat", plan("b", "c"))
    carry_out(whole, tmp_path / "storage of another")
    storage, lost, new = tmp_path / "storage", tmp_path / "lost", tmp_path / "new"
    run_dir = create_run(lost / "fat", plan("b", "c"))
    carry_out(run_dir, storage, until="task_started")  # nothing is saved yet
    carry_out(run_dir, storage, until="run_finished")
    shutil.rmtree(lost)

    body = json.loads(call("restore", storage, "1", "--data", new, "--json").stdout)
    assert body["resume"] == f"stellwerk fat resume 1 --data {new}"
    run_dir = Path(body["folder"])
    assert [str(task.verdict) for task in open_run(run_dir).tasks.values()] == [
        "PASS",
        "FAIL",
        "PASS",
        "UNSET",
    ]

    assert carry_out(run_dir, storage).exit_code == 1
    assert comparable(record(run_dir)) == comparable(record(whole))
    assert "all good" in call("verify", run_dir).stdout
    assert call("restore", storage, "--data", new, code=2).stderr.count("\n") == 1
    beside = call("restore", storage, "--data", new, "--beside").stdout
    assert "its journal still says run 00001; its folder is 00002" in beside


def test_each_destination_stands_for_itself_and_the_next_backup_makes_up_for_a_missed_one(tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_text("a file where a folder belongs")
    run_dir = create_run(tmp_path / "fat", plan("a", "c"))
    carry_out(run_dir, bad, good, until="run_finished")
    ways = [("failed", "a", str(bad)), ("finished", "a", str(good)), ("failed", "c", str(bad))]
    assert told(run_dir) == [*ways, ("finished", "c", str(good))]
    state = open_run(run_dir)
    assert [task.backup.verified for task in state.tasks.values() if task.backup] == [False, False]
    assert str(bad) in state.tasks["a"].backup.error

    bad.unlink()  # somebody mends it, and the run is resumed: one archive holds what both lacked
    assert carry_out(run_dir, bad, good).exit_code == 1
    assert told(run_dir)[4:] == [("finished", "a", str(bad))]
    tasks = open_run(run_dir).tasks
    assert [set(tasks[name].saved.seen) for name in "ac"] == [{str(bad), str(good)}] * 2
    assert all(tasks[name].backup.verified for name in "ac")


def test_a_missed_backup_is_made_up_for_within_the_run(tmp_path):
    late = tmp_path / "late"
    late.write_text("a file where a folder belongs")
    run_dir = create_run(tmp_path / "fat", plan("a", "c"))

    class Mender:
        def event(self, entry, state):
            if entry.event == "backup_failed":
                late.unlink()

        def progress(self, progress):
            pass

    Engine(run_dir, None, StillClock(), {}, SchedulerTable(backup_to=(str(late),)), [Mender()]).run()
    assert told(run_dir) == [("failed", "a", str(late)), ("finished", "c", str(late))]
    assert all(open_run(run_dir).tasks[name].backup.verified for name in "ac")


def test_a_backup_between_two_destinations_is_taken_up_where_it_was(tmp_path):
    run_dir = create_run(tmp_path / "fat", plan("a"))
    first, second = f"memory://{tmp_path.name}", f"file://{tmp_path}/second"
    carry_out(run_dir, first, second, until="backup_finished")
    assert told(run_dir) == []
    assert carry_out(run_dir, first, second).exit_code == 1
    assert told(run_dir) == [("finished", "a", first), ("finished", "a", second)]
    lines = call("list", run_dir, "--json").stdout.splitlines()
    assert [json.loads(line)["to"] for line in lines] == [first, first, second]  # one that no journal names
    assert "no journal here names it" in call("verify", run_dir).stdout


def test_old_backups_go_as_the_policy_says_and_the_journal_tells(tmp_path):
    run_dir = create_run(tmp_path / "fat", plan("a", "b", "c", "d"))
    carry_out(run_dir, tmp_path / "there", backup_keep_last=2)
    pruned = [entry.data for entry in read_journal(run_dir) if entry.event == "backup_pruned"]
    assert [(len(data["files"]), data["error"]) for data in pruned] == [(1, ""), (1, "")]
    state = open_run(run_dir)
    left = sorted(f"00001/{path.name}" for path in (tmp_path / "there" / "00001").iterdir())
    assert left == sorted(archive.file for archive in state.archives)
    assert [task.backup.file in left for task in state.tasks.values()] == [True] * 4
    assert "2 archives, all good" in call("verify", run_dir).stdout


def test_verify_says_what_is_missing_and_exits_3(tmp_path):
    run_dir = create_run(tmp_path / "fat", plan("a", "c"))
    carry_out(run_dir, tmp_path / "there")
    first, second = open_run(run_dir).archives
    (tmp_path / "there" / first.file).unlink()
    done = call("verify", run_dir, code=3)
    assert f"{first.file} missing" in done.stdout
    assert f"{second.file} good" in done.stdout
    (tmp_path / "gone").write_text("")
    assert call("verify", run_dir, "--from", tmp_path / "gone", code=3).stderr.count("\n") == 1


def test_backups_by_hand_go_to_all_places_and_are_found_without_a_run_here(tmp_path):
    run_dir = create_run(tmp_path / "fat", plan("a"))
    bad = tmp_path / "bad"
    bad.write_text("a file where a folder belongs")
    done = call(run_dir, "--to", bad, "--to", tmp_path / "good", "--json", code=3)
    failed, made = [json.loads(line) for line in done.stdout.splitlines()]
    assert (failed["to"], made["to"]) == (str(bad), str(tmp_path / "good"))
    listed = call("list", "--from", tmp_path / "good", "--data", tmp_path / "elsewhere").stdout
    assert listed == f"{tmp_path / 'good'}: {made['file']}\n"
    assert "1 archives, all good" in call("verify", "1", "--from", tmp_path / "good", "--data", "x").stdout


@pytest.mark.parametrize("command", ["make", "list", "verify", "restore"])
def test_every_command_has_an_example(command):
    assert f"stellwerk sched backup {command}" in call(command, "--help").stdout
