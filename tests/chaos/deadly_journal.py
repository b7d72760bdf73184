"""Dying at a write of the journal: before it, in the middle of its bytes, or after it (durable by then)."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from scheduler.journal import Journal

WAYS = ("before", "within", "after")
PAGE_BYTES = 4096


def let_writes_be_deadly(way_of: Callable[[Journal, Any], str | None]) -> None:
    """From now on this process dies at the first write for which *way_of*, given journal and row, names a way."""
    whole = Journal._write

    def deadly(self: Journal, row: Any) -> None:
        way = way_of(self, row)
        if way == "within":
            _let_the_kernel_kill(self)
        if way != "before":
            whole(self, row)
        if way is not None:
            _die()

    Journal._write = deadly  # type: ignore[method-assign]


def _let_the_kernel_kill(journal: Journal) -> None:
    """No file may grow by more than half a page: the next page of the log is the last that this process writes.

    Python ignores SIGXFSZ, so that such a write fails; unheeded, it ends a process as abruptly as SIGKILL.
    """
    log = next((os.path.getsize(path) for path in _logs(journal)), 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (log + PAGE_BYTES // 2,) * 2)


def _logs(journal: Journal) -> list[str]:
    path = f"{journal._store._path}-wal"  # type: ignore[attr-defined]
    return [path] if os.path.exists(path) else []


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be survived")
