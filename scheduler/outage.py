"""A journal in a database that is gone for a while: what runs goes on, nothing is begun, what happens is owed.

When the database is back all is written, in order, and the run goes on as if nothing had been. When nothing goes on any
more and it is still gone, the bench must be made safe without a record (`scheduler.unrecorded`).
"""

from __future__ import annotations

from typing import Final

from scheduler.book import Book
from scheduler.errors import JournalError, JournalUnwritable
from scheduler.notify.notice import Notice, Severity
from scheduler.switchboard import Switchboard

DECIDES: Final = frozenset(
    {
        "check_started",
        "check_finished",
        "task_started",
        "task_finished",
        "task_failed",
        "task_skipped",
        "task_moved",
        "clock_reached",
    }
)
"""After these something may begin at the very same time of the run's clock."""

PROMISE: Final = (
    "What runs goes on, nothing is begun; if it is still gone when nothing goes on any more, after {:g} s at the "
    "earliest, things are cleaned up without a record"
)
BACK: Final = "the journal is there again, and all that happened meanwhile is in it; the run goes on"


class Outage:
    """Watches over what a book owes. Nothing may be decided meanwhile: the state is that of before."""

    def __init__(self, book: Book, board: Switchboard, patience_s: float) -> None:
        self._book, self._board, self._patience_s = book, board, patience_s
        self._told = False

    @property
    def interrupted(self) -> bool:
        """Whether it is owed that the run was stopped."""
        return any(event == "run_interrupted" for event, _ in self._book.owed)

    @property
    def time_stands(self) -> bool:
        """Whether simulated time must not move: else what is owed would have followed at another time."""
        if self.interrupted:
            return False  # nothing begins any more but cleaning up, and that of tasks may wait
        return any(event in DECIDES and self._timed(data.get("task")) for event, data in self._book.owed)

    def look(self, *, stands: bool) -> None:
        """Write what can be written, tell people once, and see whether it is time to give up.

        stands  whether simulated time stands

        Raises JournalUnwritable, or JournalBusy when another engine holds the journal: it has the bench.
        """
        self._book.catch_up()
        if not self._book.owes:
            if self._told:
                self._tell(BACK, Severity.MESSAGE)
            self._told = False
            return
        if not self._told:
            self._told = True
            self._tell(f"{_told(self._book.gone())}. {PROMISE.format(self._patience_s)}", Severity.WARNING)
        if self._book.owes_for_s >= self._patience_s and not self._board.goes_on(stands=stands):
            raise self._book.gone()

    def _timed(self, name: str | None) -> bool:
        task = self._book.state.tasks.get(name or "")
        return task is None or task.task.timed

    def _tell(self, text: str, severity: Severity) -> None:
        self._book.listeners.tell_unrecorded(Notice(severity, text), self._book.state)


def _told(error: JournalError) -> str:
    if isinstance(error, JournalUnwritable):
        return f"the journal is gone: {error.where} cannot be written ({error.reason})"
    return str(error)
