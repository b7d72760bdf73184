"""The state of a run: a pure fold of its journal. Nothing else knows what has happened.

`fold` is total: a record that fits nothing (an unknown task, an unknown event) changes nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from scheduler.backup.seen import UNSAVED, Archive, BackupSeen, Saved, repointed, without
from scheduler.errors import PlanRejected
from scheduler.journal import JournalRecord, read_journal
from scheduler.plan import Plan, Task
from scheduler.verdict import Verdict, overall


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"


class RunStatus(StrEnum):
    """Where a run stands, as far as its journal tells. A killed run still says *running*."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class CheckSeen:
    """What a check found before a task."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of a run."""

    task: Task
    status: TaskStatus = TaskStatus.PENDING
    verdict: Verdict = Verdict.UNSET
    attempt: int = 0
    """How often it was begun."""
    out_of_turn: bool = False
    """It cleaned up after an early stop; its turn in the plan is still to come."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    reason: str = ""
    """Why it was skipped."""
    notes: tuple[str, ...] = ()
    """Of the latest attempt."""
    checks: Mapping[str, CheckSeen] = field(default_factory=dict)
    """What each check found before it, the latest time."""
    saved: Saved = UNSAVED
    """What became of the backups after it."""
    started_at: float | None = None
    """Unix time, seconds; of the latest attempt."""
    finished_at: float | None = None
    wall_s: float | None = None
    begun_sim_ns: int | None = None
    """The run's clock before the first check before the first attempt: where a restart goes back to."""
    started_sim_ns: int | None = None
    finished_sim_ns: int | None = None

    @property
    def backup(self) -> BackupSeen | None:
        """The backups after it in one; None while none was tried."""
        return self.saved.summary()


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run does not go on with its plan."""

    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class RunState:
    """A run, as its journal tells it."""

    run: str = ""
    plan: Plan | None = None
    status: RunStatus = RunStatus.CREATED
    verdict: Verdict = Verdict.UNSET
    attempt: int = 0
    """How often an engine took it up."""
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    """In the plan's order."""
    checked: tuple[str, ...] = ()
    """Checks that were content since the last task, in this attempt."""
    stop: Stop | None = None
    by: str = ""
    """Who paused it."""
    backup_to: tuple[str, ...] = ()
    """Where backups go, in this attempt."""
    archives: tuple[Archive, ...] = ()
    """All that were verified and not removed since, oldest first."""
    created_at: float | None = None
    started_at: float | None = None
    """When it was first taken up, Unix time, seconds."""
    ended_at: float | None = None
    updated_at: float | None = None
    host: str = ""
    pid: int = 0
    version: str = ""
    sim_ns: int = 0
    """The run's clock at the latest record."""
    settled_sim_ns: int | None = None
    """The run's clock where the plan last stood between two tasks."""
    seq: int = 0
    misfits: int = 0
    """Records that fitted nothing."""


EMPTY: Final = RunState()


def fold(records: Iterable[JournalRecord], start: RunState = EMPTY) -> RunState:
    """The state after these records. Never raises."""
    state = start
    for record in records:
        state = apply(state, record)
    return state


def apply(state: RunState, record: JournalRecord) -> RunState:
    """The state after one more record."""
    handler = HANDLERS.get(record.event)
    try:
        after = None if handler is None else handler(state, record)
    except (KeyError, TypeError, ValueError, AttributeError, PlanRejected):
        after = None  # a record by another version, or by nobody: known damage is the journal's to refuse
    if after is None:
        after = replace(state, misfits=state.misfits + 1)
    return replace(after, seq=record.seq, sim_ns=record.sim_ns, updated_at=record.at)


def resumed(state: RunState) -> RunState:
    """The state as a new engine takes it up: what was cut short, failed on the bench or cleaned up is open again."""
    tasks = {name: _reopened(task, state.backup_to) for name, task in state.tasks.items()}
    return replace(
        state, tasks=tasks, status=RunStatus.RUNNING, verdict=Verdict.UNSET, stop=None, checked=(), by=""
    )


def resumable(state: RunState) -> bool:
    """Whether taking the run up again could change anything."""
    if state.status is not RunStatus.FINISHED:
        return state.plan is not None
    return state.verdict in (Verdict.ERROR, Verdict.ABORTED)


