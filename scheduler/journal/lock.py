"""Who carries a run out holds a lock on a file of its folder, and so do its task processes, which inherit it.

Not on the journal itself: a process that opens and closes a file of SQLite loses SQLite's own locks on it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from scheduler.errors import JournalBusy, JournalUnwritable

LOCK_NAME: Final = "journal.lock"
PATIENCE_S: Final = 2.0
"""How long opening waits: task processes of a killed engine hold the lock until they are gone, some milliseconds."""


def take_lock(run_dir: Path) -> int:
    """The descriptor that carries the lock; closed on exec unless handed on. Raises JournalBusy, JournalUnwritable.

    Also of a run on a file system that has become read-only.
    """
    path = run_dir / LOCK_NAME
    try:
        descriptor = _open(path)
    except OSError as error:
        raise JournalUnwritable(str(path), error.strerror or str(error)) from error
    try:
        _wait_for(descriptor, run_dir)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        with suppress(OSError):  # then the first trouble is the one to tell
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        raise


def being_written(run_dir: Path) -> bool:
    """Whether an engine, or a task process that it left, holds this run right now."""
    try:
        descriptor = os.open(run_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _wait_for(descriptor: int, run_dir: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise JournalBusy(str(run_dir)) from None
            pause.wait(0.02)
        else:
            return
