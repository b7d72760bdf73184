"""Packing the records of a run again and again: what has not changed since the last time is not packed anew.

A file of gzip may consist of parts, and an archive of tar is its members one after another. So each member is a part
of its own that can be used again; a run of a thousand tasks packs eight hundred times, and most of its files are those
of tasks that ended long ago (decision 212). A large member is several parts: of a file that grows only its end is new.

All that has changed is read first, then packed: what files become meanwhile is not in the archive (decision 228).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeAlias

from scheduler.backup.archive import MANIFEST, MAX_BYTES, MAX_FILES
from scheduler.errors import BackupFailed, JournalError, RunNotFound
from scheduler.journal import JOURNAL_NAME
from scheduler.journal.copying import JournalCopy
from scheduler.journal.place import JOURNAL_FILES
from scheduler.live import LIVE_NAME

LEVEL: Final = 6
"""Of what is packed once."""
LEVEL_OF_CHANGING: Final = 1
"""Of what is packed again and again: the journal, and files that have changed since the last time."""
PIECE: Final = 256 << 10
"""Bytes of a part of a large member."""
HELD_BYTES: Final = 64 << 20
"""So much is held as it was read; what is beyond is packed at once, while whoever waits for the reading waits."""
SETTLED_NS: Final = 2 * 10**9
"""A file that was written this recently may be written again within one step of its file system's clock."""
NEVER: Final = frozenset((LIVE_NAME, *JOURNAL_FILES))
"""What is always in the run's folder and never packed as it is."""
END: Final = b"\0" * 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive; each of its parts was unpacked and compared."""

    path: Path
    sha256: str
    """Of the bytes that were meant to be written; who copies it must find the same at the other end."""
    digests: dict[str, str]
    """SHA-256 of each member."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One member, packed."""

    data: bytes
    """Files of gzip, one after another: header, content and padding of the member."""
    digest: str
    size: int
    """Of the content, bytes."""


