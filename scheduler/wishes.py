"""What people may ask of the tasks that have not run: leave one out, or run it at another place. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.order import misplaced
from scheduler.plan import Task, forbidden
from scheduler.requests import Request
from scheduler.state import RunState, TaskState, TaskStatus, moved
from scheduler.verdict import Verdict


def refusal(state: RunState, wish: Request) -> str | None:
    """Why a *skip* or *move* cannot be; None when it can. One sentence that says what to do."""
    task = state.tasks.get(wish.task)
    if task is None:
        return f"there is no task {wish.task!r}; `stellwerk sched status` lists them"
    if task.status is not TaskStatus.PENDING:
        how = "is running" if task.status is TaskStatus.RUNNING else "has run"
        return f"{wish.task} {how}; only what is still to come can be changed"
    left = _skipped(state, task, wish) if wish.kind == "skip" else _moved(state, wish)
    if isinstance(left, str):
        return left
    known = state.tasks.keys() - {other.id for other in left}
    beside = [other.task for other in state.tasks.values() if _runs_beside(other)]
    resources = state.plan.resources if state.plan else {}
    wrong = (*misplaced([*beside, *left], resources, known), *forbidden(left, conditions(state)))
    return None if not wrong else f"then {wrong[0][0]} could not run: it {wrong[0][1]}"


def event(wish: Request) -> tuple[str, dict[str, Any]]:
    """The event that grants it, for the journal."""
    if wish.kind == "skip":
        return "task_skipped", {"task": wish.task, "reason": wish.reason, "by": wish.by}
    return "task_moved", {"task": wish.task, "before": wish.before, "reason": wish.reason, "by": wish.by}


def conditions(state: RunState) -> Mapping[str, str]:
    """The conditions as the tasks that have run or are running leave them."""
    now = dict(state.plan.begins) if state.plan else {}
    for task in state.tasks.values():
        if task.status is not TaskStatus.PENDING and task.verdict is not Verdict.SKIPPED:
            now |= task.task.leaves
    return now


def _runs_beside(task: TaskState) -> bool:
    return task.status is TaskStatus.RUNNING and task.task.beside


def _pending(state: RunState) -> list[Task]:
    return [task.task for task in state.tasks.values() if task.status is TaskStatus.PENDING]


def _skipped(state: RunState, task: TaskState, wish: Request) -> Sequence[Task] | str:
    if task.task.always:
        return f"{wish.task} always runs, because it cleans up; it cannot be left out"
    if not wish.reason.strip():
        return f"leaving {wish.task} out needs a reason"
    return [other for other in _pending(state) if other.id != wish.task]


def _moved(state: RunState, wish: Request) -> Sequence[Task] | str:
    if wish.before:
        target = state.tasks.get(wish.before)
        if target is None or target.status is not TaskStatus.PENDING or wish.before == wish.task:
            return f"{wish.task} can be moved before another task to come, or to the end; {wish.before!r} is none"
    return _pending(moved(state, wish.task, wish.before))
