"""Answers and constants files, kept on this machine for when the catalogue or its store is silent.

    objects/ab/abcd…    contents, named by their SHA-256
    entries/{key}.json  question → content; the file's own time is that of its last use
    unfinished/         what is being written, or read just now
    lock                held while entries change

Contents appear whole or not at all, and are checked when they are read. Several processes may share a folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

COPY_BYTES: Final = 4 << 20
ABANDONED_AFTER_S: Final = 3600.0
"""Unfinished files of this age belong to processes that were killed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept content."""

    key: str
    question: Mapping[str, Any]
    digest: str
    size: int
    kept_at_s: float
    """Unix time at which it was last known to be true."""
    used_at_s: float
    stamp: tuple[int, ...] = ()
    """Size and modification time of the file that it was copied from."""

    @property
    def about(self) -> str:
        """In short, what it is."""
        return _about(self.question)


class ConstantsCache:
    """A folder of kept contents; what is not used for longest goes when they are more than *most_bytes*.

    on_remark  called with a sentence when something is dropped or cannot be kept; nothing here ever raises because
               of the folder's state
    """

    def __init__(
        self,
        root: Path,
        most_bytes: int,
        on_remark: Callable[[str], None] = lambda _: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.root, self.most_bytes = root, most_bytes
        self._remark, self._now_s = on_remark, now_s
        self._threads = threading.Lock()

    def keep(self, question: Mapping[str, Any], content: bytes) -> None:
        """Keep an answer, in place of an earlier one to the same question."""
        what = f"an answer to {question.get('path', 'a question')}"
        if len(content) > self.most_bytes:
            self._remark(f"{what} is not kept: it is larger than the cache may be")
            return
        with self._told(what):
            part = self._unfinished()
            try:
                part.write_bytes(content)
                self._commit(question, part, hashlib.sha256(content).hexdigest(), ())
            finally:
                part.unlink(missing_ok=True)

    def keep_file(self, question: Mapping[str, Any], path: Path) -> None:
        """Keep a copy of a file, unless the same is kept already."""
        with self._told(str(path)):
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            known = self._entry(_key(question))
            if known is not None and known.stamp == stamp and self._is_there(known):
                os.utime(self._entry_path(known.key))
                return
            if stat.st_size > self.most_bytes:
                self._remark(f"{path} is not kept: it is larger than the cache may be")
                return
            part = self._unfinished()
            try:
                self._commit(question, part, _copy(path, part), stamp)
            finally:
                part.unlink(missing_ok=True)

    def answer(self, question: Mapping[str, Any]) -> tuple[bytes, Entry] | None:
        """What is kept for a question, and since when; None when there is nothing, or it is damaged."""
        entry = self._entry(_key(question))
        if entry is None:
            return None
        try:
            content = self._object(entry.digest).read_bytes()
        except OSError:
            self._drop(entry, "its content is gone")
            return None
        if hashlib.sha256(content).hexdigest() != entry.digest:
            self._drop(entry, "its content is not what was kept")
            return None
        self._used(entry)
        return content, entry

    @contextlib.contextmanager
    def file(self, question: Mapping[str, Any]) -> Iterator[Path | None]:
        """A path to a kept file that stays while it is read; None as `answer`."""
        entry = self._entry(_key(question))
        if entry is None:
            yield None
            return
        try:
            held = self._unfinished()
            os.link(self._object(entry.digest), held)
        except OSError:
            self._drop(entry, "its content is gone")
            yield None
            return
        try:
            # A file that is read is not named by the folder any more: others may remove the entry meanwhile.
            os.utime(held)
            if _digest(held) != entry.digest:
                self._drop(entry, "its content is not what was kept")
                yield None
                return
            self._used(entry)
            yield held
        finally:
            held.unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """Everything that is kept, the last used first."""
        keys = [path.stem for path in (self.root / "entries").glob("*.json")]
        found = [entry for key in keys if (entry := self._entry(key)) is not None]
        return sorted(found, key=lambda entry: -entry.used_at_s)

    def clear(self) -> tuple[int, int]:
        """Remove everything; how many entries and bytes there were. Raises OSError."""
        if not self.root.is_dir():
            return 0, 0
        with self._locked():
            found = self.entries()
            total = self._total()
            for name in ("entries", "objects", "unfinished"):
                shutil.rmtree(self.root / name, ignore_errors=True)
        return len(found), total

    def _commit(self, question: Mapping[str, Any], part: Path, digest: str, stamp: tuple[int, ...]) -> None:
        key = _key(question)
        entry = {
            "question": dict(question),
            "sha256": digest,
            "size": part.stat().st_size,
            "kept_at_s": self._now_s(),
            "stamp": stamp,
        }
        with self._locked():
            before = self._entry(key)
            target = self._object(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            # Also over one that is there: it may be damaged, and this one is not.
            part.replace(target)
            written = self._unfinished()
            written.write_text(json.dumps(entry), encoding="utf-8")
            self._entry_path(key).parent.mkdir(parents=True, exist_ok=True)
            written.replace(self._entry_path(key))
            if before is not None and before.digest != digest:
                self._forget_object(before.digest)
            self._make_room(key)

    def _make_room(self, newest: str) -> None:
        """Remove what is not used for longest; under the lock."""
        total = self._total()
        if total > self.most_bytes:
            for entry in reversed(self.entries()):
                if total <= self.most_bytes:
                    break
                if entry.key != newest:
                    self._entry_path(entry.key).unlink(missing_ok=True)
                    total -= self._forget_object(entry.digest)
        for path in (self.root / "unfinished").iterdir():
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_AFTER_S:
                    path.unlink()

    def _forget_object(self, digest: str) -> int:
        """Remove a content that no entry names any more; the bytes that this frees."""
        if any(entry.digest == digest for entry in self.entries()):
            return 0
        path = self._object(digest)
        try:
            size = path.stat().st_size
            path.unlink()
        except OSError:
            return 0
        return size

    def _drop(self, entry: Entry, why: str) -> None:
        self._remark(f"dropped from the cache {self.root}: {_about(entry.question)}, {why}")
        with contextlib.suppress(OSError), self._locked():
            now = self._entry(entry.key)
            if now is not None and now.digest == entry.digest and now.kept_at_s == entry.kept_at_s:
                self._entry_path(entry.key).unlink(missing_ok=True)
                self._forget_object(entry.digest)

    def _entry(self, key: str) -> Entry | None:
        path = self._entry_path(key)
        try:
            used_at_s = path.stat().st_mtime
            values = json.loads(path.read_text(encoding="utf-8"))
            question, digest = dict(values["question"]), str(values["sha256"])
            if _key(question) != key or len(digest) != 64:
                raise ValueError("the entry answers another question")
            size, kept_at_s, stamp = int(values["size"]), float(values["kept_at_s"]), tuple(values["stamp"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            self._remark(f"dropped from the cache {self.root}: entry {path.name}, it cannot be read")
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return Entry(key, question, digest, size, kept_at_s, used_at_s, stamp)

    def _used(self, entry: Entry) -> None:
        with contextlib.suppress(OSError):
            os.utime(self._entry_path(entry.key))

    def _is_there(self, entry: Entry) -> bool:
        try:
            return self._object(entry.digest).stat().st_size == entry.size
        except OSError:
            return False

    def _total(self) -> int:
        return sum(path.stat().st_size for path in (self.root / "objects").glob("*/*"))

    def _object(self, digest: str) -> Path:
        return self.root / "objects" / digest[:2] / digest

    def _entry_path(self, key: str) -> Path:
        return self.root / "entries" / f"{key}.json"

    def _unfinished(self) -> Path:
        folder = self.root / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{uuid4().hex}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads, (self.root / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # let go when the file is closed, also by a kill
            yield

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """A cache that cannot keep something is no reason to stop."""
        try:
            yield
        except OSError as error:
            self._remark(f"{what} could not be kept in {self.root}: {error.strerror or error}")


def _key(question: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def _about(question: Mapping[str, Any]) -> str:
    if "file" in question:
        return str(question["file"])
    query = question.get("query")
    asked = " ".join(f"{name}={value}" for name, value in query.items()) if isinstance(query, dict) else ""
    return f"{question.get('path', 'an entry')} {asked}".strip()


def _copy(source: Path, target: Path) -> str:
    """Copy a file; the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(COPY_BYTES):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while block := reader.read(COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()
