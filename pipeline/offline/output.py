"""The folder and files of a corrected run: names that only complete files get, one writer, and whom to blame."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipeline.errors import OutputUnwritable

FAILED: Final = (OSError, RuntimeError, ValueError)
"""What h5py raises when the system refuses a write: which of them depends on the part of the file."""
_HDF5_SAYS: Final = re.compile(r"error message = '([^']*)'")
GO_ON: Final = "make room, then give the same command again: it goes on with the files that lack"
_ADVICE: Final = {errno.ENOSPC: GO_ON, errno.EDQUOT: GO_ON, errno.EFBIG: GO_ON}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What fails in here is the fault of the place that is written to. Raises OutputUnwritable."""
    try:
        yield
    except FAILED as error:
        raise OutputUnwritable(path, _reason(error)) from error


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make the folder, and be the only correction that writes into it. Raises OutputUnwritable."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # The lock ends with the process, however that ends. Some network file systems lock no folders: then without.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputUnwritable(
                folder, "another correction is writing there; wait for its end, or choose another folder"
            ) from error
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)


def unfinished_name(target: Path) -> Path:
    """What a file is called until it is complete."""
    return target.with_name(f".{target.name}.unfinished")


def finish(target: Path) -> None:
    """Give a complete file its name; its bytes are on the disk before. Raises OutputUnwritable."""
    unfinished = unfinished_name(target)
    with writing(target):
        descriptor = os.open(unfinished, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(target)


def discard(target: Path) -> None:
    """Remove what is not complete."""
    with suppress(OSError):
        unfinished_name(target).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """The system's own words where HDF5 wraps them, and what to do where that is known."""
    found = _HDF5_SAYS.search(str(error))
    number = error.errno if isinstance(error, OSError) else None
    words = found[1] if found else (error.strerror if isinstance(error, OSError) and number else None)
    advice = next((a for n, a in _ADVICE.items() if n == number or os.strerror(n) == words), None)
    return "; ".join(part for part in (words or str(error), advice) if part)