_Identity: TypeAlias = tuple[int, int, int]
"""Of a file: inode, size, time of the last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class _Content:
    """One member as it was read."""

    data: bytes
    mtime: int
    level: int
    settled: _Identity | None
    """To know it again by; None for what may be written again unnoticed."""


class Packer:
    """Packs the records of one run. Use as a context manager, or close it; one thread at a time.

    include  patterns of the files below the run's folder; the journal goes in as a file of SQLite with all records so
             far, each of them checked, wherever it is kept
    """

    def __init__(self, run_dir: Path, include: Sequence[str]) -> None:
        self._run_dir, self._include = run_dir, include
        self._folder = tempfile.TemporaryDirectory(prefix="stellwerk-packing-", ignore_cleanup_errors=True)
        self._journal = JournalCopy(run_dir, Path(self._folder.name) / JOURNAL_NAME)
        self._parts: dict[str, tuple[_Identity, _Part]] = {}
        self._pieces: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        """Of large members, by name and place: the content, and what it was packed to."""
        self._seen: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def run(self) -> str:
        """The run's number."""
        return self._run_dir.name

    def close(self) -> None:
        """Remove what was kept."""
        self._folder.cleanup()

    def pack(
        self, target: Path, records: int | None = None, was_read: Callable[[], None] = lambda: None
    ) -> Packed:
        """Pack all there is now into *target*. Raises BackupFailed.

        records   so many of the journal at most; None: all. What a task has done may be in the files before its end is
                  in the journal, as after a kill, and never the other way round: who copies files into the run's folder
                  when an event was written has not done so yet for a record that is written meanwhile.
        was_read  called when all that goes into the archive was read: what changes from then on is not in it
        """
        try:
            self._journal.follow(records)
            members = self._read(target)
            was_read()
            with target.open("wb") as file:
                return self._write(file, target, members)
        except (OSError, JournalError, RunNotFound) as error:
            raise BackupFailed(str(target), str(error)) from error

    def _read(self, target: Path) -> dict[str, _Part | _Content]:
        """Each member by name: packed, if it was packed before or there is too much to hold, else as it is."""
        chosen = self._chosen()
        chosen[JOURNAL_NAME] = self._journal.path, self._journal.path.stat()
        if len(chosen) > MAX_FILES:
            raise BackupFailed(str(target), f"more than {MAX_FILES} files; take data out of backup_include")
        members: dict[str, _Part | _Content] = {}
        total = held = 0
        for name in sorted(chosen):
            member = self._member(name, *chosen[name])
            size = member.size if isinstance(member, _Part) else len(member.data)
            total += size
            if total > MAX_BYTES:
                raise BackupFailed(
                    str(target), f"more than {MAX_BYTES >> 20} MiB; take data out of backup_include"
                )
            if isinstance(member, _Content):
                held += size
                if held > HELD_BYTES:
                    member = self._packed(name, member)
            members[name] = member
        return members

    def _member(self, name: str, path: Path, status: os.stat_result) -> _Part | _Content:
        """One file: from the last time, if it is still the same."""
        identity = (status.st_ino, status.st_size, status.st_mtime_ns)
        kept = self._parts.get(name)
        if kept is not None and kept[0] == identity:
            return kept[1]
        changing = name == JOURNAL_NAME or name in self._seen
        settled = name != JOURNAL_NAME and time.time_ns() - status.st_mtime_ns > SETTLED_NS
        level = LEVEL_OF_CHANGING if changing else LEVEL
        return _Content(path.read_bytes(), int(status.st_mtime), level, identity if settled else None)

    def _write(self, file: BinaryIO, target: Path, members: Mapping[str, _Part | _Content]) -> Packed:
        sha256, digests = hashlib.sha256(), dict[str, str]()
        for name, member in members.items():
            part = member if isinstance(member, _Part) else self._packed(name, member)
            digests[name] = part.digest
            file.write(part.data)
            sha256.update(part.data)
        listed = json.dumps(digests).encode()
        header, padding = _frame(MANIFEST, len(listed), 0)
        last = _compressed(header + listed + padding + END, LEVEL)
        file.write(last)
        sha256.update(last)
        self._parts = {name: kept for name, kept in self._parts.items() if name in digests}
        self._pieces = {place: kept for place, kept in self._pieces.items() if place[0] in digests}
        self._seen = set(digests)
        return Packed(target, sha256.hexdigest(), digests)

    def _packed(self, name: str, content: _Content) -> _Part:
        part = self._part(name, content.data, content.mtime, content.level)
        self._parts.pop(name, None)
        if content.settled is not None:
            self._parts[name] = content.settled, part
        return part

    def _part(self, name: str, content: bytes, mtime: int, level: int) -> _Part:
        header, padding = _frame(name, len(content), mtime)
        if len(content) <= PIECE:
            data = _compressed(header + content + padding, level)
        else:
            pieces = (content[start : start + PIECE] for start in range(0, len(content), PIECE))
            packed = [self._piece((name, number), piece, level) for number, piece in enumerate(pieces)]
            data = b"".join((_compressed(header, level), *packed, _compressed(padding, level)))
        return _Part(data, hashlib.sha256(content).hexdigest(), len(content))

    def _piece(self, place: tuple[str, int], content: bytes, level: int) -> bytes:
        """A piece of a large member; from the last time, if it is still the same."""
        kept = self._pieces.get(place)
        if kept is None or kept[0] != content:
            kept = self._pieces[place] = content, _compressed(content, level)
        return kept[1]

    def _chosen(self) -> dict[str, tuple[Path, os.stat_result]]:
        """The files beside the journal, by name in the run's folder. Not what a link leads to."""
        depth = len(self._run_dir.parts)
        chosen: dict[str, tuple[Path, os.stat_result]] = {}
        for path in (path for pattern in self._include for path in self._run_dir.glob(pattern)):
            name = "/".join(path.parts[depth:])  # relative_to takes as long as all the rest
            if name in chosen or name in NEVER or path.name[0] == ".":
                continue
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    chosen[name] = path, status
        return chosen


def _compressed(plain: bytes, level: int) -> bytes:
    """A file of gzip that unpacks to *plain*; it was tried. Raises OSError."""
    data = gzip.compress(plain, level, mtime=0)
    if gzip.decompress(data) != plain:
        raise OSError("does not unpack to what was packed")
    return data


def _frame(name: str, size: int, mtime: int) -> tuple[bytes, bytes]:
    """What an archive of tar has before and after a member's content."""
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, mtime, 0o644
    header = member.tobuf(tarfile.DEFAULT_FORMAT)
    return header, b"\0" * (-size % tarfile.BLOCKSIZE)
