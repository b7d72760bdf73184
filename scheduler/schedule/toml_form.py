"""Schedules in TOML.

[plan]
name = "night"
checks = ["my_checks:modules_respond"]
begins = { laser = "off" }
latest_end = 2026-12-01T08:00:00+01:00

[plan.parameters]
operator = "A. Shifter"

[[task]]
id = "gain_cold"
title = "Gain at -40 C"
call = "my_tasks:measure_gain"
arguments = { events = 10_000 }
lasts = "3 h"
needs = { laser = "off" }
backup = true
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scheduler.errors import ScheduleRejected
from scheduler.plan import MOST_RETRIES, Task
from scheduler.schedule.durations import seconds
from scheduler.schedule.schedule import Draft, Schedule, read_text
from scheduler.schedule.toml_position import line_of

Length = Annotated[float, BeforeValidator(seconds), Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PlanTable(_Table):
    """`[plan]`"""

    name: str = ""
    """By default the file's name."""
    checks: list[str] = []
    """Functions that must be content before each task."""
    parameters: dict[str, Any] = {}
    """Handed to every task."""
    begins: dict[str, str] = {}
    """Conditions before the first task."""
    resources: dict[str, int] = {}
    """How many there are of what tasks use."""
    latest_end: datetime | None = None
    """When the last task must have ended, with its offset from UTC."""


class TaskTable(_Table):
    """One `[[task]]`."""

    id: str
    title: str = ""
    """By default the identifier."""
    call: str
    arguments: dict[str, Any] = {}
    backup: bool = False
    on_fail: Literal["continue", "stop"] = "continue"
    always: bool = False
    timeout: Annotated[Length, Field(gt=0)] = 3600.0
    heartbeat: Annotated[Length, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0, le=MOST_RETRIES)] = 0
    retry_pause: Length = 0.0
    on_resume: Literal["continue", "again", "skip"] = "continue"
    lasts: Length | None = None
    needs: dict[str, str] = {}
    leaves: dict[str, str] = {}
    beside: bool = False
    after: list[str] = []
    uses: dict[str, int] = {}
    timed: bool = True

    def task(self) -> Task:
        """The task that it describes. Raises nothing: a plan judges it."""
        return Task(
            id=self.id,
            title=self.title or self.id,
            call=self.call,
            arguments=self.arguments,
            backup=self.backup,
            on_fail=self.on_fail,
            always=self.always,
            timeout_s=self.timeout,
            heartbeat_s=self.heartbeat,
            retries=self.retries,
            retry_pause_s=self.retry_pause,
            on_resume=self.on_resume,
            lasts_s=self.lasts,
            needs=self.needs,
            leaves=self.leaves,
            beside=self.beside,
            after=tuple(self.after),
            uses=self.uses,
            timed=self.timed,
        )


def read_toml(path: Path) -> Schedule:
    """Read a schedule. Raises ScheduleRejected with a sentence for each mistake: file, line, what is allowed."""
    text = read_text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScheduleRejected([f"{path}: is no TOML: {error}"]) from None
    draft = Draft(str(path))
    for key in tables.keys() - {"plan", "task"}:
        draft.refuse(
            f"{path}:{line_of(text, (key,))}", f"unknown table {key!r}; there are [plan] and [[task]]"
        )
    plan = _validated(draft, text, ("plan",), PlanTable, tables.get("plan", {})) or PlanTable()
    if plan.latest_end is not None and plan.latest_end.tzinfo is None:
        draft.refuse(
            f"{path}:{line_of(text, ('plan', 'latest_end'))}", "latest_end needs its offset, like +01:00"
        )
    entries = tables.get("task", [])
    for number, body in enumerate(entries if isinstance(entries, list) else [entries]):
        place = ("task", number)
        table = _validated(draft, text, place, TaskTable, body)
        if table is not None:
            draft.add(f"{path}:{line_of(text, place)}", table.task())
    return draft.finish(
        plan.name or path.stem,
        checks=plan.checks,
        parameters=plan.parameters,
        begins=plan.begins,
        resources=plan.resources,
        latest_end=plan.latest_end,
    )


def _validated(draft: Draft, text: str, place: tuple[str | int, ...], model: type[Any], body: Any) -> Any:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        for mistake in error.errors():
            path = (*place, *mistake["loc"])
            where = f"{draft.source}:{line_of(text, path)}"
            draft.refuse(where, _sentence(path, mistake, model.model_fields))
        return None


def _sentence(path: tuple[str | int, ...], mistake: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    key = str(path[-1])
    if mistake["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
        return f"unknown key {key!r}; {hint}"
    if mistake["type"] == "missing":
        return f"lacks the key {key!r}"
    return f"{key}: {mistake['msg'].removeprefix('Value error, ')}"
