"""What is said of each journal record. Pure: the same record makes the same notices, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from scheduler.journal import JournalRecord
from scheduler.notify.notice import Notice, Severity
from scheduler.state import RunState, TaskState
from scheduler.verdict import Verdict

RULER: Final = "-" * 40
MOST_CHARACTERS: Final = 3600
"""Of one message; Slack asks for less than 4000."""
LISTED_TASKS: Final = 60
"""A longer schedule is condensed to what it calls."""
LISTED_CALLS: Final = 30
LISTED_ODD: Final = 10
"""So many tasks that did not pass are told one by one, more of them in one message."""


def say(record: JournalRecord, state: RunState) -> Iterator[Notice]:
    """What a record is worth, in order. *state* is the run after it."""
    data = record.data
    match record.event:
        case "run_started":
            yield _launch(record, state)
        case "task_started":
            yield _message(_named(state, data["task"]))
        case "task_finished" if data["verdict"] == Verdict.FAIL:
            yield _warning(f"{_named(state, data['task'])}: FAIL, outside its limits")
        case "task_finished" if data["verdict"] != Verdict.PASS:
            yield _warning(f"{_named(state, data['task'])} ended with {data['verdict']}", wake=True)
        case "task_failed":
            yield from _failure(record, state)
        case "task_skipped":
            yield _message(f"{_named(state, data['task'])} is left out: {data['reason']}")
        case "check_finished":
            yield from _check(record, state)
        case "backup_failed":
            yield _warning(f"backup after {data['task']} failed: {data['error']}", wake=True)
        case "notification":
            severity = Severity(data["severity"])
            wake = severity is Severity.CRITICAL
            text = _cut(f"{data['by']}: {data['text']}")
            yield Notice(severity, text, wake, picture=data["picture"], title=data["title"])
        case "question_asked":
            yield from _question(record, state)
        case "question_answered":
            yield from _answer(record, state)
        case "paused" | "continued":
            yield _message(f"Run {record.event} by {data.get('by', 'somebody')}")
        case "run_interrupted":
            yield _warning("run stopped by hand", wake=True)
            if not data.get("reason_follows"):
                yield _warning(f"reason given: {data['reason']}", wake=True)
        case "reason_given":
            yield _warning(f"reason given: {data['reason']}", wake=True)
        case "run_finished":
            yield from _summary(state)


def _check(record: JournalRecord, state: RunState) -> Iterator[Notice]:
    data = record.data
    before = _named(state, data["before"])
    if data.get("repaired"):
        yield _warning(f"check before {before} repaired: {data['repaired']}")
    if not data["ok"] and data.get("retried"):
        yield _message(f"check before {before} is tried again: {data['text']}")
    elif not data["ok"]:
        yield _warning(f"check before {before} failed: {data['text']}", wake=True)


def _question(record: JournalRecord, state: RunState) -> Iterator[Notice]:
    data = record.data
    severity = Severity(data["severity"])
    wake = severity is Severity.CRITICAL
    yield Notice(severity, f"{_named(state, data['task'])}: the run waits for an answer", wake)
    yield Notice(severity, _cut(f"{data['text']}"), wake)


def _answer(record: JournalRecord, state: RunState) -> Iterator[Notice]:
    data = record.data
    comment = f": {data['comment']}" if data["comment"] else ""
    if data["yes"]:
        yield _message(f"Manual input received from {data['by']}{comment}; continuing schedule")
    elif data["task"] in state.questions:
        yield _message(f"{data['by']} said no{comment}; it is asked again before the run ends")


def _message(text: str) -> Notice:
    return Notice(Severity.MESSAGE, _cut(text))


def _warning(text: str, *, wake: bool = False) -> Notice:
    return Notice(Severity.WARNING, _cut(text), wake)


def _launch(record: JournalRecord, state: RunState) -> Notice:
    now = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if record.data.get("resumed"):
        return _message(f"Going on with run {state.run} - time is now: {now}")
    plan = state.plan.name if state.plan else "?"
    greeting = state.plan.parameters.get("greeting") if state.plan else None
    facts = [str(line) for line in greeting] if greeting else [f"   -- Current run: {state.run}"]
    lines = [RULER, f"Executing {plan} - time is now: {now}", *facts]
    if len(state.tasks) <= LISTED_TASKS:
        lines += ["Schedule:", *(_named(state, name) for name in state.tasks)]
    else:
        # A plan may say itself which of its tasks matter to people.
        own = state.plan.parameters.get("condensed") if state.plan else None
        shown = [str(line) for line in own] if own else _condensed(state)
        lines += [f"Condensed schedule of {len(state.tasks)} tasks:", *shown]
    return _message("\n".join(lines))


def _condensed(state: RunState) -> Iterator[str]:
    """What a long schedule calls, how often, and where first."""
    calls: dict[str, list[int]] = {}
    for place, task in enumerate(state.tasks.values()):
        calls.setdefault(task.task.call.partition(":")[2], []).append(place)
    for name, places in list(calls.items())[:LISTED_CALLS]:
        yield f"[{places[0]}] {name}" + (
            f", {len(places)} times to [{places[-1]}]" if len(places) > 1 else ""
        )
    if len(calls) > LISTED_CALLS:
        yield f"and {len(calls) - LISTED_CALLS} other kinds of task"


def _failure(record: JournalRecord, state: RunState) -> Iterator[Notice]:
    task = record.data["task"]
    if record.data.get("retried"):
        yield _warning(f"{_named(state, task)} failed and is tried again: {record.data['error']}")
        return
    if task in state.tasks and state.tasks[task].task.always:
        # What cleans up did not: lamps and voltages may still be on.
        yield Notice(Severity.CRITICAL, _cut(f"{_named(state, task)} could not clean up"), wake=True)
    else:
        yield _warning(f"run stopped automatically in {_named(state, task)}", wake=True)
    trace = str(record.data.get("traceback") or record.data["error"])
    yield Notice(Severity.WARNING, _cut(trace), trace=True)


def _summary(state: RunState) -> Iterator[Notice]:
    yield _message("Schedule completed" if state.stop is None else f"Schedule ended early: {state.stop.text}")
    odd = [task for task in state.tasks.values() if task.verdict is not Verdict.PASS]
    told = [f"Completed, but {_named(state, task.task.id)} = {_how(task)}" for task in odd]
    if len(told) > LISTED_ODD:
        told = ["\n".join([f"{len(told)} tasks did not pass:", *told])]
    for text in told:
        yield _warning(text)
    if not odd:
        yield _message("All tasks in schedule completed successfully")
    yield _message(f"Run {state.run}: {state.verdict}")


def _how(task: TaskState) -> str:
    return "not run" if task.verdict is Verdict.UNSET else str(task.verdict)


def _named(state: RunState, task: str) -> str:
    return f"[{list(state.tasks).index(task)}] {task}" if task in state.tasks else f"[?] {task}"


def _cut(text: str) -> str:
    """Long texts keep their beginning and, for the end of a trace tells most, twice as much of their end."""
    if len(text) <= MOST_CHARACTERS:
        return text
    third = MOST_CHARACTERS // 3
    return f"{text[:third]}\n…\n{text[3 - 2 * third :]}"
