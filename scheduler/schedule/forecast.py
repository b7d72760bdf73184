"""When each task of a plan will probably run: from what the plan says, else from earlier runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from scheduler.order import ready
from scheduler.plan import Plan, Task
from scheduler.state import RunState, TaskState
from scheduler.verdict import Verdict

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Expected:
    """One task in its time."""

    task: Task
    begins_s: float
    """Seconds after the plan begins."""
    lasts_s: float
    known: Literal["plan", "earlier runs", "nothing"]
    """Where the length comes from; of nothing, it counts as 0."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """All tasks of a plan in their time."""

    tasks: tuple[Expected, ...]

    @property
    def lasts_s(self) -> float:
        """How long the plan lasts."""
        return max((expected.begins_s + expected.lasts_s for expected in self.tasks), default=0.0)

    @property
    def unknown(self) -> int:
        """Of how many tasks nobody knows the length."""
        return sum(expected.known == "nothing" for expected in self.tasks)


def forecast(plan: Plan, earlier: Mapping[str, float] | None = None) -> Forecast:
    """Lay the tasks one after the other, and those that run beside others as soon as they can.

    earlier  seconds by name (`known_as`), from `lengths`
    """
    now_s, expected = 0.0, {}
    left, done = list(plan.tasks), set[str]()
    ends: dict[str, float] = {}
    while left:
        for task in list(ready(left, done, ends, plan.resources)):
            lasts_s, known = length_of(task, earlier or {})
            expected[task.id] = Expected(task, now_s, lasts_s, known)
            ends[task.id] = now_s + lasts_s
        now_s = min(ends.values())
        ended = {name for name, end_s in ends.items() if end_s <= now_s}
        done |= ended
        left = [task for task in left if task.id not in ended]
        ends = {name: end_s for name, end_s in ends.items() if name not in ended}
    return Forecast(tuple(expected[task.id] for task in plan.tasks))


def known_as(task: Task) -> tuple[str, str]:
    """Under which names lengths of a task are remembered: its function with these arguments, and any of its function.

    What an argument says can be most of the length: eight hours without power, or a warm reboot.
    """
    given = json.dumps([list(task.positional), dict(task.arguments)], sort_keys=True)
    return f"{task.call} {given}", task.call


def spans(run: RunState) -> dict[str, list[float]]:
    """How long each task that came to a verdict took by its run's clock, in seconds, under both names (`known_as`).

    One that takes no part in that time took what a clock on the wall says.
    """
    found: dict[str, list[float]] = {}
    for task in run.tasks.values():
        judged = task.verdict not in (Verdict.ERROR, Verdict.ABORTED)
        took_s = _took_s(task) if judged else None
        if took_s is not None:
            for name in known_as(task.task):
                found.setdefault(name, []).append(took_s)
    return found


def _took_s(task: TaskState) -> float | None:
    if not task.task.timed:
        return task.wall_s
    if task.started_sim_ns is None or task.finished_sim_ns is None:
        return None
    return (task.finished_sim_ns - task.started_sim_ns) / NS_PER_S


def medians(found: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """The median for each name over several runs, each as `spans` tells it."""
    together: dict[str, list[float]] = {}
    for run in found:
        for call, seconds in run.items():
            together.setdefault(call, []).extend(seconds)
    return {call: median(seconds) for call, seconds in together.items() if seconds}


def lengths(runs: Iterable[RunState]) -> dict[str, float]:
    """How long tasks took by their runs' clocks: the median for each name (`known_as`), in seconds."""
    return medians(spans(run) for run in runs)


def length_of(
    task: Task, earlier: Mapping[str, float]
) -> tuple[float, Literal["plan", "earlier runs", "nothing"]]:
    """How long a task will probably take by the run's clock, in seconds, and where that comes from."""
    if task.lasts_s is not None:
        return task.lasts_s, "plan"
    for name in known_as(task):
        if name in earlier:
            return earlier[name], "earlier runs"
    return 0.0, "nothing"
