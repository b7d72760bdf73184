"""The output of a correction: names that only complete files get, one writer, and whom to blame."""

from __future__ import annotations

import errno
import fcntl
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pipeline.errors import OutputUnwritable

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
KEPT_BYTES: Final = 64 * 1024
"""Largest piece that HDF5 may want to read again while it closes a file; frames are larger."""


class Sink(io.RawIOBase):
    """The file below HDF5, which must not hear of a full disk: it would not close the file, and crash at exit.

    Once a write has failed all others are swallowed; `blaming` tells. HDF5 closes a file that is thrown away.
    """

    def __init__(self, target: Path) -> None:
        """Begin the file that is to be *target*. Raises OutputUnwritable."""
        self._target = target
        self._error: OSError | None = None
        self._at = self._size = 0
        self._swallowed: list[tuple[int, bytes]] = []
        with writing(target):
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(unfinished_name(target), flags, 0o666)

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """What HDF5 does in here reaches the disk. Raises OutputUnwritable."""
        try:
            yield
        finally:
            if self._error is not None:
                raise _unwritable(self._target, self._error)

    def seekable(self) -> bool:
        """Yes; it can be read and written, too."""
        return True

    readable = writable = seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """The byte at which it is."""
        return self._at

    def write(self, data: Any) -> int:
        """Write all of *data*."""
        view = memoryview(data).cast("B")
        if self._error is None:
            try:
                self._put(view)
            except OSError as error:
                self._error = error
        if self._error is not None and len(view) <= KEPT_BYTES:
            self._swallowed.append((self._at, bytes(view)))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def _put(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            done += os.pwrite(self._descriptor, view[done:], self._at + done)

    def readinto(self, room: Any) -> int:
        """Read what was written; zeros where nothing was."""
        view = memoryview(room).cast("B")
        found = bytearray(os.pread(self._descriptor, len(view), self._at).ljust(len(view), b"\0"))
        for begin, piece in self._swallowed:
            first, last = max(begin, self._at), min(begin + len(piece), self._at + len(view))
            if first < last:
                found[first - self._at : last - self._at] = piece[first - begin : last - begin]
        view[:] = found
        self._at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or make it longer."""
        self._size = self._at if size is None else size
        if self._error is None:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError as error:
                self._error = error
        return self._size

    def close(self) -> None:
        """Close it; may be called twice."""
        if not self.closed:
            super().close()
            with suppress(OSError):  # `finish` asks whether the bytes are on the disk
                os.close(self._descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system refuses in here is the fault of the output. Raises OutputUnwritable."""
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make the folder, and be the only correction that writes into it. Raises OutputUnwritable."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # The lock ends with the process, however that ends. Some network file systems lock no folders.
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


def _unwritable(path: Path, error: OSError) -> OutputUnwritable:
    """With the system's own words, and what to do where that is known."""
    words = error.strerror or str(error)
    if error.errno in NO_ROOM:
        words += "; make room, then give the same command again: it goes on with the files that lack"
    return OutputUnwritable(path, words)
