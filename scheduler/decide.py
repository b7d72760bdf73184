"""What an engine does next: a pure function of the run's state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scheduler.backup.seen import Making
from scheduler.order import earlier, ready
from scheduler.plan import Task
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
    stands: bool = False
    """Simulated time must not move: a task that takes part in it waits for one that does not, and so takes no time."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing is left to do in this attempt."""


Action = RunCheck | RunTask | MakeBackup | SkipTask | Finish | Wait | Leave


def decide(state: RunState, making: Making | None = None) -> Action:
    """The next thing to do. Each one, done and journalled, changes the state, so that this ends.

    making  the backup that is under way: what it will hold is not to be saved once more. `beside_backup` says whether
            the action goes with it
    """
    if state.plan is None or state.status is RunStatus.FINISHED:
        return Leave()
    backup = _backup(state, making)
    if state.stop is not None:
        return _clean_up(state, backup)
    if backup is not None:
        return backup
    left = [task.task for task in state.tasks.values() if task.status is not TaskStatus.DONE]
    if not left:
        return Finish(judged(state))
    running = {task.id for task in left if state.tasks[task.id].status is TaskStatus.RUNNING}
    done = state.tasks.keys() - {task.id for task in left}
    may = [state.tasks[task.id] for task in ready(left, done, running, state.plan.resources)]
    waits = [ns for task in may if (ns := begins_not_before(state, task)) is not None]
    begin = [task for task in may if begins_not_before(state, task) is None]
    held_up = _held_up(state, left, running, {task.task.id for task in may})
    if held_up is not None:
        before = [task.id for task in left[: left.index(held_up)]]
        begin = [task for task in begin if not task.task.timed or task.task.id in before]
    if begin:  # nothing comes between the checks before a task and the task
        return _begin(state, next((task for task in begin if task.checked), begin[0]))
    if waits or running:
        return Wait(min(waits, default=None), stands=held_up is not None)
    return _begin(state, state.tasks[left[0].id])  # an order by another version: better its order than none


def beside_backup(action: Action, state: RunState, *, reading: bool) -> Action:
    """What is to be done while a backup is under way: all but the next backup, and the end of the run.

    reading  the records are still being read, so that tasks must not change them

    What waits for a backup takes no time: how fast a destination is must not be in the record. A run that stops is made
    safe first.
    """
    stops = state.stop is not None
    match action:
        case RunTask() if reading and not stops:
            return Wait(stands=True)
        case MakeBackup():
            return Wait(stands=not stops)
        case Finish() | Leave():
            return Wait()
    return action


def _backup(state: RunState, making: Making | None) -> MakeBackup | None:
    """The first that is to be begun."""
    for task in state.tasks.values():
        to = task.saved.first_owed(making) if task.saved.owed else None
        if to is not None:
            return MakeBackup(task, to)
    return None


def _held_up(
    state: RunState, left: Sequence[Task], running: Collection[str], may: Collection[str]
) -> Task | None:
    """The first task that takes part in time and waits only for some that do not; *may*: what begins anyhow.

    Until it begins time stands, and nothing behind it that takes part in time begins: so it is as if they took none.
    """
    untimed = {task.id for task in left if not task.timed}
    going, gone = set(running), state.tasks.keys() - {task.id for task in left}
    capacity = state.plan.resources if state.plan else {}
    while ended := going & untimed:
        going -= ended
        gone |= ended
        left = [task for task in left if task.id not in ended]
        begin = list(ready(left, gone, going, capacity))
        for task in begin:
            known = task.id in may or not task.timed
            if not known and begins_not_before(state, state.tasks[task.id]) is None:
                return task
        going |= {task.id for task in begin if not task.timed}
    return None


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


def _clean_up(state: RunState, backup: MakeBackup | None) -> Action:
    """After a stop, the tasks that always run still do, each once; what is to be saved waits for them."""
    if any(task.status is TaskStatus.RUNNING for task in state.tasks.values()):
        return Wait()
    left = (task for task in state.tasks.values() if task.task.always and task.status is TaskStatus.PENDING)
    for task in left:
        if task.verdict is not Verdict.ABORTED:  # cut short itself: it had its chance
            return RunTask(task)
    if backup is not None:
        return backup
    if state.status is RunStatus.INTERRUPTED:
        return Leave()
    return Finish(judged(state))


def _stops_plan(task: TaskState) -> bool:
    return task.verdict is Verdict.FAIL and task.task.on_fail == "stop"
