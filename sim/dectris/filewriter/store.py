"""The files that a control unit holds: finished ones can be read and deleted, all of them share one buffer.

Hardware keeps them in its memory and loses them at a restart; here they lie in a folder, and what an earlier run of
the bench left there is removed. Used by the loop's thread and the writer's thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNFINISHED: Final = ".unfinished"
"""Folder of files that are being written; no name_pattern can lead there."""


@dataclass(frozen=True, slots=True)
class _File:
    size: int
    visible_ns: int
    """Simulated time from which on clients see it."""


class FinishedFiles:
    """A folder of files with a limit on their bytes together. Names are relative paths with slashes."""

    def __init__(self, folder: Path, capacity: int, now: Callable[[], int]) -> None:
        """*capacity* in bytes; *now* simulated time in ns."""
        self._folder, self._capacity, self._now = folder, capacity, now
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}
        self._finished_bytes = self._being_written = 0
        _remove_left_over(folder)

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        with self._lock:
            return max(0, self._capacity - self._finished_bytes - self._being_written)

    def unfinished(self, name: str) -> Path:
        """Where to write the file that will have this name. Raises OSError."""
        path = self._folder / _UNFINISHED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def grown(self, size: int) -> None:
        """Tell how many bytes the unfinished files have by now."""
        with self._lock:
            self._being_written = size

    def finish(self, name: str, late_ns: int = 0) -> None:
        """The unfinished file is whole: from now on, or *late_ns* later, clients see it. Raises OSError."""
        source, target = self.unfinished(name), self._folder / name
        size = source.stat().st_size
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            source.replace(target)
            replaced = self._files.get(name)
            self._finished_bytes += size - (replaced.size if replaced is not None else 0)
            self._files[name] = _File(size, self._now() + late_ns)

    def discard(self, name: str) -> None:
        """Throw the unfinished file away."""
        self.unfinished(name).unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """A file of this name is written anew: the old one is gone from now on."""
        self._remove([name])

    def names(self) -> Sequence[str]:
        """Of the files that clients see, sorted."""
        now = self._now()
        with self._lock:
            return sorted(name for name, file in self._files.items() if file.visible_ns <= now)

    def path(self, name: str) -> Path | None:
        """Where a file lies that clients see; None for any other text."""
        with self._lock:
            file = self._files.get(name)
        if file is None or file.visible_ns > self._now():
            return None
        return self._folder / name

    def delete(self, name: str) -> bool:
        """Delete a file that clients see; whether there was one."""
        return self.path(name) is not None and self._remove([name]) > 0

    def clear(self) -> None:
        """Delete all finished files."""
        with self._lock:
            names = list(self._files)
        self._remove(names)

    def _remove(self, names: Sequence[str]) -> int:
        with self._lock:
            known = [name for name in names if name in self._files]
            for name in known:
                self._finished_bytes -= self._files.pop(name).size
                path = self._folder / name
                path.unlink(missing_ok=True)
                self._remove_empty_folders(path.parent)
        return len(known)

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder != self._folder:
            try:
                folder.rmdir()
            except OSError:
                return  # not empty
            folder = folder.parent


def _remove_left_over(folder: Path) -> None:
    """Remove HDF5 files of an earlier run, and nothing else."""
    for root, _folders, files in os.walk(folder, topdown=False):
        for name in files:
            if name.endswith(".h5"):
                Path(root, name).unlink(missing_ok=True)
        if Path(root) != folder and not any(Path(root).iterdir()):
            Path(root).rmdir()
