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


def follow(run_dir: Path) -> Iterator[Look]:
    """Look at a run again and again, until nobody carries it out. Raises RunNotFound, JournalCorrupt."""
    state, size = EMPTY, -1  # no file has that size: the first look always reads
    pause = threading.Event()
    while True:
        alive = being_written(run_dir)  # before reading: what a dying engine wrote last is then seen
        news = []
        grown = _size(run_dir)
        if grown != size:
            size = grown
            for record in read_journal(run_dir)[state.seq :]:
                state = apply(state, record)
                news.append((record, state))
        yield Look(tuple(news), state, read_live(run_dir) if alive else None, alive)
        if not alive:
            return
        pause.wait(PERIOD_S)


def _size(run_dir: Path) -> int:
    try:
        return (run_dir / JOURNAL_NAME).stat().st_size
    except FileNotFoundError:
        return 0
