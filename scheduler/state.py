"""The state of a run, as values. `scheduler.folding` makes it from a journal; nothing else knows what has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from scheduler.artefacts import Artefact
from scheduler.backup.seen import UNSAVED, Archive, BackupSeen, Saved
from scheduler.plan import Plan, Task
from scheduler.question import Answer, Question
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
    repaired: str = ""
    """What it put right, the latest time that it did."""

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.text} (repaired: {self.repaired})" if self.repaired else self.text


@dataclass(frozen=True, slots=True)
class Kept:
    """What a task kept of its work, for an attempt that goes on with it."""

    value: Any = None
    """JSON; None for nothing."""
    notes: int = 0
    """How many notes there were by then."""
    answers: int = 0
    """How many answers of people."""


NOTHING_KEPT: Final = Kept()


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
    answers: tuple[Answer, ...] = ()
    """What people said yes to. They hold for an attempt after one that was cut short, not after one that failed."""
    failures: tuple[str, ...] = ()
    """Errors of attempts that were tried again."""
    failed_sim_ns: int | None = None
    """When the latest of them ended."""
    progress: Kept = NOTHING_KEPT
    asked_before: int = 0
    """How many of the answers the running attempt does not ask for: they belong to work that is done."""
    artefacts: tuple[Artefact, ...] = ()
    since: int = 0
    """The attempt that began at the start, and whose folder of artefacts is in use; those after it went on."""
    checked: tuple[str, ...] = ()
    """Checks that were content before its next attempt."""
    unwell: int = 0
    """How often the check that comes next was not content."""
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
    """When its function began, at its start."""
    lead_sim_ns: int = 0
    """How long the checks before the latest attempt took."""
    finished_sim_ns: int | None = None

    @property
    def continues(self) -> bool:
        """Whether its next attempt goes on from what an earlier one kept."""
        return self.progress.value is not None and self.task.on_resume == "continue"

    @property
    def artefact_folder(self) -> str:
        """Where its artefacts are, relative to the run folder."""
        return f"artefacts/{self.task.id}/{self.since}"

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
    stop: Stop | None = None
    questions: Mapping[str, Question] = field(default_factory=dict)
    """Those that wait for an answer, by task, in the order in which they were asked."""
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
    put_back: bool = False
    """Whether the run's clock was put back to where a task was begun that is to run again (`resume_position`)."""
    seq: int = 0
    misfits: int = 0
    """Records that fitted nothing."""


EMPTY: Final = RunState()


def with_task(state: RunState, task: TaskState, **changes: Any) -> RunState:
    """The state with a task as it is now, and other changes."""
    return replace(state, tasks={**state.tasks, task.task.id: task}, **changes)


def resumed(state: RunState) -> RunState:
    """The state as a new engine takes it up: what was cut short, failed on the bench or cleaned up is open again."""
    tasks = {name: _reopened(task, state.backup_to) for name, task in state.tasks.items()}
    return replace(
        state,
        tasks=tasks,
        status=RunStatus.RUNNING,
        verdict=Verdict.UNSET,
        stop=None,
        questions={},
        by="",
    )


def resumable(state: RunState) -> bool:
    """Whether taking the run up again could change anything."""
    if state.status is not RunStatus.FINISHED:
        return state.plan is not None
    return state.verdict in (Verdict.ERROR, Verdict.ABORTED)


def resume_position(state: RunState) -> int | None:
    """Where the run's clock must stand for what is still to run, ns: where the first of it was begun. None: anywhere.

    *state* is the run as it was taken up (`resumed`). Tasks that take no part in time do not count.
    """
    open_tasks = [
        task for task in state.tasks.values() if task.status is TaskStatus.PENDING and task.task.timed
    ]
    begun = [task.begun_sim_ns for task in open_tasks if task.begun_sim_ns is not None]
    return min(begun, default=state.settled_sim_ns)


def begins_not_before(state: RunState, task: TaskState) -> int | None:
    """The run's clock at which a task may begin at the earliest, ns; None for at once.

    When the clock was put back for a task that ran beside others, those begin again when they were begun before, and
    others not before all that ended then.
    """
    if not state.put_back or not task.task.timed:
        return None
    ended = (other.finished_sim_ns for other in state.tasks.values() if _ended_in_turn(other))
    known = task.begun_sim_ns if task.begun_sim_ns is not None else max((ns for ns in ended if ns), default=0)
    return known if known > state.sim_ns else None


def _ended_in_turn(task: TaskState) -> bool:
    return task.status is TaskStatus.DONE and task.task.timed and not task.out_of_turn


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
        return replace(task, saved=task.saved.promised_again(backup_to)) if to_be_saved(task) else task
    if task.out_of_turn:  # its turn is still to come, and has nothing to do with what cleaned up
        task = replace(task, progress=NOTHING_KEPT)
    begun = task.status is not TaskStatus.PENDING or task.verdict is Verdict.ABORTED
    if begun and task.task.on_resume == "skip":
        reason = "it was begun and did not end, and is not to be begun twice"
        return replace(task, status=TaskStatus.DONE, verdict=Verdict.SKIPPED, reason=reason)
    if task.status is TaskStatus.DONE:  # it ended by itself: its next attempt is a new beginning
        kept = task.progress.answers if task.continues else 0
        task = replace(task, answers=task.answers[:kept], failures=(), failed_sim_ns=None)
    return replace(
        task, status=TaskStatus.PENDING, verdict=Verdict.UNSET, out_of_turn=False, checked=(), unwell=0
    )


def to_be_saved(task: TaskState) -> bool:
    """Whether a backup is due after it."""
    return task.task.backup and not task.out_of_turn and task.verdict in (Verdict.PASS, Verdict.FAIL)
