"""What child processes are told: jobs, made from the state of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from scheduler.calling import calls_of
from scheduler.channel import Job
from scheduler.plan import Plan
from scheduler.state import RunState, TaskState


def look_up(plan: Plan, run_dir: Path) -> Job:
    """To look up everything that a plan calls."""
    return Job("resolve", "", str(run_dir), "", "", 1, calls_of(plan), {}, {}, {})


def job_of(
    state: RunState,
    kind: Literal["task", "check"],
    call: str,
    task: TaskState,
    run_dir: Path,
    environment: Mapping[str, Any],
) -> Job:
    """To carry out a task's next attempt, or a check before it."""
    return Job(
        kind=kind,
        call=call,
        run_dir=str(run_dir.resolve()),
        task_id=task.task.id,
        title=task.task.title,
        attempt=task.attempt + 1,
        arguments=task.task.arguments,
        parameters=state.plan.parameters if state.plan else {},
        results={name: other.outputs for name, other in state.tasks.items() if other.finished_at is not None},
        environment=environment,
        positional=list(task.task.positional) if kind == "task" else [],
    )
