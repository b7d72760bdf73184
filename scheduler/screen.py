"""How a run looks in a terminal: pure functions from its state to text.

Every mark is a shape and a word; colour only helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from scheduler.state import RunState, RunStatus, TaskState, TaskStatus
from scheduler.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from scheduler.journal import JournalRecord
    from scheduler.live import Progress

MARKS: Final = {
    Verdict.PASS: ("✓", "green"),
    Verdict.FAIL: ("✗", "red"),
    Verdict.ERROR: ("!", "magenta"),
    Verdict.SKIPPED: ("–", "dim"),
    Verdict.ABORTED: ("■", "yellow"),
    Verdict.UNSET: ("·", "dim"),
}
NOTES_SHOWN: Final = 3
BAR_WIDTH: Final = 40


def mark(task: TaskState) -> tuple[str, str, str]:
    """Shape, word and colour for a task."""
    if task.status is TaskStatus.RUNNING:
        return "▶", "running", "cyan"
    shape, colour = MARKS[task.verdict]
    return shape, "" if task.verdict is Verdict.UNSET else str(task.verdict), colour


def duration(seconds: float) -> str:
    """Such as `4.2 s`, `3:07` or `5:04:10`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def headline(state: RunState, *, alive: bool) -> str:
    """Where the run stands, in one sentence."""
    done = sum(task.status is TaskStatus.DONE for task in state.tasks.values())
    name = state.plan.name if state.plan else "?"
    where = f"Run {state.run}, {name}: {done} of {len(state.tasks)} tasks"
    if state.status is RunStatus.FINISHED:
        return f"{where}, {state.verdict}"
    if state.status is RunStatus.INTERRUPTED:
        return f"{where}, {state.stop.text if state.stop else 'interrupted'}; it can be resumed"
    if not alive:
        return f"{where}; nobody is carrying it out, it can be resumed"
    if state.status is RunStatus.PAUSED:
        return f"{where}, paused by {state.by}"
    if state.questions:
        return f"{where}, waiting for an answer: {next(iter(state.questions.values())).text}"
    return f"{where}, running"


def line(record: JournalRecord, state: RunState) -> str | None:
    """One event as a line for a log; None for what a reader need not know. *state* is the run after it."""
    data = record.data
    match record.event:
        case "run_started":
            return (
                f"run {state.run} {'resumed' if data['resumed'] else 'started'} (attempt {data['attempt']})"
            )
        case "check_finished":
            return _check(record)
        case "task_started":
            return f"▶ {data['task']}: {state.tasks[data['task']].task.title}"
        case "task_note":
            return f"  {data['task']}: {data['text']}"
        case "notification":
            shape = "!" if data["severity"] in ("warning", "critical") else " "
            return f"{shape} {data['by']}: {data['text']}"
        case "question_asked":
            return f"? {data['task']}: {data['text']}"
        case "question_answered":
            return _answer(record, state)
        case "task_finished" | "task_skipped":
            task = state.tasks[data["task"]]
            shape, word, _ = mark(task)
            tail = f" ({duration(task.wall_s)})" if task.wall_s is not None else f": {task.reason}"
            return f"{shape} {data['task']} {word}{tail}"
        case "task_failed":
            again = "; it is tried again" if data.get("retried") else ""
            return f"! {data['task']} ERROR: {data['error']}{again}"
        case "backup_failed":
            return f"! no backup after {data['task']}: {data['error']}"
        case "backup_pruned":
            return f"! old backups stay: {data['error']}" if data["error"] else None
        case "task_moved":
            where = f"before {data['before']}" if data["before"] else "to the end"
            return f"  {data['task']} moved {where} by {data['by']}"
        case "request_refused":
            return f"! {data['request']} {data['task']} refused: {data['why']}"
        case "paused" | "continued":
            return f"{record.event} by {data['by']}"
        case "run_interrupted":
            return f"■ {data['reason']}"
        case "reason_given":
            return f"■ reason: {data['reason']}"
        case "run_finished":
            return f"run {state.run}: {data['verdict']}"
        case _:
            return None


def _check(record: JournalRecord) -> str | None:
    data = record.data
    repaired = f"repaired: {data['repaired']}" if data.get("repaired") else ""
    if data["ok"]:
        return f"  check before {data['before']} {repaired}" if repaired else None
    again = "it is tried again" if data.get("retried") else ""
    return "; ".join(filter(None, (f"! check before {data['before']}: {data['text']}", repaired, again)))


def _answer(record: JournalRecord, state: RunState) -> str:
    data = record.data
    word = "yes" if data["yes"] else "no"
    tail = f": {data['comment']}" if data["comment"] else ""
    again = "; asked again" if data["task"] in state.questions else ""
    return f"  {data['task']}: {word}, by {data['by']}{tail}{again}"


def screen(
    state: RunState, live: Progress | None, *, alive: bool, now_s: float, height: int
) -> RenderableType:
    """The whole picture for a live display of *height* lines. *now_s* is Unix time."""
    from rich.console import Group
    from rich.text import Text

    end_s = now_s if alive else state.ended_at or state.updated_at or now_s
    elapsed = "" if state.started_at is None else f"   {duration(max(0.0, end_s - state.started_at))}"
    foot: list[RenderableType] = _progress_lines(live) if live is not None and alive else []
    notes = [Text(f"  {note}", "dim", no_wrap=True) for note in _latest_notes(state)]
    rows = _window(list(state.tasks.values()), max(3, height - len(foot) - len(notes) - 4))
    return Group(Text(headline(state, alive=alive) + elapsed, "bold"), _table(rows), *foot, *notes)


def _table(tasks: Sequence[TaskState]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for task in tasks:
        shape, word, colour = mark(task)
        said = task.error or task.reason or ("" if task.wall_s is None else duration(task.wall_s))
        saved = "" if task.backup is None else "saved" if task.backup.verified else "NOT SAVED"
        row = (shape, task.task.title, word, said, saved)
        table.add_row(*(Text(cell, colour, no_wrap=True, overflow="ellipsis") for cell in row))
    return table


def _window(tasks: list[TaskState], rows: int) -> list[TaskState]:
    """As many tasks as there is room for, around the first that is not done."""
    current = next((i for i, task in enumerate(tasks) if task.status is not TaskStatus.DONE), len(tasks))
    first = max(0, min(current - rows // 2, len(tasks) - rows))
    return tasks[first : first + rows]


def _progress_lines(live: Progress) -> list[RenderableType]:
    from rich.text import Text

    fraction = live.fraction
    if fraction is None:
        return [Text(f"{live.task}: {duration(live.elapsed_s)}")]
    left = "" if live.remaining_s is None else f", {duration(live.remaining_s)} remain"
    told = f"  {live.text}" if live.text else ""
    return [
        Text(f"{'█' * round(fraction * BAR_WIDTH):░<{BAR_WIDTH}}", "cyan"),
        Text(f"{live.task}: {fraction:.0%}, {duration(live.elapsed_s)}{left}{told}", no_wrap=True),
    ]


def _latest_notes(state: RunState) -> list[str]:
    told = [f"{task.task.id}: {note}" for task in state.tasks.values() for note in task.notes]
    return told[-NOTES_SHOWN:]
