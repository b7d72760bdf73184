"""Plans: ordered tasks, and the checks between them. Values; valid once they exist."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, Self

from scheduler.errors import PlanRejected

TASK_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MOST_RETRIES: Final = 100
CALL: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Task:
    """One step of a plan: a function that runs in a process of its own."""

    id: str
    """Unique in the plan; also a file name: letters, digits, `_`, `.`, `-`."""
    title: str
    """For people."""
    call: str
    """The function, as `module:function`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Handed over in the context, and as parameters of these names where the function has more than it. JSON."""
    positional: Sequence[Any] = ()
    """Handed to the function's parameters after the context, in order: what the ini form of a schedule gives. JSON."""
    backup: bool = False
    """Back the run's records up when the task has ended."""
    on_fail: Literal["continue", "stop"] = "continue"
    """What a FAIL does to the tasks that follow. An ERROR always stops."""
    always: bool = False
    """Run also when the run is stopped early: for cleaning up. No checks come before it."""
    timeout_s: float = 3600.0
    """Wall time after which the task is stopped and counts as ERROR."""
    heartbeat_s: float = 60.0
    """Wall time without a sign of life after which the process counts as hung: it is ended, an ERROR."""
    retries: int = 0
    """How often an ERROR is tried again before it stops the run."""
    retry_pause_s: float = 0.0
    """Before it is tried again, by the run's clock."""
    on_resume: Literal["continue", "again", "skip"] = "continue"
    """What becomes of it when it was begun and did not end well: it goes on from what it kept (`TaskContext.keep`), it
    runs again from its start, or it is left out."""
    lasts_s: float | None = None
    """How long it is expected to take, by the run's clock."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """Conditions that must hold when it begins: `{"laser": "off"}`. An order of tasks that breaks one is no plan."""
    leaves: Mapping[str, str] = field(default_factory=dict)
    """Conditions as it leaves them: `{"laser": "on"}`."""

    @classmethod
    def from_json(cls, plan: str, body: Mapping[str, Any]) -> Self:
        """Read what `Plan.to_json` wrote. Raises PlanRejected."""
        unknown = sorted(set(body) - {f.name for f in fields(cls)})
        missing = sorted({"id", "title", "call"} - set(body))
        if unknown or missing:
            wrong = f"unknown {', '.join(unknown)}" if unknown else f"without {', '.join(missing)}"
            raise PlanRejected(plan, f"a task {wrong}", str(body.get("id", "?")))
        return cls(**{**body, "positional": tuple(body.get("positional", ()))})


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in the order in which they run. Raises PlanRejected when it could not be run."""

    name: str
    tasks: tuple[Task, ...]
    checks: tuple[str, ...] = ()
    """Functions (`module:function`) that must all be content before each task."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Handed to every task. JSON."""
    begins: Mapping[str, str] = field(default_factory=dict)
    """Conditions before the first task: `{"laser": "off"}`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        object.__setattr__(self, "checks", tuple(self.checks))
        if not self.tasks:
            raise PlanRejected(self.name, "has no tasks")
        self._demand_json("parameters", self.parameters, None)
        seen: set[str] = set()
        for task in self.tasks:
            if task.id in seen:
                raise PlanRejected(self.name, "is there twice; identifiers must differ", task.id)
            seen.add(task.id)
            self._judge(task)
        for check in self.checks:
            if not CALL.fullmatch(check):
                raise PlanRejected(self.name, f"check {check!r} must be written as module:function")
        for task_id, reason in forbidden(self.tasks, self.begins):
            raise PlanRejected(self.name, reason, task_id)

    def _judge(self, task: Task) -> None:
        if not TASK_ID.fullmatch(task.id):
            raise PlanRejected(
                self.name, "an identifier is 1 to 64 letters, digits, '_', '.' or '-', no mark first", task.id
            )
        if not CALL.fullmatch(task.call):
            raise PlanRejected(self.name, f"call {task.call!r} must be written as module:function", task.id)
        if task.on_fail not in ("continue", "stop"):
            raise PlanRejected(
                self.name, f"on_fail is {task.on_fail!r}; it must be continue or stop", task.id
            )
        if not task.timeout_s > 0:
            raise PlanRejected(self.name, f"timeout_s is {task.timeout_s}; it must be above 0", task.id)
        if not task.heartbeat_s > 0:
            raise PlanRejected(self.name, f"heartbeat_s is {task.heartbeat_s}; it must be above 0", task.id)
        self._judge_retries(task)
        if task.lasts_s is not None and not 0 <= task.lasts_s < math.inf:
            raise PlanRejected(self.name, f"lasts_s is {task.lasts_s}; it must be 0 or more", task.id)
        self._demand_json("arguments", task.arguments, task.id)
        self._demand_json("positional", {"values": list(task.positional)}, task.id)
        for what, conditions in (("needs", task.needs), ("leaves", task.leaves)):
            if any(not isinstance(text, str) for pair in conditions.items() for text in pair):
                raise PlanRejected(self.name, f"{what} must be texts by name", task.id)

    def _judge_retries(self, task: Task) -> None:
        if not 0 <= task.retries <= MOST_RETRIES:
            reason = f"retries is {task.retries}; it must be 0 to {MOST_RETRIES}"
            raise PlanRejected(self.name, reason, task.id)
        if not 0 <= task.retry_pause_s < math.inf:
            reason = f"retry_pause_s is {task.retry_pause_s}; it must be 0 or more"
            raise PlanRejected(self.name, reason, task.id)
        if task.on_resume not in ("continue", "again", "skip"):
            reason = f"on_resume is {task.on_resume!r}; it must be continue, again or skip"
            raise PlanRejected(self.name, reason, task.id)
        if task.always and task.on_resume == "skip":
            raise PlanRejected(
                self.name, "always runs, because it cleans up; on_resume cannot be skip", task.id
            )

    def _demand_json(self, what: str, value: Mapping[str, Any], task: str | None) -> None:
        try:
            same = json.loads(json.dumps(value, allow_nan=False)) == value
        except (TypeError, ValueError) as error:
            raise PlanRejected(self.name, f"{what} must be JSON: {error}", task) from error
        if not same:
            raise PlanRejected(self.name, f"{what} must be JSON as it is: lists, and text as keys", task)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {
            "name": self.name,
            "tasks": [{**asdict(task), "positional": list(task.positional)} for task in self.tasks],
            "checks": list(self.checks),
            "parameters": dict(self.parameters),
            "begins": dict(self.begins),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises PlanRejected."""
        name = str(body.get("name", "?"))
        try:
            tasks = tuple(Task.from_json(name, task) for task in body["tasks"])
            return cls(name, tasks, tuple(body["checks"]), body["parameters"], body.get("begins", {}))
        except (KeyError, TypeError) as error:
            raise PlanRejected(name, f"is not a plan: {error!r}") from error


def forbidden(tasks: Sequence[Task], begins: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The tasks whose conditions do not hold at their turn: (task, sentence)."""
    now = dict(begins)
    by = dict.fromkeys(now, "the plan begins")
    for task in tasks:
        for name, value in task.needs.items():
            if name not in now:
                yield (
                    task.id,
                    f"needs {name} = {value}, and no task before it says how {name} is; say how it begins",
                )
            elif now[name] != value:
                yield task.id, f"needs {name} = {value}, but {by[name]} with {name} = {now[name]}"
        now |= task.leaves
        by |= dict.fromkeys(task.leaves, f"{task.id} before it ends")
