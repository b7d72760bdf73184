"""A listener of the engine that tells people, from a thread that never holds the run up."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from scheduler.folding import apply
from scheduler.journal import JournalRecord, read_journal
from scheduler.live import Progress
from scheduler.notify.delivery import Delivery
from scheduler.notify.notice import ANSWER_TIMEOUT_S, Messenger, Notice, OutgoingMessage
from scheduler.notify.outbox import Outbox
from scheduler.notify.wording import say
from scheduler.state import EMPTY, RunState

log = structlog.get_logger("scheduler.notify")


class Notifier:
    """Tells what happens in a run through one messenger.

    Nothing is sent before the engine has written a record: only then is it certain that no other one carries the run
    out. With that record it takes up what an engine before could not say.
    """

    def __init__(self, run_dir: Path, messenger: Messenger, drain_s: float) -> None:
        self._run_dir, self._messenger, self._drain_s = run_dir, messenger, drain_s
        self._outbox = Outbox(run_dir / f"outbox-{messenger.name}.jsonl")
        self._delivery = Delivery(self._outbox, messenger)
        self._seq = 0
        self._wake = threading.Event()
        self._deadline_s: float | None = None
        self._thread = threading.Thread(target=self._deliver, name=messenger.name, daemon=True)
        self._started = False

    @property
    def counters(self) -> Counter[str]:
        """How many messages were delivered and refused, and how many tries were in vain."""
        return self._delivery.counters

    def event(self, record: JournalRecord, state: RunState) -> None:
        """Let people know."""
        if record.seq != self._seq + 1:
            self._read_up(record.seq)
        self._put([(record, state)])

    def progress(self, progress: Progress) -> None:
        """Progress is for the live page."""

    def unrecorded(self, notice: Notice, state: RunState) -> None:
        """Tell what the journal could not take. No resumed run can tell it again."""
        at = time.time()
        for receiver in self._messenger.receivers(notice.severity):
            identity = f"unrecorded-{time.time_ns()}.{receiver}"
            self._outbox.put(OutgoingMessage(identity, _origin(state), state.run, at, receiver, notice))
        self._deliver_on()

    def catch_up(self) -> None:
        """Send what no engine before could say. The caller must hold the journal."""
        self._read_up(None)

    def owed(self) -> int:
        """How many messages of the run are not delivered. Sends nothing."""
        messages = self._messages(_told(read_journal(self._run_dir)))
        return sum(not self._outbox.settled(message) for message in messages)

    def finish(self) -> None:
        """Come to an end: deliver for a while longer. Returns at once."""
        if self._deadline_s is None:
            self._deadline_s = time.monotonic() + self._drain_s
        self._wake.set()

    def close(self) -> str | None:
        """Come to an end and wait for it. Returns a sentence when something is left or was refused."""
        self.finish()
        if self._started:
            self._thread.join(self._drain_s + ANSWER_TIMEOUT_S + 1)
        left, refused, name = len(self._outbox), self._outbox.refused, self._messenger.name
        if left:
            why = f" ({self._delivery.trouble})" if self._delivery.trouble else ""
            return (
                f"{left} messages by {name} could not be delivered{why}; they go out when the run is resumed"
            )
        return f"{refused} messages by {name} were refused; see {self._outbox.path}" if refused else None

    def _read_up(self, until: int | None) -> None:
        records = read_journal(self._run_dir)[: None if until is None else until - 1]
        self._put([(record, state) for record, state in _told(records) if record.seq > self._seq])

    def _put(self, news: Iterable[tuple[JournalRecord, RunState]]) -> None:
        news = list(news)
        for message in self._messages(news):
            self._outbox.put(message)
        if news:
            self._seq = news[-1][0].seq
        self._deliver_on()

    def _deliver_on(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()
        self._wake.set()

    def _messages(self, news: Iterable[tuple[JournalRecord, RunState]]) -> Iterator[OutgoingMessage]:
        for record, state in news:
            try:
                notices = list(say(record, state))
            except (KeyError, TypeError, ValueError):  # a record of another version: the fold counts it too
                log.warning("no words for a record", seq=record.seq, record=record.event)
                continue
            for number, notice in enumerate(notices):
                for receiver in self._messenger.receivers(notice.severity):
                    identity = f"{record.seq}.{number}.{receiver}"
                    yield OutgoingMessage(identity, _origin(state), state.run, record.at, receiver, notice)

    def _deliver(self) -> None:
        hurried = False
        while True:
            self._wake.clear()  # before looking: what is put from here on is seen or wakes
            pause_s, deadline_s = self._delivery.step(), self._deadline_s
            if deadline_s is not None and not hurried:
                hurried = True
                self._delivery.hurry()
                continue
            if deadline_s is not None and time.monotonic() + pause_s > deadline_s:
                return
            if pause_s > 0:
                self._wake.wait(None if pause_s == math.inf else pause_s)


def _origin(state: RunState) -> str:
    return f"{state.run}-{state.created_at}"


def _told(records: Iterable[JournalRecord]) -> Iterator[tuple[JournalRecord, RunState]]:
    """Each record with the state after it."""
    state = EMPTY
    for record in records:
        state = apply(state, record)
        yield record, state
