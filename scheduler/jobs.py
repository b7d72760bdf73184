"""What child processes are told: jobs, made from the state of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from scheduler.calling import calls_of
from scheduler.channel import Job
from scheduler.order import earlier
from scheduler.plan import Plan
from scheduler.state import RunState, TaskState

NS_PER_S: Final = 1_000_000_000
PULSES: Final = 4
"""So many signs of life in the time without one that counts as hung."""
LONGEST_PULSE_S: Final = 5.0
MEASUREMENTS: Final = "measurements"
"""Where tasks tell values against limits (docs/live-page.md)."""


def look_up(plan: Plan, run_dir: Path) -> Job:
    """To look up everything that a plan calls."""
    return Job("resolve", "", str(run_dir), "", "", 1, calls_of(plan), {}, {})


def job_of(
    state: RunState,
    kind: Literal["task", "check"],
    call: str,
    task: TaskState,
    run_dir: Path,
    environment: Mapping[str, Any],
) -> Job:
    """To carry out a task's next attempt, or a check before it."""
    before = earlier([other.task for other in state.tasks.values()], task.task.id)
    return Job(
        kind=kind,
        call=call,
        run_dir=str(run_dir.resolve()),
        task_id=task.task.id,
        title=task.task.title,
        attempt=task.attempt + 1,
        arguments=task.task.arguments,
        parameters=state.plan.parameters if state.plan else {},
        results=partial(_results, state, before),
        environment=environment,
        of=task.task.call,
        **(_of_task(state, task, before) if kind == "task" else {"failures": task.unwell}),
    )


def _results(state: RunState, before: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Outputs of what it certainly comes after: the same ones, however the tasks beside it ran.

    Without what was measured: that is for people, and after a thousand tasks it would be megabytes for each task.
    """
    return {
        name: {key: value for key, value in other.outputs.items() if key != MEASUREMENTS}
        for name, other in state.tasks.items()
        if other.finished_at is not None and (name in before or state.stop is not None)
    }


def _of_task(state: RunState, task: TaskState, before: Collection[str]) -> dict[str, Any]:
    """What only the task itself is told, not the checks before it."""
    return {
        "unsure": [name for name in state.tasks if name not in before and name != task.task.id],
        "positional": list(task.task.positional),
        "failures": len(task.failures),
        "kept": task.progress.value if task.continues else None,
        "since": task.since if task.continues else task.attempt + 1,
        "begin_at_ns": _not_before(task),
        "timed": task.task.timed,
        "pulse_s": min(task.task.heartbeat_s / PULSES, LONGEST_PULSE_S),
    }


def _not_before(task: TaskState) -> int | None:
    if task.failed_sim_ns is None or task.task.retry_pause_s == 0:
        return None
    return task.failed_sim_ns + round(task.task.retry_pause_s * NS_PER_S)
