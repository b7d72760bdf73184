"""Following a run from another process: its journal as it grows, whether or not somebody writes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.folding import apply
from scheduler.journal import JOURNAL_NAME, JournalRecord, being_written, read_journal
from scheduler.live import Progress, read_live
from scheduler.state import EMPTY, RunState

PERIOD_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a run."""

    news: tuple[tuple[JournalRecord, RunState], ...]
    """Records since the look before, each with the state after it."""
    state: RunState
    live: Progress | None
    alive: bool
    """Whether an engine is carrying the run out."""


class Follower:
    """Looks at one run again and again; each look reads only what it has to, and folds only what is new."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._state = EMPTY
        self._size = -1  # no file has that size: the first look always reads

    def look(self) -> Look:
        """Look once. Raises RunNotFound, JournalCorrupt."""
        alive = being_written(self._run_dir)  # before reading: what a dying engine wrote last is then seen
        news = []
        grown = _size(self._run_dir)
        if grown != self._size:
            state = self._state
            for record in read_journal(self._run_dir)[state.seq :]:
                state = apply(state, record)
                news.append((record, state))
            self._state, self._size = state, grown
        return Look(tuple(news), self._state, read_live(self._run_dir) if alive else None, alive)


def follow(run_dir: Path) -> Iterator[Look]:
    """Look at a run again and again, until nobody carries it out. Raises RunNotFound, JournalCorrupt."""
    follower = Follower(run_dir)
    pause = threading.Event()
    while True:
        look = follower.look()
        yield look
        if not look.alive:
            return
        pause.wait(PERIOD_S)


def _size(run_dir: Path) -> int:
    try:
        return (run_dir / JOURNAL_NAME).stat().st_size
    except FileNotFoundError:
        return 0
