"""Copies of a run's files below the engine's run folder, so that each backup has them as they were by then.

A run that was restored onto an empty disk has the copies alone: `put_back` brings the files to where its tasks look.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from fat.degg.records.locked_json import locked
from fat.degg.records.run_file import RunFile
from fat.files import write_bytes_atomically
from scheduler import JournalRecord, Progress, RunState

MIRROR: Final = "results/json"
TELLING: Final = frozenset({"run_started", "task_finished", "task_failed", "task_skipped", "run_finished"})
"""After these the files may have changed."""


def put_back(path: Path, run_dir: Path) -> bool:
    """Put the files of a restored run back to where they lay when they were copied; whether there was need to.

    path     of the run file; nothing is done when it is there, or was never copied
    run_dir  the engine's run folder

    Measured data are in no backup. May be killed at any moment, and done again. Raises OSError, RecordUnreadable.
    """
    folder = run_dir / MIRROR
    if path.exists() or not (folder / path.name).is_file():
        return False
    run = RunFile.open(folder / path.name)
    ignored = (path.parent.parent / "ignore.json",)
    # The run file comes last: it says that all others are there.
    for place in (*run.device_paths().values(), *ignored, path):
        copy = folder / place.name
        if copy.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_bytes_atomically(place, copy.read_bytes())
    return True


class Mirror:
    """Copies the run file at *path*, its device files and the ignore list; by itself a listener of the engine.

    run_dir  the engine's run folder
    """

    def __init__(self, path: Path, run_dir: Path) -> None:
        self._path, self._folder = path, run_dir / MIRROR
        self._copied: dict[Path, int] = {}

    def event(self, record: JournalRecord, _state: RunState) -> None:
        """Copy what a task may have changed."""
        if record.event in TELLING:
            self.copy()

    def progress(self, progress: Progress) -> None:
        """Progress changes no files."""

    def copy(self) -> None:
        """Copy the files that have changed since; none before the run file is there."""
        if not self._path.exists():
            return
        run = RunFile.open(self._path)
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in (run.path, *run.device_paths().values(), run.run_dir / "ignore.json"):
            if path.exists() and self._copied.get(path) != (changed := path.stat().st_mtime_ns):
                with locked(path):
                    beside = self._folder / f".{path.name}"
                    shutil.copyfile(path, beside)
                    beside.replace(self._folder / path.name)
                self._copied[path] = changed
