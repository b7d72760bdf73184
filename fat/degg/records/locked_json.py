"""JSON objects in files that several processes read and change: replaced whole, one change at a time.

Written with indent 4, as the tools of the acceptance test expect. The lock stands beside the file, because the file
itself is replaced: `.run_00012.json.lock`.

A module's file has 370 kB after a run of 1114 tasks, and each task reads and changes those of sixteen modules: they
are read and written by pydantic's JSON, parsed once for each content (decision 225), and changed by writing what has
changed into the content that is known (decision 229).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from fat.errors import FatError
from fat.files import as_json, not_json, write_bytes_atomically

MAX_BYTES: Final = 256 << 20
"""Far above what a run of days writes."""
MOST_KEPT: Final = 64
"""Files whose content is kept parsed, in each process: more than a run has."""
SURELY_LATER_NS: Final = 100_000_000
"""After which a change by anybody has another time than the one before: times of files advance in ticks of some ms."""

BELOW: Final = 2
"""Levels of an object that hold what is revised: a module's file, a photomultiplier."""


class _Content(NamedTuple):
    """Which content a file has: one that is replaced is another file, one that is written to is newer."""

    file: int
    changed_ns: int
    size: int


_kept: OrderedDict[Path, tuple[_Content, dict[str, Any]]] = OrderedDict()


class RecordUnreadable(FatError):
    """A run, device or ignore file is not there, or is not a JSON object."""

    exit_code = 2

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class NotSerialisable(FatError):
    """What was to be written is no JSON."""

    exit_code = 4

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: cannot take what is no JSON ({reason}); the file is as it was")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file. Raises RecordUnreadable."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecordUnreadable(path, f"has more than {MAX_BYTES >> 20} MiB")
        body = from_json(path.read_bytes())
    except FileNotFoundError:
        raise RecordUnreadable(path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise RecordUnreadable(path, f"cannot be read ({error})") from None
    if not isinstance(body, dict):
        raise RecordUnreadable(path, "holds no JSON object")
    return body


def shared_json(path: Path) -> Mapping[str, Any]:
    """The object in a file, now: the same one until the file changes. Nobody may change it. Raises RecordUnreadable."""
    content = _content(path)
    kept = _kept.get(path)
    if kept is not None and kept[0] == content:
        return kept[1]
    # What is read now may be newer than `content` says: the next look then reads it once more.
    body = read_json(path)
    if time.time_ns() - content.changed_ns > SURELY_LATER_NS:
        _keep(path, content, body)
    return body


def _keep(path: Path, content: _Content, body: dict[str, Any]) -> None:
    _kept[path] = (content, body)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)


def _content(path: Path) -> _Content:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise RecordUnreadable(path, "there is no such file") from None
    except OSError as error:
        raise RecordUnreadable(path, f"cannot be read ({error})") from None
    return _Content(found.st_ino, found.st_mtime_ns, found.st_size)


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    """Write an object; after this it survives a loss of power. Raises NotSerialisable, and OSError of a full disk."""
    _write(path, _text(path, body))


def _write(path: Path, text: bytes) -> int:
    """Write a file, durably; returns the time of its change, in ns, which no other content of it has."""
    changed_ns = time.time_ns()
    write_bytes_atomically(path, text, changed_ns=changed_ns)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return changed_ns


def update_json(path: Path, changes: Mapping[str, Any]) -> None:
    """Merge *changes* into the top level of a file. Raises RecordUnreadable, NotSerialisable."""
    with edited(path) as body:
        body.update(changes)


@contextlib.contextmanager
def edited(path: Path) -> Iterator[dict[str, Any]]:
    """The object in a file, to be changed: written when the block ends, and not if it raises.

    Other processes that want to change it wait. Raises RecordUnreadable, NotSerialisable.
    """
    with locked(path):
        body = read_json(path)
        yield body
        write_json(path, body)


@contextlib.contextmanager
def revised(path: Path) -> Iterator[dict[str, Any]]:
    """As `edited`, of a large file: neither parsed when it is known, nor looked through for what is no JSON.

    The object is new, but shares what it holds: replace values, by what `plain` has made, and change none of them.
    """
    with locked(path):
        body = dict(shared_json(path))
        yield body
        changed_ns = _write(path, as_json(body, indent=4))
        content = _content(path)
        if (
            content.changed_ns == changed_ns
        ):  # else the disk's times are coarse: a later content may have the same
            _keep(path, content, body)


def plain(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """*values* as they will be read again, for the file *path*. Raises NotSerialisable."""
    if wrong := not_json(values, BELOW):
        raise NotSerialisable(path, wrong)
    try:
        made: dict[str, Any] = from_json(to_json(values))
    except ValueError as error:
        raise NotSerialisable(path, str(error)) from None
    return made


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which need not exist. Raises RecordUnreadable without its folder."""
    try:
        lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RecordUnreadable(path, f"cannot be locked ({error.strerror})") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _text(path: Path, body: Mapping[str, Any]) -> bytes:
    if wrong := not_json(body):
        raise NotSerialisable(path, wrong)
    try:
        return as_json(body, indent=4)
    except ValueError as error:
        raise NotSerialisable(path, str(error)) from None
