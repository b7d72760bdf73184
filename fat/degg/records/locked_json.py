"""JSON objects in files that several processes read and change: replaced whole, one change at a time.

Written with indent 4, as the tools of the acceptance test expect. The lock stands beside the file, because the file
itself is replaced: `.run_00012.json.lock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fat.errors import FatError
from fat.files import write_bytes_atomically

MAX_BYTES: Final = 256 << 20
"""Far above what a run of days writes."""


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
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecordUnreadable(path, "there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordUnreadable(path, f"cannot be read ({error})") from None
    if not isinstance(body, dict):
        raise RecordUnreadable(path, "holds no JSON object")
    return body


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    """Write an object; after this it survives a loss of power. Raises NotSerialisable, and OSError of a full disk."""
    write_bytes_atomically(path, _text(path, body))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
    try:
        text = json.dumps(body, indent=4, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSerialisable(path, str(error)) from None
    if not _texts_are_keys(body):
        raise NotSerialisable(path, "a key is no text")
    return text.encode() + b"\n"


def _texts_are_keys(value: Any) -> bool:
    """Whether no key would become a text by being written."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_texts_are_keys, value.values()))
    return not isinstance(value, list | tuple) or all(map(_texts_are_keys, value))
