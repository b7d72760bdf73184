"""What an engine does next: a pure function of the run's state."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.order import earlier, ready
from scheduler.state import RunState, RunStatus, TaskState, TaskStatus, begins_not_before, judged
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
class Wait:
    """Nothing is to do before something happens: a task ends, somebody asks for something."""

    until_ns: int | None = None
    """Or the run's clock comes there."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is left to do in this attempt."""


Action = RunCheck | RunTask | MakeBackup | SkipTask | Finish | Wait | Leave


def decide(state: RunState) -> Action:
    """The next thing to do. Each one, done and journalled, changes the state, so that this ends."""
    if state.plan is None or state.status is RunStatus.FINISHED:
        return Leave()
    unsaved = next((task for task in state.tasks.values() if task.saved.owed), None)
    if unsaved is not None:
        return MakeBackup(unsaved, unsaved.saved.owed[0])
    if state.stop is not None:
        return _clean_up(state)
    left = [task.task for task in state.tasks.values() if task.status is not TaskStatus.DONE]
    if not left:
        return Finish(judged(state))
    running = {task.id for task in left if state.tasks[task.id].status is TaskStatus.RUNNING}
    done = state.tasks.keys() - {task.id for task in left}
    waits = []
    for task in ready(left, done, running, state.plan.resources):
        begin_ns = begins_not_before(state, state.tasks[task.id])
        if begin_ns is None:
            return _begin(state, state.tasks[task.id])
        waits.append(begin_ns)
    if waits or running:
        return Wait(min(waits, default=None))
    return _begin(state, state.tasks[left[0].id])  # an order by another version: better its order than none


def _begin(state: RunState, task: TaskState) -> Action:
    """What begins a task whose turn it is."""
    if task.task.always or state.plan is None:
        return RunTask(task)
    culprits = [other.task.id for other in state.tasks.values() if _stops_plan(other)]
    if culprits:
        before = earlier([other.task for other in state.tasks.values()], task.task.id)
        culprit = next((name for name in culprits if name in before), None)
        if culprit is not None:
            return SkipTask(task, f"{culprit} failed")
    checks = state.plan.checks if task.task.timed else ()
    check = next((check for check in checks if check not in task.checked), None)
    return RunTask(task) if check is None else RunCheck(check, task)


def to_be_retried(state: RunState, name: str) -> bool:
    """Whether a task that has just ended in an error is to be tried again. After a stop only cleaning up is."""
    task = state.tasks[name]
    return len(task.failures) < task.task.retries and (state.stop is None or task.task.always)


def _clean_up(state: RunState) -> Action:
    """After a stop, the tasks that always run still do; each once."""
    if any(task.status is TaskStatus.RUNNING for task in state.tasks.values()):
        return Wait()
    left = (task for task in state.tasks.values() if task.task.always and task.status is TaskStatus.PENDING)
    for task in left:
        if task.verdict is not Verdict.ABORTED:  # cut short itself: it had its chance
            return RunTask(task)
    if state.status is RunStatus.INTERRUPTED:
        return Leave()
    return Finish(judged(state))


def _stops_plan(task: TaskState) -> bool:
    return task.verdict is Verdict.FAIL and task.task.on_fail == "stop"
