"""What a task function says of itself, so that no schedule has to: conditions, length, limits.

    @declares(needs={"laser": "off"}, lasts_s=2400)
    def measure_gain(context: TaskContext, events: int = 10_000) -> TaskResult: ...

A schedule that says the same for itself has the last word, key by key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from scheduler.calling import resolve
from scheduler.plan import Task

ATTRIBUTE: Final = "__scheduler_declared__"
ARRANGED_BY: Final = "arranged_by"
F = TypeVar("F", bound=Callable[..., Any])


def declares(
    *,
    needs: Mapping[str, str] | None = None,
    leaves: Mapping[str, str] | None = None,
    lasts_s: float | None = None,
    timeout_s: float | None = None,
    always: bool | None = None,
    retries: int | None = None,
    beside: bool | None = None,
    timed: bool | None = None,
    after: Sequence[str] | None = None,
    uses: Mapping[str, int] | None = None,
    arranged_by: str | None = None,
) -> Callable[[F], F]:
    """Say of a task function what `Task` has under the same names.

    arranged_by  `module:function` that is given each schedule in which this function is called, as a Plan, and returns
                 the plan as it is run, such as with analyses beside what follows them; for what no task can say alone

    Resources that it uses must be the plan's.
    """
    given = {
        "needs": needs,
        "leaves": leaves,
        "lasts_s": lasts_s,
        "timeout_s": timeout_s,
        "always": always,
        "retries": retries,
        "beside": beside,
        "timed": timed,
        "after": None if after is None else tuple(after),
        "uses": uses,
        ARRANGED_BY: arranged_by,
    }

    def mark(function: F) -> F:
        setattr(function, ATTRIBUTE, {key: value for key, value in given.items() if value is not None})
        return function

    return mark


def declarations(calls: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What functions say of themselves, as JSON, by `module:function`; who is not there is left out.

    Imports their modules.
    """
    found = {}
    for call in calls:
        try:
            said = getattr(resolve(call), ATTRIBUTE, None)
        except LookupError:
            continue
        if said:
            found[call] = {
                key: dict(value) if isinstance(value, Mapping) else value for key, value in said.items()
            }
    return found


def completed(task: Task, said: Mapping[str, Any]) -> Task:
    """The task with what its function says, where the schedule says nothing."""
    blank = Task(task.id, task.title, task.call)
    new: dict[str, Any] = {}
    for key, value in said.items():
        if key == ARRANGED_BY:
            continue
        own = getattr(task, key)
        if isinstance(value, Mapping):
            new[key] = {**value, **own}
        elif own == getattr(blank, key):
            new[key] = tuple(value) if isinstance(value, list) else value
    return replace(task, **new)
