"""What a schedule gives: a plan, where each of its tasks stands, and until when it must have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scheduler.errors import PlanRejected, ScheduleRejected
from scheduler.plan import Plan, Task, judge


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan and its origin."""

    plan: Plan
    source: str
    """The file, or `module:function`."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Where each task stands: `night.toml:12`, by task."""
    latest_end: datetime | None = None
    """When it must have ended; with a time zone."""

    def place(self, task: str | None) -> str:
        """Where a task stands, or the schedule."""
        return self.source if task is None else self.where.get(task, self.source)


@dataclass(slots=True)
class Draft:
    """A schedule while it is read: mistakes are gathered, so that a person corrects them all at once."""

    source: str
    tasks: list[Task] = field(default_factory=list)
    where: dict[str, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def refuse(self, place: str, reason: str) -> None:
        """Note a mistake."""
        self.mistakes.append(f"{place}: {reason}")

    def add(self, place: str, task: Task) -> None:
        """Take a task, if it could be one."""
        try:
            judge("draft", task)
        except PlanRejected as error:
            self.refuse(place, error.reason)
            return
        if task.id in self.where:
            self.refuse(place, f"the identifier {task.id!r} stands at {self.where[task.id]} already")
            return
        self.where[task.id] = place
        self.tasks.append(task)

    def finish(
        self,
        name: str,
        *,
        checks: Sequence[str] = (),
        parameters: Mapping[str, Any] | None = None,
        begins: Mapping[str, str] | None = None,
        resources: Mapping[str, int] | None = None,
        latest_end: datetime | None = None,
    ) -> Schedule:
        """The schedule. Raises ScheduleRejected with all mistakes."""
        if self.mistakes:
            raise ScheduleRejected(self.mistakes)
        try:
            more = (parameters or {}, begins or {}, resources or {})
            plan = Plan(name, tuple(self.tasks), tuple(checks), *more)
        except PlanRejected as error:
            place = self.where.get(error.task or "", self.source)
            task = f"{error.task}: " if error.task else ""
            raise ScheduleRejected([f"{place}: {task}{error.reason}"]) from None
        return Schedule(plan, self.source, self.where, latest_end)


def read_text(path: Path) -> str:
    """The text of a schedule file. Raises ScheduleRejected."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScheduleRejected([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleRejected([f"{path}: cannot be read: {error}"]) from None
