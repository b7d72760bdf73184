"""What an engine does next: a pure function of the run's state."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.state import RunState, RunStatus, TaskState, TaskStatus, judged
from scheduler.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunCheck:
    """Run a check before a task."""

    check: str
    before: TaskState


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run a task."""

    task: TaskState


@dataclass(frozen=True, slots=True)
class MakeBackup:
    """Back the records up after a task."""

    task: TaskState
    to: str
    """The destination."""


@dataclass(frozen=True, slots=True)
class SkipTask:
    """Leave a task out."""

    task: TaskState
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Write the verdict."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is left to do in this attempt."""


Action = RunCheck | RunTask | MakeBackup | SkipTask | Finish | Leave


def decide(state: RunState) -> Action:
    """The next thing to do. Each one, done and journalled, changes the state, so that this ends."""
    if state.plan is None or state.status is RunStatus.FINISHED:
        return Leave()
    unsaved = next((task for task in state.tasks.values() if task.saved.owed), None)
    if unsaved is not None:
        return MakeBackup(unsaved, unsaved.saved.owed[0])
    if state.stop is not None:
        return _clean_up(state)
    pending = next((task for task in state.tasks.values() if task.status is TaskStatus.PENDING), None)
    if pending is None:
        return Finish(judged(state))
    if pending.task.always:
        return RunTask(pending)
    culprit = next((task for task in state.tasks.values() if _stops_plan(task)), None)
    if culprit is not None:
        return SkipTask(pending, f"{culprit.task.id} failed")
    check = next((check for check in state.plan.checks if check not in state.checked), None)
    return RunTask(pending) if check is None else RunCheck(check, pending)


def to_be_retried(state: RunState, name: str) -> bool:
    """Whether a task that has just ended in an error is to be tried again. After a stop only cleaning up is."""
    task = state.tasks[name]
    return len(task.failures) < task.task.retries and (state.stop is None or task.task.always)


def _clean_up(state: RunState) -> Action:
    """After a stop, the tasks that always run still do; each once."""
    left = (task for task in state.tasks.values() if task.task.always and task.status is TaskStatus.PENDING)
    for task in left:
        if task.verdict is not Verdict.ABORTED:  # cut short itself: it had its chance
            return RunTask(task)
    if state.status is RunStatus.INTERRUPTED:
        return Leave()
    return Finish(judged(state))


def _stops_plan(task: TaskState) -> bool:
    return task.verdict is Verdict.FAIL and task.task.on_fail == "stop"