def resume_time_ns(run_dir: Path) -> int | None:
    """Where the run's clock must stand when the run is taken up again, ns; None if it never was taken up.

    It is the time at which the first task that is still to run was first begun (with the checks before it), so that
    a simulated bench that is put back there gives it the same course again.
    """
    state = fold(read_journal(run_dir))
    again = resumed(state)
    first = next((t for t in again.tasks.values() if t.status is TaskStatus.PENDING), None)
    if first is not None and first.begun_sim_ns is not None:
        return first.begun_sim_ns
    return state.settled_sim_ns


def moved(state: RunState, name: str, before: str) -> RunState:
    """The state with a task at another place: before another one, or last. Raises KeyError."""
    task = state.tasks[name]
    order = [other for other in state.tasks if other != name]
    order.insert(order.index(before) if before else len(order), name)
    return replace(state, tasks={other: task if other == name else state.tasks[other] for other in order})


def judged(state: RunState) -> Verdict:
    """The verdict over all that happened so far."""
    verdicts = [task.verdict for task in state.tasks.values()]
    return overall([*verdicts, state.stop.verdict] if state.stop else verdicts)


def _reopened(task: TaskState, backup_to: tuple[str, ...]) -> TaskState:
    final = task.verdict not in (Verdict.ERROR, Verdict.ABORTED)
    if task.status is TaskStatus.DONE and final and not task.out_of_turn:
        return replace(task, saved=task.saved.promised_again(backup_to)) if _to_be_saved(task) else task
    return replace(task, status=TaskStatus.PENDING, verdict=Verdict.UNSET, out_of_turn=False)


def _to_be_saved(task: TaskState) -> bool:
    return task.task.backup and not task.out_of_turn and task.verdict in (Verdict.PASS, Verdict.FAIL)


def _with_task(state: RunState, task: TaskState, **changes: Any) -> RunState:
    return replace(state, tasks={**state.tasks, task.task.id: task}, **changes)


def _settled(state: RunState, record: JournalRecord) -> int | None:
    """Cleaning up early does not move the place to which a resumed run returns."""
    return record.sim_ns if state.stop is None else state.settled_sim_ns


def _run_created(state: RunState, record: JournalRecord) -> RunState:
    plan = Plan.from_json(record.data["plan"])
    return replace(
        state,
        run=str(record.data["run"]),
        plan=plan,
        tasks={task.id: TaskState(task) for task in plan.tasks},
        created_at=record.at,
    )


