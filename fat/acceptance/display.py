"""What a person sees of an acceptance run: a line for each task and a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from fat.output import console, let_go_of_output
from scheduler import JournalRecord, Keyboard, RunState
from scheduler import Progress as TaskProgress
from scheduler.notify.notice import Notice

PLAIN_PERIOD_S: Final = 5.0
PLAIN_PART: Final = 0.1
"""Of what a task has taken: so long is the time between plain lines at least."""
WIDE: Final = 120
"""Columns of a terminal on which all columns of a bar have room."""
MARKS: Final = {
    "PASS": ("✔", "green"),
    "FAIL": ("✘", "bold red"),
    "ERROR": ("!", "bold magenta"),
    "ABORTED": ("■", "yellow"),
    "SKIPPED": ("–", "dim"),
    "UNSET": ("·", "dim"),
}
"""A shape for each verdict, so that nobody needs the colour."""


class Display:
    """A listener of the engine that shows the run. Use as a context."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = console(sys.stderr if quiet else sys.stdout)
        self._live = self._console.is_interactive and not quiet
        self._bar = Progress(
            *_columns(self._console.width),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._asks_here = False
        self._current: dict[str, TaskID] = {}
        """The bars of the tasks that run."""
        self._titles: dict[str, str] = {}
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}
        """When each was begun, or last told of."""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._bar.stop()
        let_go_of_output()

    def say(self, line: str | Text) -> None:
        """Print a line above the bar. A terminal that has hung up is no reason to stop a run."""
        if not self._quiet:
            with contextlib.suppress(OSError):
                self._console.print(line, soft_wrap=not self._live)

    def keyboard(self) -> Keyboard | None:
        """Where people answer questions; None where nobody types: then it is told how else to answer."""
        if self._quiet or not (self._console.is_terminal and sys.stdin.isatty()):
            return None
        self._asks_here = True
        return Keyboard(sys.stdin.fileno(), self._ask, self._go_on)

    def _ask(self, text: str) -> None:
        """Show what is to be answered, and no bar that would write over what is typed."""
        self._bar.stop()
        self._console.print(Text(f" ? {text}", style="bold"))

    def _go_on(self) -> None:
        self._bar.start()

    def event(self, record: JournalRecord, state: RunState) -> None:
        """Show what was written into the journal."""
        data = record.data
        if record.event == "task_started":
            self._begin(str(data["task"]), state)
        elif record.event in ("task_finished", "task_failed"):
            verdict = str(data.get("verdict", "ERROR"))
            again = "; it is tried again" if data.get("retried") else ""
            self._end(str(data["task"]), verdict, state, str(data.get("error", "")) + again)
        elif record.event == "task_skipped":
            self._end(str(data["task"]), "SKIPPED", state, str(data["reason"]))
        elif record.event == "check_finished":
            self._say_check(data)
        elif record.event == "notification" and data["severity"] in ("warning", "critical"):
            self.say(Text(f" ! {data['severity']:<8}{data['by']}: {data['text']}", style="bold magenta"))
        elif record.event == "question_asked" and not self._asks_here:
            self.say(Text(f" ? {data['task']}: {data['text']}", style="bold"))
            self.say("   answer with `stellwerk sched answer yes` (or no), or on the live page")
        elif record.event == "question_answered":
            self._say_answer(record, state)
        elif record.event == "request_refused":
            self.say(Text(f" ! {data['request']} {data['task']} refused: {data['why']}"))
        elif record.event == "reason_given":
            self.say(Text(f"   reason: {data['reason']}"))
        elif record.event == "run_interrupted":
            for bar in self._current.values():
                self._bar.remove_task(bar)
            self._current.clear()
            self.say(_line("ABORTED", f"stopped: {data['reason']}", ""))

    def unrecorded(self, notice: Notice, _state: RunState) -> None:
        """Show what the journal could not take."""
        self.say(Text(f" ! {notice.severity:<8}{notice.text}", style="bold magenta"))

    def progress(self, progress: TaskProgress) -> None:
        """Move the bar, or write a plain line now and then."""
        if progress.task in self._current:
            total = progress.total if progress.total > 0 else None
            bar = self._current[progress.task]
            self._bar.update(bar, completed=progress.done, total=total, text=progress.text)
        if not self._live and progress.task in self._began:
            self._say_progress(progress, time.monotonic())

    def _say_progress(self, progress: TaskProgress, now: float) -> None:
        """A plain line now and then; the longer a task takes, the fewer: hours fill no page."""
        period_s = max(PLAIN_PERIOD_S, PLAIN_PART * (now - self._began[progress.task]))
        counted = f"{progress.done:.0f} of {progress.total:.0f}" if progress.total > 0 else ""
        text = f"{counted} {progress.text}".strip()
        if text and now - self._said[progress.task] > period_s:
            self._said[progress.task] = now
            self.say(Text(f"   {self._titles[progress.task]}: {text}"))

    def _say_check(self, data: Mapping[str, Any]) -> None:
        if data.get("repaired"):
            self.say(Text(f"   check before {data['before']} repaired: {data['repaired']}"))
        if not data["ok"]:
            again = "; it is tried again" if data.get("retried") else ""
            self.say(_line("ERROR", f"check before {data['before']}: {data['text']}{again}", ""))

    def _say_answer(self, record: JournalRecord, state: RunState) -> None:
        data = record.data
        said = f"   {data['task']}: {'yes' if data['yes'] else 'no'}, by {data['by']}"
        comment = f": {data['comment']}" if data["comment"] else ""
        again = "; it is asked again" if data["task"] in state.questions else ""
        self.say(Text(f"{said}{comment}{again}"))

    def _begin(self, task: str, state: RunState) -> None:
        names = list(state.tasks)
        title = self._titles[task] = state.tasks[task].task.title
        self._began[task] = self._said[task] = time.monotonic()
        if self._live:
            beside = " (beside)" if state.tasks[task].task.beside else ""
            description = f"[{names.index(task) + 1}/{len(names)}] {title}{beside}"
            self._current[task] = self._bar.add_task(description, total=None, text="")

    def _end(self, task: str, verdict: str, state: RunState, why: str) -> None:
        bar = self._current.pop(task, None)
        if bar is not None:
            self._bar.remove_task(bar)
        names = list(state.tasks)
        took_s = time.monotonic() - self._began.pop(task, time.monotonic())
        title = f"[{names.index(task) + 1:>2}/{len(names)}] {state.tasks[task].task.title}"
        # Who reads a log of days asks when something was; at a terminal it is now.
        when = "" if self._live else f"  {datetime.now(UTC):%m-%d %H:%M}Z"
        self.say(_line(verdict, title, f"{took_s:6.1f} s{when}"))
        if why and verdict != "PASS":
            self.say(Text(f"     {why}", style="dim"))


def _columns(width: int) -> list[ProgressColumn]:
    """Columns of the bars; few on a terminal of 80 columns, where all would cut each other off."""
    if width < WIDE:
        title = TextColumn("   {task.description}", table_column=Column(max_width=36, no_wrap=True))
        text = TextColumn("{task.fields[text]}", table_column=Column(no_wrap=True))
        return [title, BarColumn(bar_width=8), text, TimeElapsedColumn()]
    return [
        TextColumn("   {task.description:<34}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]:<16}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    ]


def _line(verdict: str, title: str, took: str) -> Text:
    mark, style = MARKS.get(verdict, ("?", ""))
    return Text.assemble((f" {mark} {verdict:<8}", style), f"{title:<44}", (took, "dim"))
