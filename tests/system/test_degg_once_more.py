"""One answer that a console owes does not end a night: the task is tried once more."""

from __future__ import annotations

from pathlib import Path

from fat.degg.preload import PRELOAD
from fat.degg.schedule.once_more import PAUSE_S, errors_once_more
from fat.testing.task_lab import know_voltages, task_lab
from scheduler import Engine, Plan, SchedulerTable, Task, create_run, open_run

CALL = "fat.degg.tasks.monitoring:online_mon"


def test_a_console_that_was_silent_once_is_measured_at_the_second_attempt(tmp_path: Path) -> None:
    with task_lab(tmp_path, 1) as lab:
        know_voltages(lab)
        environment = {"endpoints": {key: str(value) for key, value in lab.bench.endpoints.items()}}
        monitor = Task("monitor", "Monitor", CALL, {"comment": "moving"})
        plan = errors_once_more(Plan("night", (monitor,), parameters={"run_file": str(lab.run_file)}))
        run_dir = create_run(lab.folder / "fat", plan)
        lab.fault("degg.5000", "stay_silent", times=1)
        engine = Engine(run_dir, None, lab.clock, environment, SchedulerTable(), preload=PRELOAD)
        assert engine.run().exit_code == 0
        entries = [name for name in lab.papers(5000) if name.startswith("OnlineMon")]
    task = open_run(run_dir).tasks["monitor"]
    assert len(task.failures) == len(entries) == 1
    assert "5000" in str(task.failures[0])
    assert task.finished_sim_ns is not None
    assert PAUSE_S * 1e9 <= task.finished_sim_ns < 5 * PAUSE_S * 1e9
