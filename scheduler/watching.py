"""The engine's ear at a task process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scheduler.live import Progress, remaining_s
from scheduler.state import TaskState

if TYPE_CHECKING:
    from scheduler.engine import Engine
    from scheduler.notify.notice import Notice


class Watch:
    """The engine's ear at a task process. *task* is None for checks, whose notes are not kept; *name* is for people."""

    def __init__(self, engine: Engine, task: TaskState | None, name: str = "") -> None:
        self._engine, self._task, self._name = engine, task, name
        self._started_s = time.monotonic()

    def note(self, text: str) -> None:
        """To the journal."""
        if self._task is not None:
            self._engine.note(self._task, text)

    def notify(self, notice: Notice) -> None:
        """To the journal, and from there to people."""
        self._engine.notify(self._name, notice)

    def progress(self, done: float, total: float, text: str) -> None:
        """To the displays."""
        if self._task is None:
            return
        elapsed_s = time.monotonic() - self._started_s
        progress = Progress(
            task=self._task.task.id,
            attempt=self._task.attempt,
            done=done,
            total=total,
            text=text,
            elapsed_s=round(elapsed_s, 3),
            remaining_s=remaining_s(done, total, elapsed_s),
            at=time.time(),
            sim_ns=self._engine.sim_ns,
        )
        self._engine.show(progress, at_once=total == 0)

    def stop_wanted(self) -> bool:
        """Ends the task when the run is interrupted."""
        return self._engine.interruption()

    def hurry(self) -> bool:
        """A second signal."""
        return self._engine.hurried()
