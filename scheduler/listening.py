"""Who hears of a run while it goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import structlog

from scheduler.journal import JournalRecord
from scheduler.live import Progress
from scheduler.notify.notice import Notice
from scheduler.state import RunState

log = structlog.get_logger("scheduler.engine")


class Listener(Protocol):
    """Hears what happens, after it is durable. One that raises is logged once and never stops a run.

    Sequence numbers have no gaps: a listener that finds one was not told because of a crash, and may read it up in
    the journal.
    """

    def event(self, record: JournalRecord, state: RunState) -> None:
        """A record was written; *state* is the run after it."""
        ...

    def progress(self, progress: Progress) -> None:
        """The running task told how far it is."""
        ...


@runtime_checkable
class HearsUnrecorded(Protocol):
    """A listener that also tells what no journal tells: that it cannot be written, and what became of the bench."""

    def unrecorded(self, notice: Notice, state: RunState) -> None:
        """No record says so; *state* is that after the last one there is."""
        ...


class Listeners:
    """All of them: one that raises is logged once."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._complained: set[int] = set()

    def tell(self, record: JournalRecord, state: RunState) -> None:
        """A record was written."""
        self._each(lambda listener: listener.event(record, state))

    def show(self, progress: Progress) -> None:
        """The running task told how far it is."""
        self._each(lambda listener: listener.progress(progress))

    def tell_unrecorded(self, notice: Notice, state: RunState) -> None:
        """Something happened that could not be written down."""
        with contextlib.suppress(OSError):  # of a terminal that has hung up
            log.error(notice.text)
        self._each(lambda listener: _tell_unrecorded(listener, notice, state))

    def _each(self, hear: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            try:
                hear(listener)
            except Exception:  # noqa: BLE001 - other people's code: a broken display must not stop a run of days
                self._complain(listener)

    def _complain(self, listener: Listener) -> None:
        if id(listener) not in self._complained:
            self._complained.add(id(listener))
            with contextlib.suppress(OSError):  # the terminal that the log goes to may be gone
                log.exception("a listener failed; the run goes on", listener=type(listener).__name__)


def _tell_unrecorded(listener: Listener, notice: Notice, state: RunState) -> None:
    if isinstance(listener, HearsUnrecorded):
        listener.unrecorded(notice, state)
