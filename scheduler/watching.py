"""The engine's ear at a task process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scheduler.live import LiveFile, Progress, remaining_s
from scheduler.notify.notice import Notice, Severity
from scheduler.state import TaskState

if TYPE_CHECKING:
    from scheduler.book import Book
    from scheduler.question import Answer


class Watch:
    """The engine's ear at a task process. *task* is None for checks, whose notes are not kept; *name* is for people."""

    def __init__(self, book: Book, live: LiveFile, task: TaskState | None, name: str = "") -> None:
        self._book, self._live = book, live
        self._task, self._name = task, name
        self._started_s = time.monotonic()

    def note(self, text: str) -> None:
        """To the journal."""
        if self._task is not None:
            self._book.write("task_note", task=self._task.task.id, text=text)

    def notify(self, notice: Notice) -> None:
        """To the journal; who tells people are listeners. To those at once when nothing is written any more."""
        if self._book.shut:
            self._book.listeners.tell_unrecorded(notice, self._book.state)
            return
        if self._book.owes and notice.severity in (Severity.WARNING, Severity.CRITICAL):
            # And again when it is recorded: better twice than late.
            self._book.listeners.tell_unrecorded(notice, self._book.state)
        told = {"text": notice.text, "picture": notice.picture, "title": notice.title}
        self._book.write("notification", by=self._name, severity=str(notice.severity), **told)

    def ask(self, number: int, text: str, severity: str) -> None:
        """To people, unless an attempt that was cut short had the answer."""
        if self._task is None:
            return
        given = self.answer(number)
        if given is None or given.text != text:
            asked = {"task": self._task.task.id, "attempt": self._task.attempt, "number": number}
            self._book.write("question_asked", **asked, text=text, severity=severity)

    def answer(self, number: int) -> Answer | None:
        """What they said yes to, once they have."""
        if self._task is None:
            return None
        task = self._book.state.tasks[self._task.task.id]
        place = task.asked_before + number - 1
        return task.answers[place] if len(task.answers) > place else None

    def keep(self, value: Any, kept: Callable[[], None]) -> None:
        """To the journal."""
        if self._task is None or self._book.shut:
            kept()
        else:
            self._book.write_then(kept, "task_kept", task=self._task.task.id, kept=value)

    def progress(self, done: float, total: float, text: str) -> None:
        """To the displays."""
        if self._task is None:
            return
        elapsed_s = time.monotonic() - self._started_s
        progress = Progress(
            task=self._task.task.id,
            attempt=self._task.attempt,
            done=done,
            total=total,
            text=text,
            elapsed_s=round(elapsed_s, 3),
            remaining_s=remaining_s(done, total, elapsed_s),
            at=time.time(),
            sim_ns=self._book.sim_ns,
            beside=self._task.task.beside,
        )
        self._live.show(progress, at_once=total == 0)
        self._book.listeners.show(progress)