def _run_started(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    return replace(
        resumed(replace(state, backup_to=tuple(data.get("backup_to", ())))),
        attempt=data["attempt"],
        host=data["host"],
        pid=data["pid"],
        version=data["version"],
        started_at=record.at if state.started_at is None else state.started_at,
        ended_at=None,
        settled_sim_ns=record.sim_ns,
    )


def _begun(state: RunState, task: TaskState) -> TaskState:
    if task.begun_sim_ns is not None or state.stop is not None:
        return task
    return replace(task, begun_sim_ns=state.settled_sim_ns)


def _check_finished(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    seen = CheckSeen(data["ok"], data["text"])
    task = _begun(state, state.tasks[data["before"]])
    task = replace(task, checks={**task.checks, data["check"]: seen})
    if seen.ok:
        return _with_task(state, task, checked=(*state.checked, data["check"]))
    return _with_task(state, task, stop=Stop(Verdict.ERROR, f"{data['check']}: {seen.text}"))


def _task_started(state: RunState, record: JournalRecord) -> RunState:
    task = _begun(state, state.tasks[record.data["task"]])
    started = TaskState(
        task.task,
        status=TaskStatus.RUNNING,
        attempt=record.data["attempt"],
        out_of_turn=state.stop is not None,
        checks=task.checks,
        started_at=record.at,
        begun_sim_ns=task.begun_sim_ns,
        started_sim_ns=record.sim_ns,
    )
    return _with_task(state, started, checked=())


def _task_note(state: RunState, record: JournalRecord) -> RunState:
    task = state.tasks[record.data["task"]]
    return _with_task(state, replace(task, notes=(*task.notes, record.data["text"])))


def _task_finished(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    verdict = Verdict(data["verdict"])
    task = replace(
        state.tasks[data["task"]],
        status=TaskStatus.DONE,
        verdict=verdict,
        outputs=data["outputs"],
        finished_at=record.at,
        wall_s=data["wall_s"],
        finished_sim_ns=record.sim_ns,
    )
    if _to_be_saved(task):
        task = replace(task, saved=Saved(owed=state.backup_to))
    stop = state.stop
    if stop is None and verdict in (Verdict.ERROR, Verdict.ABORTED):
        stop = Stop(verdict, f"{task.task.id} ended with {verdict}")
    return _with_task(state, task, stop=stop, settled_sim_ns=_settled(state, record))


def _task_failed(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    before = state.tasks[data["task"]]
    task = replace(
        before,
        status=TaskStatus.DONE,
        verdict=Verdict.ERROR,
        error=data["error"],
        traceback=data["traceback"],
        finished_at=record.at,
        wall_s=None if before.started_at is None else round(record.at - before.started_at, 3),
        finished_sim_ns=record.sim_ns,
    )
    stop = state.stop or Stop(Verdict.ERROR, f"{task.task.id}: {task.error}")
    return _with_task(state, task, stop=stop)


def _task_skipped(state: RunState, record: JournalRecord) -> RunState:
    task = state.tasks[record.data["task"]]
    skipped = replace(task, status=TaskStatus.DONE, verdict=Verdict.SKIPPED, reason=record.data["reason"])
    return _with_task(state, skipped)


def _task_moved(state: RunState, record: JournalRecord) -> RunState:
    return moved(state, record.data["task"], record.data["before"])


def _told_only(state: RunState, _record: JournalRecord) -> RunState:
    """For people; nothing has changed."""
    return state


def _backup_finished(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    to = data.get("to", "")
    seen = BackupSeen(data["verified"], data["file"], data["sha256"], data["files"])
    archive = Archive(to, data["file"], data["sha256"], data["files"], record.at)
    return replace(_seen_after(state, data["task"], to, seen), archives=(*state.archives, archive))


def _backup_failed(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    return _seen_after(state, data["task"], data.get("to", ""), BackupSeen(False, error=data["error"]))


def _seen_after(state: RunState, name: str, to: str, seen: BackupSeen) -> RunState:
    """An archive holds all records so far: it makes up for every earlier one that is lacking there."""
    tasks = {**state.tasks, name: state.tasks[name]}  # raises for a task that there is not
    for other, task in state.tasks.items():
        if other == name or task.saved.lacks(to):
            tasks[other] = replace(task, saved=task.saved.after(to, seen))
    return replace(state, tasks=tasks)


def _backup_pruned(state: RunState, record: JournalRecord) -> RunState:
    to, files = record.data["to"], record.data["files"]
    left = without(state.archives, to, files)
    *_, newest = (archive for archive in left if archive.to == to)  # ValueError if none is left
    tasks = {
        name: replace(task, saved=repointed(task.saved, to, files, newest))
        for name, task in state.tasks.items()
    }
    return replace(state, archives=left, tasks=tasks)


def _paused(state: RunState, record: JournalRecord) -> RunState:
    return replace(state, status=RunStatus.PAUSED, by=record.data["by"])


def _continued(state: RunState, _record: JournalRecord) -> RunState:
    return replace(state, status=RunStatus.RUNNING, by="")


def _run_interrupted(state: RunState, record: JournalRecord) -> RunState:
    tasks = {
        name: replace(task, status=TaskStatus.PENDING, verdict=Verdict.ABORTED)
        if task.status is TaskStatus.RUNNING
        else task
        for name, task in state.tasks.items()
    }
    return replace(
        state,
        tasks=tasks,
        status=RunStatus.INTERRUPTED,
        verdict=Verdict.ABORTED,
        stop=Stop(Verdict.ABORTED, record.data["reason"]),
        ended_at=record.at,
    )


def _run_finished(state: RunState, record: JournalRecord) -> RunState:
    verdict = Verdict(record.data["verdict"])
    return replace(state, status=RunStatus.FINISHED, verdict=verdict, ended_at=record.at)


HANDLERS: Final[Mapping[str, Callable[[RunState, JournalRecord], RunState]]] = {
    "run_created": _run_created,
    "run_started": _run_started,
    "check_finished": _check_finished,
    "task_started": _task_started,
    "task_note": _task_note,
    "task_finished": _task_finished,
    "task_failed": _task_failed,
    "task_skipped": _task_skipped,
    "task_moved": _task_moved,
    "request_refused": _told_only,
    "notification": _told_only,
    "backup_finished": _backup_finished,
    "backup_failed": _backup_failed,
    "backup_pruned": _backup_pruned,
    "paused": _paused,
    "continued": _continued,
    "run_interrupted": _run_interrupted,
    "run_finished": _run_finished,
}
"""Every event there is."""
