"""What is said of each journal record. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from scheduler.journal import JournalRecord
from scheduler.notify.outbox import Severity
from scheduler.state import RunState
from scheduler.verdict import Verdict

RULER: Final = "-" * 40
TRACE_CHARACTERS: Final = 3000
EVERYBODY: Final = "<!channel>"
"""The form that notifies everybody through the Web API (api.slack.com, formatting text)."""


def say(record: JournalRecord, state: RunState) -> Iterator[tuple[Severity, str]]:
    """Severity and text of the messages that a record is worth, in order. *state* is the run after it."""
    data = record.data
    match record.event:
        case "run_started":
            yield from _launch(record, state)
        case "task_started":
            yield "message", f"{_place(state, data['task'])} {data['task']}"
        case "task_finished" if data["verdict"] == Verdict.FAIL:
            yield "warning", f"{_place(state, data['task'])} {data['task']}: FAIL, outside its limits"
        case "task_failed":
            yield (
                "warning",
                f"{EVERYBODY} - run stopped automatically in {_place(state, data['task'])} {data['task']}",
            )
            yield "warning", f"```{str(data.get('traceback') or data['error'])[-TRACE_CHARACTERS:]}```"
        case "check_finished" if not data["ok"]:
            yield "warning", f"{EVERYBODY} - check before {data['before']} failed: {data['text']}"
        case "backup_failed":
            yield "warning", f"{EVERYBODY} - backup after {data['task']} failed: {data['error']}"
        case "run_interrupted":
            yield "warning", f"{EVERYBODY} - run stopped by hand"
            yield "warning", f"{EVERYBODY} - reason given: {data['reason']}"
        case "paused" | "continued":
            yield "message", f"Run {record.event} by {data.get('by', 'somebody')}"
        case "run_finished":
            yield from _summary(state)


def _launch(record: JournalRecord, state: RunState) -> Iterator[tuple[Severity, str]]:
    now = datetime.fromtimestamp(record.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if record.data.get("resumed"):
        yield "message", f"Going on with run {state.run} - time is now: {now}"
        return
    lines = [
        RULER,
        f"Executing acceptance run - time is now: {now}",
        f"   -- Current run: {state.run}",
        "Schedule:",
    ]
    lines += [f"{_place(state, name)} {name}" for name in state.tasks]
    yield "message", "\n".join(lines)


def _summary(state: RunState) -> Iterator[tuple[Severity, str]]:
    yield "message", "Schedule completed"
    odd = [(name, task.verdict) for name, task in state.tasks.items() if task.verdict is not Verdict.PASS]
    for name, verdict in odd:
        yield "warning", f"Completed, but {_place(state, name)} {name} = {verdict}"
    if not odd:
        yield "message", "All tasks in schedule completed successfully"
    yield "message", f"Run {state.run}: {state.verdict}"


def _place(state: RunState, task: str) -> str:
    return f"[{list(state.tasks).index(task)}]" if task in state.tasks else "[?]"
