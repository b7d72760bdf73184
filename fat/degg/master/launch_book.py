"""A listener of the engine that keeps the run file: what became of each task, when people said yes, why a run ended.

The journal is the truth and the run file follows it; what a crash has left out is written when the run goes on. Its
files are copied to `results/json` below the run folder, so that each backup has them as they were by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fat.degg.master.launch_object import DONE, FAILED
from fat.degg.master.mirror import Mirror
from fat.degg.records.run_file import RunFile
from scheduler import JournalRecord, Progress, RunState, Verdict
from scheduler.state import TaskState


class LaunchBook:
    """Keeps one launch.

    run      the run file
    launch   the key of the launch, `MasterFAT_00`
    keys     key of each task in it, by task
    run_dir  the engine's run folder
    """

    def __init__(self, run: RunFile, launch: str, keys: Mapping[str, str], run_dir: Path) -> None:
        self._run, self._launch, self._keys = run, launch, keys
        self._mirror = Mirror(run.path, run_dir)

    def event(self, record: JournalRecord, state: RunState) -> None:
        """Write down what happened."""
        data, moment = record.data, datetime.fromtimestamp(record.at, UTC)
        match record.event:
            case "run_started":
                values = {key: value_of(state.tasks[task]) for task, key in self._keys.items()}
                self._run.update_launch(self._launch, {k: v for k, v in values.items() if v is not None})
                self.mirror()
            case "task_finished" | "task_failed" | "task_skipped":
                key, value = self._keys.get(str(data["task"])), value_of(state.tasks[data["task"]])
                if key is not None and value is not None:
                    self._run.update_launch(self._launch, {key: value})
                self.mirror()
            case "question_answered" if data["yes"]:
                self._run.manual_input(f"{moment:%Y-%m-%d %H:%M:%S}")
            case "reason_given":
                self._run.terminate(str(data["reason"]))
            case "run_interrupted" if not data.get("reason_follows"):
                self._run.terminate(str(data["reason"]))
            case "run_finished":
                self._run.update_launch(self._launch, {"end_time": f"{moment:%Y-%m-%d %H:%M:%S}"})
                self.mirror()

    def progress(self, progress: Progress) -> None:
        """Progress is for the live page."""

    def mirror(self) -> None:
        """Copy the files of the run that have changed to where backups take them from."""
        self._mirror.copy()


def value_of(task: TaskState) -> int | None:
    """What a launch says of a task: done is also what missed a limit; None while it has not run, or was left out."""
    if task.verdict in (Verdict.PASS, Verdict.FAIL):
        return DONE
    return FAILED if task.verdict in (Verdict.ERROR, Verdict.ABORTED) else None
