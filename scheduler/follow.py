"""Following a run from another process: its journal as it grows, whether or not somebody writes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.folding import apply
from scheduler.journal import JournalReader, JournalRecord, being_written
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
    """Looks at one run again and again; each look reads and folds what is new. Close it when you are done."""

    def __init__(self, run_dir: Path) -> None:
        """Raises RunNotFound, JournalError."""
        self._run_dir = run_dir
        self._reader = JournalReader(run_dir)
        self._state = EMPTY

    def look(self) -> Look:
        """One look. Raises JournalCorrupt, JournalUnreachable."""
        alive = being_written(self._run_dir)  # before reading: what a dying engine wrote last is then seen
        news = []
        for record in self._reader.news():
            self._state = apply(self._state, record)
            news.append((record, self._state))
        return Look(tuple(news), self._state, read_live(self._run_dir) if alive else None, alive)

    def close(self) -> None:
        """Let the journal go."""
        self._reader.close()


def follow(run_dir: Path) -> Iterator[Look]:
    """Look at a run four times a second, until nobody carries it out. Raises RunNotFound, JournalError."""
    follower = Follower(run_dir)
    pause = threading.Event()
    try:
        while True:
            look = follower.look()
            yield look
            if not look.alive:
                return
            pause.wait(PERIOD_S)
    finally:
        follower.close()
