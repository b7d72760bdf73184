"""`live.json`: what running tasks tell about their progress. For displays; nothing depends on it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from scheduler.files import replace_json

LIVE_NAME: Final = "live.json"
PERIOD_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the running task is."""

    task: str
    attempt: int
    done: float
    total: float
    """In the task's own unit; 0 when it has told nothing yet."""
    text: str
    elapsed_s: float
    remaining_s: float | None
    """Wall time, at the pace so far; None when nothing can be said."""
    at: float
    """Unix time of this report, seconds."""
    sim_ns: int
    """The run's clock when it was last read, nanoseconds."""
    beside: bool = False
    """It runs beside others."""

    @property
    def fraction(self) -> float | None:
        """Between 0 and 1; None when the task has not told."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total > 0 else None


def remaining_s(done: float, total: float, elapsed_s: float) -> float | None:
    """Time that remains at the pace so far, seconds; None before anything was done."""
    if done <= 0 or total <= 0:
        return None
    return max(0.0, elapsed_s * (total - done) / done)


def read_live(run_dir: Path) -> Progress | None:
    """The latest progress of the task that others wait for, or of one beside it; None: nothing is known just now."""
    shown = read_all_live(run_dir)
    return next((progress for progress in shown if not progress.beside), shown[0] if shown else None)


def read_all_live(run_dir: Path) -> list[Progress]:
    """The latest progress of each task that runs; none when nothing runs, or the file is not readable just now."""
    try:
        bodies: list[dict[str, Any]] = json.loads((run_dir / LIVE_NAME).read_text(encoding="utf-8"))["tasks"]
        return [Progress(**{f.name: body[f.name] for f in fields(Progress)}) for body in bodies]
    except (OSError, ValueError, KeyError, TypeError):
        return []


class LiveFile:
    """Keeps `live.json` up to date, at most every PERIOD_S."""

    def __init__(self, run_dir: Path, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._path = run_dir / LIVE_NAME
        self._monotonic_s = monotonic_s
        self._next_s = 0.0
        self._shown: dict[str, Progress] = {}

    def show(self, progress: Progress, *, at_once: bool = False) -> None:
        """Write it, unless one was written a moment ago. A full disk is no reason to stop a run."""
        self._shown[progress.task] = progress
        now_s = self._monotonic_s()
        if now_s < self._next_s and not at_once and (progress.fraction or 0.0) < 1.0:
            return
        if not at_once:
            self._next_s = now_s + PERIOD_S
        self._write()

    def drop(self, task: str) -> None:
        """It runs no more."""
        if self._shown.pop(task, None) is None:
            return
        if self._shown:
            self._write()
        else:
            self.clear()

    def clear(self) -> None:
        """Remove the file: no task is running."""
        self._shown.clear()
        self._next_s = 0.0
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            replace_json(self._path, {"tasks": [asdict(progress) for progress in self._shown.values()]})
