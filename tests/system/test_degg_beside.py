"""Analyses of optical modules beside the next measurements: what is left is what is left when each is waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fat.degg.preload import PRELOAD
from fat.degg.schedule.beside import ANALYSIS, analyses_beside
from fat.testing.task_lab import TaskLab, know_voltages, task_lab
from scheduler import Engine, Plan, SchedulerTable, Task, create_run, open_run, read_journal

MEASURED = "fat.degg.tasks.monitoring:online_mon"
ORDER = (
    ("constant_monitor", "detailed_monitoring"),
    ("constant_monitor", "detailed_monitoring"),
    ("online_mon", "quick_monitoring"),
    ("online_mon", "quick_monitoring"),
    ("bootmon", "reboot_monitoring"),
    ("bootmon", "reboot_monitoring"),
)
KILLED = "a1"


def the_plan(run_file: str) -> Plan:
    """As a schedule has it: each measurement, and its analysis; the functions' own doings are those of degg_beside."""
    tasks: list[Task] = []
    for number, (what, analysis) in enumerate(ORDER):
        tasks.append(Task(f"m{number}", what, MEASURED, {"what": what}, backup=True))
        tasks.append(Task(f"a{number}", analysis, ANALYSIS, {"analysis": analysis}, backup=True))
    return analyses_beside(Plan("beside", tuple(tasks), parameters={"run_file": run_file}))


def as_late_as_can_be(plan: Plan) -> Plan:
    """Each analysis reads when the measurement after it has ended."""
    tasks = []
    for task, following in zip(plan.tasks, (*plan.tasks[1:], None), strict=True):
        if task.beside and following is not None:
            told = {**task.arguments, "until": following.id, "dies": task.id == KILLED}
            task = replace(task, arguments=told)
        tasks.append(replace(task, call=f"degg_beside:{'late' if task.beside else 'measured'}"))
    return replace(plan, tasks=tuple(tasks))


def left(lab: TaskLab, run_dir: Path, outputs: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Any:
    """What each task found, results for the database, and the module's papers; without wall time and places."""
    found = {path.name: json.loads(path.read_text()) for path in (run_dir / "results/found").glob("*.json")}
    for told in found.values():
        told.pop("title")
        for one in told["found"]:
            one["document"].pop("meas_time", None)
    text = json.dumps({"outputs": outputs, "found": found, "papers": lab.papers(5000)})
    return json.loads(text.replace(str(run_dir), "RUN").replace(str(lab.folder), "FOLDER"))


def waited_for(folder: Path) -> Any:
    """One task after another, without an engine."""
    functions = import_module("degg_beside")
    with task_lab(folder, 1) as lab:
        know_voltages(lab)
        outputs = {}
        for task in the_plan(str(lab.run_file)).tasks:
            function = functions.late if task.beside else functions.measured
            result = function(lab.context(task.id), **task.arguments)
            outputs[task.id] = (str(result.verdict), result.outputs)
        return left(lab, lab.folder / "fat", outputs)


def test_what_is_left_is_the_same_as_if_each_had_been_waited_for_also_when_an_analysis_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr("fat.degg.schedule.beside.MOST_OPEN", len(ORDER) + 1)  # none waits for an earlier one
    for name in ("waited", "beside"):
        (tmp_path / name).mkdir()
    expected = waited_for(tmp_path / "waited")
    with task_lab(tmp_path / "beside", 1) as lab:
        know_voltages(lab)
        environment = {"endpoints": {key: str(value) for key, value in lab.bench.endpoints.items()}}
        plan = as_late_as_can_be(the_plan(str(lab.run_file)))
        run_dir = create_run(lab.folder / "fat", plan)
        codes = [
            Engine(run_dir, None, lab.clock, environment, SchedulerTable(), preload=PRELOAD).run().exit_code
            for _ in range(2)
        ]
        tasks = open_run(run_dir).tasks
        outputs = {name: (str(task.verdict), task.outputs) for name, task in tasks.items()}
        assert left(lab, run_dir, outputs) == expected

    assert (codes, tasks[KILLED].attempt) == ([3, 0], 2)
    assert len(expected["found"]) == len(ORDER) + 2
    events = [(r.event, r.data.get("task")) for r in read_journal(run_dir)]
    for number in range(len(ORDER) - 1):
        # It waits until that one has measured; which of the two ends first is the machine's affair.
        assert events.index(("task_started", f"m{number + 1}")) < events.index(
            ("task_finished", f"a{number}")
        )
    # One archive may hold two tasks, where both ended while another one was made.
    assert all(task.backup is not None and task.backup.verified for task in tasks.values())
