"""What records of tasks that run do to the state of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scheduler.artefacts import Artefact
from scheduler.backup.seen import Saved
from scheduler.folding_questions import unasked
from scheduler.journal import JournalRecord
from scheduler.state import Kept, RunState, Stop, TaskState, TaskStatus, to_be_saved, with_task
from scheduler.verdict import Verdict


def begun(state: RunState, task: TaskState, at_ns: int | None) -> TaskState:
    """The task, with the time at which a resumed run must be to begin it the same way."""
    tried_again = task.begun_sim_ns == task.failed_sim_ns and not task.checked
    if (task.begun_sim_ns is not None and not tried_again) or state.stop is not None:
        return task
    return replace(task, begun_sim_ns=at_ns)


def task_started(state: RunState, record: JournalRecord) -> RunState:
    """Its next attempt begins: at its start, or where an earlier one kept what it had."""
    attempt = record.data["attempt"]
    task = begun(state, state.tasks[record.data["task"]], record.sim_ns)
    lead_ns = 0 if task.begun_sim_ns is None else record.sim_ns - task.begun_sim_ns
    if task.continues:
        kept = task.progress
        nothing: dict[str, Any] = {"finished_at": None, "wall_s": None, "finished_sim_ns": None}
        started = replace(task, **nothing, error="", traceback="", reason="")
        started = replace(started, notes=task.notes[: kept.notes], asked_before=kept.answers)
    else:
        started = TaskState(
            task.task,
            since=attempt,
            answers=task.answers,
            failures=task.failures,
            failed_sim_ns=task.failed_sim_ns,
            checks=task.checks,
            begun_sim_ns=task.begun_sim_ns,
            started_sim_ns=record.sim_ns,
        )
    started = replace(
        started,
        status=TaskStatus.RUNNING,
        verdict=Verdict.UNSET,
        attempt=attempt,
        out_of_turn=state.stop is not None,
        started_at=record.at,
        lead_sim_ns=lead_ns,
        checked=(),
        unwell=0,
    )
    return with_task(state, started, questions=unasked(state, task.task.id))


def task_note(state: RunState, record: JournalRecord) -> RunState:
    """It wrote a sentence."""
    task = state.tasks[record.data["task"]]
    return with_task(state, replace(task, notes=(*task.notes, record.data["text"])))


def task_kept(state: RunState, record: JournalRecord) -> RunState:
    """It kept what it has; a resumed run begins it here."""
    task = state.tasks[record.data["task"]]
    kept = Kept(record.data["kept"], len(task.notes), len(task.answers))
    task = replace(task, progress=kept)
    if task.continues and state.stop is None:
        # Checks run again before it goes on, and take as long as before.
        task = replace(task, begun_sim_ns=record.sim_ns - task.lead_sim_ns)
    return with_task(state, task)


def task_finished(state: RunState, record: JournalRecord) -> RunState:
    """It has a verdict."""
    data = record.data
    verdict = Verdict(data["verdict"])
    task = replace(
        state.tasks[data["task"]],
        status=TaskStatus.DONE,
        verdict=verdict,
        outputs=data["outputs"],
        artefacts=tuple(Artefact(**artefact) for artefact in data.get("artefacts", ())),
        finished_at=record.at,
        wall_s=data["wall_s"],
        finished_sim_ns=record.sim_ns,
    )
    if to_be_saved(task):
        task = replace(task, saved=Saved(owed=state.backup_to, since=record.seq))
    stop = state.stop
    if stop is None and verdict in (Verdict.ERROR, Verdict.ABORTED):
        stop = Stop(verdict, f"{task.task.id} ended with {verdict}")
    # Cleaning up early does not move the place to which a resumed run returns.
    settled_ns = record.sim_ns if state.stop is None else state.settled_sim_ns
    left = unasked(state, task.task.id)
    return with_task(state, task, stop=stop, questions=left, settled_sim_ns=settled_ns)


def task_failed(state: RunState, record: JournalRecord) -> RunState:
    """The bench failed it; it is tried again, or the run stops."""
    data = record.data
    before = state.tasks[data["task"]]
    ended: dict[str, Any] = {
        "error": data["error"],
        "traceback": data["traceback"],
        "finished_at": record.at,
        "wall_s": None if before.started_at is None else round(record.at - before.started_at, 3),
        "finished_sim_ns": record.sim_ns,
    }
    left = unasked(state, before.task.id)
    if data.get("retried", False):
        again = replace(
            before,
            **ended,
            status=TaskStatus.PENDING,
            failures=(*before.failures, data["error"]),
            failed_sim_ns=record.sim_ns,
            begun_sim_ns=record.sim_ns if state.stop is None else before.begun_sim_ns,
        )
        return with_task(state, again, questions=left)
    task = replace(before, **ended, status=TaskStatus.DONE, verdict=Verdict.ERROR)
    stop = state.stop or Stop(Verdict.ERROR, f"{task.task.id}: {task.error}")
    return with_task(state, task, stop=stop, questions=left)
