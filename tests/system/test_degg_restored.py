"""A run of optical modules is restored onto an empty disk, from backups that were made while an analysis ran beside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fat.degg.preload import PRELOAD
from fat.degg.schedule.beside import ANALYSIS, analyses_beside
from fat.plans import PLANS
from fat.testing.task_lab import TaskLab, know_voltages, task_lab
from scheduler import (
    Engine,
    JournalRecord,
    Plan,
    Progress,
    RunState,
    SchedulerTable,
    Task,
    Verdict,
    create_run,
    list_runs,
    open_run,
)
from scheduler.backup.destination import open_destination
from scheduler.backup.restoring import restore

MEASURED = "fat.degg.tasks.monitoring:constant_monitor"
NAMES = ("begun", "a0_saved", "m2_saved")
Found = dict[str, Any]


class Opener:
    """Opens a gate when the backup after a task is made."""

    def __init__(self, gates: dict[str, int]) -> None:
        self._gates = gates

    def event(self, record: JournalRecord, _state: RunState) -> None:
        gate = f"{record.data.get('task')}_saved"
        if record.event == "backup_finished" and gate in self._gates:
            os.write(self._gates[gate], b"x")

    def progress(self, progress: Progress) -> None:
        pass


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[dict[str, int]]:
    """Pipes by name, each held open."""
    with ExitStack() as stack:
        held = {}
        for name in NAMES:
            os.mkfifo(tmp_path / name)
            held[name] = os.open(tmp_path / name, os.O_RDWR)
            stack.callback(os.close, held[name])
        yield held


def the_plan(run_file: Path, gates: Path) -> Plan:
    """Three measurements, and the analysis of each beside the next.

    The first analysis ends, and is backed up, while the second measurement has begun and not ended; the second is under
    way when the third measurement has ended and is backed up.
    """
    begun, a0_saved, m2_saved = (str(gates / name) for name in NAMES)
    doing: dict[str, dict[str, Any]] = {
        "m0": {},
        "a0": {"at": begun},
        "m1": {"begun": begun, "saved": a0_saved},
        "a1": {"at": m2_saved},
        "m2": {},
        "a2": {},
    }
    tasks = []
    for name, told in doing.items():
        what = {"analysis": "detailed_monitoring"} if name[0] == "a" else {}
        call = ANALYSIS if what else MEASURED
        tasks.append(Task(name, name, call, {**what, **told}, backup=True, timeout_s=120.0))
    plan = analyses_beside(Plan("restored", tuple(tasks), parameters={"run_file": str(run_file)}))
    ours = [
        replace(task, call=f"degg_restored:{'analysed' if task.beside else 'measured'}")
        for task in plan.tasks
    ]
    return replace(plan, tasks=tuple(ours))


def carry_out(lab: TaskLab, run_dir: Path, gates: dict[str, int]) -> int:
    plan = open_run(run_dir).plan
    assert plan is not None
    environment = {"endpoints": {key: str(value) for key, value in lab.bench.endpoints.items()}}
    settings = SchedulerTable(backup_to=(str(lab.folder / "storage"),))
    heard = [*PLANS["degg"].listeners(plan, run_dir), Opener(gates)]
    return Engine(run_dir, None, lab.clock, environment, settings, heard, PRELOAD).run().exit_code


def left(lab: TaskLab, run_dir: Path) -> Found:
    """What each task found, results for the database, and the module's papers; without wall time."""
    found = {path.name: json.loads(path.read_text()) for path in (run_dir / "results/found").glob("*.json")}
    for told in found.values():
        for one in told["found"]:
            one["document"].pop("meas_time", None)
    tasks = open_run(run_dir).tasks
    outputs = {name: (str(task.verdict), task.outputs) for name, task in tasks.items()}
    told = {"outputs": outputs, "found": found, "papers": lab.papers(5000)}
    return dict(json.loads(json.dumps(told)))


def without_values(found: Found) -> Found:
    """The same without what was measured: a measurement that is made again finds other charges."""
    return {
        "verdicts": {name: verdict for name, (verdict, _) in found["outputs"].items()},
        "found": {
            name: [(one["device"], one["part"], one["document"]["meas_name"]) for one in told["found"]]
            for name, told in found["found"].items()
        },
        "papers": {
            part: {
                key: (entry["Task"], entry["Folder"] != "None", sorted(entry))
                for key, entry in found["papers"][part].items()
                if isinstance(entry, dict)
            }
            for part in ("LowerPmt", "UpperPmt")
        },
    }


def restored(lab: TaskLab, after: str) -> Path:
    """The disk is lost; the run comes back from the archive that was made after a task."""
    for folder in ("fat", "json", "devices", "data/monitoring"):
        shutil.rmtree(lab.folder / folder, ignore_errors=folder == "data/monitoring")
    storage = lab.folder / "storage"
    (archive,) = (path.name for path in (storage / "00001").glob(f"*-{after}-*"))

    def not_whole(name: str, why: str) -> None:
        pytest.fail(f"{name}: {why}")

    destination = open_destination(str(storage))
    return restore(destination, "00001", lab.folder / "fat", archive=archive, passed_over=not_whole).run_dir


def test_from_a_backup_beside_an_analysis_a_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, gates: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    (tmp_path / "lab").mkdir()
    with task_lab(tmp_path / "lab", 1) as lab:
        know_voltages(lab)
        run_dir = create_run(lab.folder / "fat", the_plan(lab.run_file, tmp_path))
        assert carry_out(lab, run_dir, gates) == 0
        expected = left(lab, run_dir)

        # Its second analysis was under way: what was measured is there, and all is found as it was.
        run_dir = restored(lab, "m2")
        unfinished = {name for name, task in open_run(run_dir).tasks.items() if task.verdict is Verdict.UNSET}
        assert unfinished == {"a1", "a2"}
        assert carry_out(lab, run_dir, gates) == 0
        assert left(lab, run_dir) == expected

        # Its second measurement had begun: it is made again, in the entries that it had begun.
        run_dir = restored(lab, "a0")
        copy = json.loads((run_dir / "results/json/5000.json").read_text())["LowerPmt"]
        assert copy["AdvancedMonitoring_0001"]["Folder"] == "None", "begun, and its end is not there"
        assert carry_out(lab, run_dir, gates) == 0
        assert without_values(left(lab, run_dir)) == without_values(expected)
        assert [task.attempt for task in open_run(run_dir).tasks.values()] == [1, 1, 2, 1, 1, 1]
        assert list_runs(lab.folder / "fat") == [run_dir]
