"""Packing the records of a run again and again: what has not changed since the last time is not packed anew.

A file of gzip may consist of parts, and an archive of tar is its members one after another. So each member is a part
of its own that can be used again; a run of a thousand tasks packs eight hundred times, and most of its files are those
of tasks that ended long ago (decision 212). A large member is several parts: of a file that grows only its end is new.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from scheduler.backup.archive import MANIFEST, MAX_BYTES, MAX_FILES, file_sha256
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
SETTLED_NS: Final = 2 * 10**9
"""A file that was written this recently may be written again within one step of its file system's clock."""
END: Final = b"\0" * 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that has been read back."""

    path: Path
    sha256: str
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


class Packer:
    """Packs the records of one run. Use as a context manager, or close it; one thread at a time.

    include  patterns of the files below the run's folder; the journal goes in as a file of SQLite with all records so
             far, each of them checked, wherever it is kept
    """

    def __init__(self, run_dir: Path, include: Sequence[str]) -> None:
        self._run_dir, self._include = run_dir, include
        self._folder = tempfile.TemporaryDirectory(prefix="stellwerk-packing-", ignore_cleanup_errors=True)
        self._journal = JournalCopy(run_dir, Path(self._folder.name) / JOURNAL_NAME)
        self._parts: dict[str, tuple[tuple[int, int, int], _Part]] = {}
        self._pieces: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        """Of large members, by name and place: SHA-256 of the content, and what it was packed to."""
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

    def pack(self, target: Path, records: int | None = None) -> Packed:
        """Pack all there is now into *target* and read it back. Raises BackupFailed.

        records  so many of the journal at most; None: all. What a task has done may be in the files before its end is
                 in the journal, as after a kill, and never the other way round: who copies files into the run's folder
                 when an event was written has not done so yet for a record that is written meanwhile.
        """
        try:
            self._journal.follow(records)
            with target.open("wb") as file:
                digests, meant = self._write(file, target)
            sha256 = file_sha256(target)
        except (OSError, JournalError, RunNotFound) as error:
            raise BackupFailed(str(target), str(error)) from error
        if sha256 != meant:
            raise BackupFailed(str(target), "does not read back as it was packed")
        return Packed(target, sha256, digests)

    def _write(self, file: BinaryIO, target: Path) -> tuple[dict[str, str], str]:
        """Digests of the members, and the SHA-256 of what was written."""
        chosen = {str(path.relative_to(self._run_dir)): path for path in self._chosen()}
        if len(chosen) > MAX_FILES:
            raise BackupFailed(str(target), f"more than {MAX_FILES} files; take data out of backup_include")
        sha256, digests, total = hashlib.sha256(), dict[str, str](), 0
        for name in sorted({*chosen, JOURNAL_NAME}):
            part = self._packed_journal() if name == JOURNAL_NAME else self._packed(name, chosen[name])
            total += part.size
            if total > MAX_BYTES:
                raise BackupFailed(
                    str(target), f"more than {MAX_BYTES >> 20} MiB; take data out of backup_include"
                )
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
        return digests, sha256.hexdigest()

    def _packed(self, name: str, path: Path) -> _Part:
        """One file; from the last time, if it is still the same."""
        status = path.stat()
        identity = (status.st_ino, status.st_size, status.st_mtime_ns)
        kept = self._parts.get(name)
        if kept is not None and kept[0] == identity:
            return kept[1]
        level = LEVEL_OF_CHANGING if name in self._seen else LEVEL
        part = self._part(name, path.read_bytes(), int(status.st_mtime), level)
        self._parts.pop(name, None)
        if time.time_ns() - status.st_mtime_ns > SETTLED_NS:
            self._parts[name] = identity, part
        return part

    def _packed_journal(self) -> _Part:
        path = self._journal.path
        return self._part(JOURNAL_NAME, path.read_bytes(), int(path.stat().st_mtime), LEVEL_OF_CHANGING)

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
        digest = hashlib.sha256(content).digest()
        kept = self._pieces.get(place)
        if kept is None or kept[0] != digest:
            kept = self._pieces[place] = digest, _compressed(content, level)
        return kept[1]

    def _chosen(self) -> Iterable[Path]:
        found = {path for pattern in self._include for path in self._run_dir.glob(pattern)}
        apart = {self._run_dir / name for name in (LIVE_NAME, *JOURNAL_FILES)}
        return (
            path
            for path in found
            if path.is_file() and not path.is_symlink() and path.name[0] != "." and path not in apart
        )


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
