"""Plans: ordered tasks, and the checks between them. Values; valid once they exist."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, Self

from scheduler.errors import PlanRejected
from scheduler.order import misplaced

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
    beside: bool = False
    """What follows does not wait for it (`scheduler.order`)."""
    after: Sequence[str] = ()
    """Tasks that must have ended before it begins, besides those that are always waited for; `"*"`: all before it."""
    uses: Mapping[str, int] = field(default_factory=dict)
    """How many it takes of the plan's resources while it runs: `{"cores": 1}`."""
    timed: bool = True
    """Whether it takes part in the run's time. An analysis does not: simulated time need not stand while it computes,
    it cannot wait on the clock, and no checks come before it."""

    def to_json(self) -> dict[str, Any]:
        """The task as JSON values."""
        return {**asdict(self), "positional": list(self.positional), "after": list(self.after)}

    @classmethod
    def from_json(cls, plan: str, body: Mapping[str, Any]) -> Self:
        """Read what `Plan.to_json` wrote. Raises PlanRejected."""
        unknown = sorted(set(body) - {f.name for f in fields(cls)})
        missing = sorted({"id", "title", "call"} - set(body))
        if unknown or missing:
            wrong = f"unknown {', '.join(unknown)}" if unknown else f"without {', '.join(missing)}"
            raise PlanRejected(plan, f"a task {wrong}", str(body.get("id", "?")))
        sequences = {key: tuple(body.get(key, ())) for key in ("positional", "after")}
        return cls(**{**body, **sequences})


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
    resources: Mapping[str, int] = field(default_factory=dict)
    """How many there are of what tasks use: `{"cores": 2}`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        object.__setattr__(self, "checks", tuple(self.checks))
        if not self.tasks:
            raise PlanRejected(self.name, "has no tasks")
        _demand_json(self.name, "parameters", self.parameters, None)
        seen: set[str] = set()
        for task in self.tasks:
            if task.id in seen:
                raise PlanRejected(self.name, "is there twice; identifiers must differ", task.id)
            seen.add(task.id)
            judge(self.name, task)
        for check in self.checks:
            if not CALL.fullmatch(check):
                raise PlanRejected(self.name, f"check {check!r} must be written as module:function")
        for name, number in self.resources.items():
            if not isinstance(number, int) or number < 1:
                raise PlanRejected(
                    self.name, f"there are {number!r} of resource {name!r}; it must be 1 or more"
                )
        for task_id, reason in misplaced(self.tasks, self.resources):
            raise PlanRejected(self.name, reason, task_id)
        for task_id, reason in forbidden(self.tasks, self.begins):
            raise PlanRejected(self.name, reason, task_id)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {
            "name": self.name,
            "tasks": [task.to_json() for task in self.tasks],
            "checks": list(self.checks),
            "parameters": dict(self.parameters),
            "begins": dict(self.begins),
            "resources": dict(self.resources),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote. Raises PlanRejected."""
        name = str(body.get("name", "?"))
        try:
            tasks = tuple(Task.from_json(name, task) for task in body["tasks"])
            more = (body.get("begins", {}), body.get("resources", {}))
            return cls(name, tasks, tuple(body["checks"]), body["parameters"], *more)
        except (KeyError, TypeError) as error:
            raise PlanRejected(name, f"is not a plan: {error!r}") from error


def judge(plan: str, task: Task) -> None:
    """Raise PlanRejected when the task could not be run in any plan. *plan* is its name."""
    if not TASK_ID.fullmatch(task.id):
        reason = "an identifier is 1 to 64 letters, digits, '_', '.' or '-', no mark first"
        raise PlanRejected(plan, reason, task.id)
    for wrong, reason in _faults(task):
        if wrong:
            raise PlanRejected(plan, reason, task.id)
    _demand_json(plan, "arguments", task.arguments, task.id)
    _demand_json(plan, "positional", {"values": list(task.positional)}, task.id)
    for what, conditions in (("needs", task.needs), ("leaves", task.leaves)):
        if any(not isinstance(text, str) for pair in conditions.items() for text in pair):
            raise PlanRejected(plan, f"{what} must be texts by name", task.id)


def _faults(task: Task) -> Iterator[tuple[bool, str]]:
    """What may be wrong, whether it is, and what to say then."""
    yield not CALL.fullmatch(task.call), f"call {task.call!r} must be written as module:function"
    yield (
        task.on_fail not in ("continue", "stop"),
        f"on_fail is {task.on_fail!r}; it must be continue or stop",
    )
    yield not task.timeout_s > 0, f"timeout_s is {task.timeout_s}; it must be above 0"
    yield not task.heartbeat_s > 0, f"heartbeat_s is {task.heartbeat_s}; it must be above 0"
    yield (
        not 0 <= task.retries <= MOST_RETRIES,
        f"retries is {task.retries}; it must be 0 to {MOST_RETRIES}",
    )
    yield (
        not 0 <= task.retry_pause_s < math.inf,
        f"retry_pause_s is {task.retry_pause_s}; it must be 0 or more",
    )
    yield (
        task.on_resume not in ("continue", "again", "skip"),
        f"on_resume is {task.on_resume!r}; it must be continue, again or skip",
    )
    yield (
        task.always and task.on_resume == "skip",
        "always runs, because it cleans up; on_resume cannot be skip",
    )
    yield (
        task.lasts_s is not None and not 0 <= task.lasts_s < math.inf,
        f"lasts_s is {task.lasts_s}; it must be 0 or more",
    )
    yield task.beside and task.always, "always runs, because it cleans up; it cannot run beside others"
    yield (
        task.beside and bool(task.leaves),
        "runs beside others; it cannot leave conditions, for nobody could say since when they hold",
    )
    yield any(not isinstance(n, int) or n < 1 for n in task.uses.values()), "uses must be numbers above 0"


def _demand_json(plan: str, what: str, value: Mapping[str, Any], task: str | None) -> None:
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError) as error:
        raise PlanRejected(plan, f"{what} must be JSON: {error}", task) from error
    if not same:
        raise PlanRejected(plan, f"{what} must be JSON as it is: lists, and text as keys", task)


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
