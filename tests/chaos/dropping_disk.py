"""A disk that forgets: made from a log of what a process did to its files (write_log.c), up to any moment.

What was not synchronised before that moment may be there, in part, or not at all, whatever its order; a name is there
for certain when its folder was synchronised after it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Call:
    """One call of the log."""

    name: str
    path: str
    offset: int
    content: bytes


@dataclass
class File:
    """What is certainly on the disk, and what may be."""

    content: bytearray = field(default_factory=bytearray)
    unsynced: list[Call] = field(default_factory=list)

    def settle(self, keep: Sequence[Call]) -> None:
        for call in keep:
            if call.name == "cut":
                del self.content[call.offset :]
                self.content.extend(bytes(call.offset - len(self.content)))
            else:
                end = call.offset + len(call.content)
                self.content.extend(bytes(max(0, end - len(self.content))))
                self.content[call.offset : end] = call.content
        self.unsynced = []


def read_log(log: Path) -> list[Call]:
    """The calls in their order, without those for the index that SQLite makes anew whenever it opens a log."""
    content, calls, at = log.read_bytes(), [], 0
    while at < len(content):
        head_end = content.index(b"\n", at)
        name, offset, length, path = content[at:head_end].decode().split(" ", 3)
        at = head_end + 1 + int(length)
        if not path.endswith("-shm"):
            calls.append(Call(name, path, int(offset), content[head_end + 1 : at]))
    return calls


class Disk:
    """The disk as it certainly is, and all that is on its way there."""

    def __init__(self) -> None:
        self._names: dict[str, File] = {}
        self._seen: dict[str, File] = {}
        """By the names that the process sees."""
        self._renamings: list[tuple[Call, File]] = []

    def do(self, call: Call) -> None:
        """Take the next call."""
        file = self._seen.get(call.path)
        if call.name in ("write", "cut"):
            assert file is not None, f"{call.path} was there before"
            file.unsynced.append(call)
        elif call.name != "sync":
            self._renamings.append((call, File()))
            _rename(self._seen, *self._renamings[-1])
        elif file is None:
            self._sync_folder(call.path)
        else:
            file.settle(file.unsynced)

    def lose_power(self, target: Path, rng: random.Random | None) -> None:
        """Write what is left into an empty folder; without *rng* all that was not synchronised is lost."""
        names = dict(self._names)
        for renaming in self._renamings[: rng.randint(0, len(self._renamings)) if rng else 0]:
            _rename(names, *renaming)
        for name, file in names.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            left = File(bytearray(file.content))
            left.settle(list(_some_of(file.unsynced, rng)) if rng else [])
            path.write_bytes(left.content)

    def _sync_folder(self, folder: str) -> None:
        left = []
        for call, file in self._renamings:
            if str(PurePath(call.path.split("\t")[-1]).parent) == folder:
                _rename(self._names, call, file)
            else:
                left.append((call, file))
        self._renamings = left


def _rename(names: dict[str, File], call: Call, file: File) -> None:
    """Make, remove or rename; a folder is renamed with all in it."""
    if call.name == "make":
        names[call.path] = file
    elif call.name == "unlink":
        names.pop(call.path, None)
    else:
        old, new = call.path.split("\t")
        for name in [name for name in names if name == old or name.startswith(f"{old}/")]:
            names[new + name[len(old) :]] = names.pop(name)


def _some_of(calls: Sequence[Call], rng: random.Random) -> Iterator[Call]:
    for call in calls:
        if rng.random() < 0.5:
            continue
        if call.name == "write" and rng.random() < 0.3:
            torn = rng.randrange(len(call.content) // SECTOR_BYTES + 1) * SECTOR_BYTES
            yield Call(call.name, call.path, call.offset, call.content[:torn])
        else:
            yield call
