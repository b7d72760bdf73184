"""The journal of a run: one line for each event, appended and made durable before anyone acts on it.

A line is canonical JSON (sorted keys, no spaces, ASCII) with a CRC-32 of itself without the key `crc`:

    {"at":1767225600.25,"crc":"9a0c31f2","data":{…},"event":"task_started","seq":7,"sim_ns":1200000000}

A last line without its newline was torn by a crash before it was durable; nobody acted on it, so it is cut off.
Anything else that does not read back is damage, and an error.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from scheduler.errors import JournalBusy, JournalCorrupt, JournalUnwritable, RunNotFound

JOURNAL_NAME: Final = "journal.jsonl"
LOCK_PATIENCE_S: Final = 2.0
"""How long opening waits: task processes of a killed engine hold the lock until they are gone, some milliseconds."""


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One event of a run."""

    seq: int
    """1, 2, 3 … without gaps."""
    at: float
    """Unix time, seconds."""
    sim_ns: int
    """The run's clock, nanoseconds."""
    event: str
    data: Mapping[str, Any]


def canonical(value: Any) -> str:
    """The one spelling of a JSON value. Raises ValueError for NaN and infinities, TypeError for no JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(record: JournalRecord) -> bytes:
    """The record's line, newline included."""
    body = {
        "seq": record.seq,
        "at": record.at,
        "sim_ns": record.sim_ns,
        "event": record.event,
        "data": dict(record.data),
    }
    crc = f"{zlib.crc32(canonical(body).encode()):08x}"
    return (canonical({**body, "crc": crc}) + "\n").encode()


def decode(line: bytes) -> JournalRecord:
    """Read one line, newline included. Raises ValueError with a reason if any byte differs from what was written."""
    try:
        body = json.loads(line)
        record = JournalRecord(body["seq"], body["at"], body["sim_ns"], body["event"], body["data"])
        again = encode(record)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("is not a record") from error
    if again != line:  # stricter than the checksum: the same value in another spelling is damage too
        raise ValueError("the checksum does not match")
    return record


def parse(content: bytes, path: Path) -> tuple[list[JournalRecord], int]:
    """Read a whole journal: its records, and how many bytes of it are good (less than all: a torn tail).

    Raises JournalCorrupt naming *path* and the line.
    """
    records: list[JournalRecord] = []
    *lines, tail = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        record = _decode_at(line + b"\n", path, number)
        if record.seq != number:
            raise JournalCorrupt(path, number, f"record {record.seq} stands where {number} belongs")
        records.append(record)
    _judge_tail(tail, path, len(lines) + 1)
    good = len(content) - len(tail)
    return records, good


def _decode_at(line: bytes, path: Path, number: int) -> JournalRecord:
    try:
        return decode(line)
    except ValueError as error:
        raise JournalCorrupt(path, number, str(error)) from error


def _judge_tail(tail: bytes, path: Path, number: int) -> None:
    """A torn line is a beginning of one; a whole record with another byte for its newline is damage."""
    try:
        decode(tail[:-1] + b"\n")
    except ValueError:
        return
    raise JournalCorrupt(path, number, "another byte stands where the newline belongs")


def read_journal(run_dir: Path) -> list[JournalRecord]:
    """The records of a run, whether or not an engine is writing. Raises RunNotFound, JournalCorrupt."""
    path = run_dir / JOURNAL_NAME
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunNotFound(run_dir, "give a run folder, one that holds a journal.jsonl") from error
    return parse(content, path)[0]


def being_written(run_dir: Path) -> bool:
    """Whether an engine holds the journal of this run right now."""
    try:
        descriptor = os.open(run_dir / JOURNAL_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """The journal of one run, held by one engine. Use as a context manager.

    *cut_bytes* tells how much of a torn last line was cut off on opening.
    """

    def __init__(self, path: Path, wall_s: Callable[[], float] = time.time) -> None:
        self.path = path
        self._wall_s = wall_s
        self.cut_bytes = 0
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalUnwritable(path, error.strerror or str(error)) from error
        try:
            self._lock()
            self.records, self._size = self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        """The descriptor that carries the lock. Who inherits it holds the run too."""
        return self._descriptor

    def append(self, event: str, data: Mapping[str, Any], sim_ns: int) -> JournalRecord:
        """Write an event; when this returns it is durable. Raises JournalUnwritable and leaves no half line."""
        record = JournalRecord(len(self.records) + 1, round(self._wall_s(), 6), sim_ns, event, data)
        line = encode(record)
        try:
            self._write(line)
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            raise JournalUnwritable(self.path, error.strerror or str(error)) from error
        self._size += len(line)
        self.records.append(record)
        return record

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _lock(self) -> None:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        pause = threading.Event()
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise JournalBusy(self.path) from None
                pause.wait(0.02)
            else:
                return

    def _recover(self) -> tuple[list[JournalRecord], int]:
        content = self.path.read_bytes()
        records, good = parse(content, self.path)
        if good < len(content):
            self.cut_bytes = len(content) - good
            os.ftruncate(self._descriptor, good)
            os.fsync(self._descriptor)
        sync_folder(self.path.parent)
        return records, good
