"""From a journal to the state of its run: a pure fold.

It is total: a record that fits nothing (an unknown task, an unknown event) changes nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from scheduler.errors import PlanRejected
from scheduler.folding_backups import backup_failed, backup_finished, backup_pruned
from scheduler.folding_questions import question_answered, question_asked
from scheduler.folding_tasks import begun, task_failed, task_finished, task_kept, task_note, task_started
from scheduler.journal import JournalRecord, read_journal
from scheduler.plan import Plan
from scheduler.state import (
    EMPTY,
    CheckSeen,
    RunState,
    RunStatus,
    Stop,
    TaskState,
    TaskStatus,
    moved,
    resume_position,
    resumed,
    with_task,
)
from scheduler.verdict import Verdict


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


def resume_time_ns(run_dir: Path) -> int | None:
    """Where the run's clock must stand when the run is taken up again, ns; None if it never was taken up.

    It is the time at which the first task that is still to run was begun (with the checks before it), so that
    a simulated bench that is put back there gives it the same course again.
    """
    return resume_position(resumed(fold(read_journal(run_dir))))


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
    again = resumed(replace(state, backup_to=tuple(data.get("backup_to", ()))))
    begin_ns = resume_position(again)
    return replace(
        again,
        put_back=begin_ns is not None and begin_ns <= record.sim_ns,
        attempt=data["attempt"],
        host=data["host"],
        pid=data["pid"],
        version=data["version"],
        started_at=record.at if state.started_at is None else state.started_at,
        ended_at=None,
        settled_sim_ns=record.sim_ns,
    )


def _check_started(state: RunState, record: JournalRecord) -> RunState:
    """Written only while other tasks run: else the record before tells when it was begun."""
    return with_task(state, begun(state, state.tasks[record.data["before"]], record.sim_ns))


def _check_finished(state: RunState, record: JournalRecord) -> RunState:
    data = record.data
    before = state.tasks[data["before"]].checks.get(data["check"], CheckSeen(True, ""))
    seen = CheckSeen(data["ok"], data["text"], data.get("repaired") or before.repaired)
    task = begun(state, state.tasks[data["before"]], data.get("begun_sim_ns", state.settled_sim_ns))
    task = replace(task, checks={**task.checks, data["check"]: seen})
    if seen.ok:
        return with_task(state, replace(task, checked=(*task.checked, data["check"]), unwell=0))
    if data.get("retried", False):
        return with_task(state, replace(task, unwell=task.unwell + 1))
    return with_task(state, task, stop=Stop(Verdict.ERROR, f"{data['check']}: {seen.text}"))


def _task_skipped(state: RunState, record: JournalRecord) -> RunState:
    task = state.tasks[record.data["task"]]
    skipped = replace(task, status=TaskStatus.DONE, verdict=Verdict.SKIPPED, reason=record.data["reason"])
    return with_task(state, skipped)


def _task_moved(state: RunState, record: JournalRecord) -> RunState:
    return moved(state, record.data["task"], record.data["before"])


def _clock_reached(state: RunState, record: JournalRecord) -> RunState:
    """The run's clock is where a task waited for it to be; when it is lost, none waits for it any more."""
    return replace(state, put_back=state.put_back and not record.data["lost"])


def _told_only(state: RunState, _record: JournalRecord) -> RunState:
    """For people; nothing has changed."""
    return state


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
        questions={},
        ended_at=record.at,
    )


def _reason_given(state: RunState, record: JournalRecord) -> RunState:
    """Why a person stopped the run, told after it was stopped."""
    if state.stop is None:
        return replace(state, misfits=state.misfits + 1)
    return replace(state, stop=replace(state.stop, text=f"{state.stop.text}: {record.data['reason']}"))


def _run_finished(state: RunState, record: JournalRecord) -> RunState:
    verdict = Verdict(record.data["verdict"])
    return replace(state, status=RunStatus.FINISHED, verdict=verdict, ended_at=record.at)


HANDLERS: Final[Mapping[str, Callable[[RunState, JournalRecord], RunState]]] = {
    "run_created": _run_created,
    "run_started": _run_started,
    "check_started": _check_started,
    "check_finished": _check_finished,
    "task_started": task_started,
    "task_note": task_note,
    "question_asked": question_asked,
    "question_answered": question_answered,
    "task_kept": task_kept,
    "task_finished": task_finished,
    "task_failed": task_failed,
    "task_skipped": _task_skipped,
    "task_moved": _task_moved,
    "request_refused": _told_only,
    "notification": _told_only,
    "backup_finished": backup_finished,
    "backup_failed": backup_failed,
    "backup_pruned": backup_pruned,
    "paused": _paused,
    "continued": _continued,
    "clock_reached": _clock_reached,
    "run_interrupted": _run_interrupted,
    "reason_given": _reason_given,
    "run_finished": _run_finished,
}
"""Every event there is."""
