"""How long a run will still take: a pure function of its state and of what is known of its tasks' lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from scheduler.live import Progress
from scheduler.schedule.forecast import NS_PER_S, length_of
from scheduler.state import RunState, TaskState, TaskStatus
from scheduler.verdict import Verdict

SAME_PACE: Final = 0.05
"""Run's clock and wall clock that differ by less count as one."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is still to come, in wall time unless said otherwise."""

    tasks_s: Mapping[str, float] = field(default_factory=dict)
    """Seconds for each task that has not ended and whose length is known."""
    unknown: int = 0
    """Of how many tasks to come nobody knows the length; they count as nothing."""
    pace: float = 1.0
    """Seconds of the run's clock in one of wall time, as it was so far."""

    beside: frozenset[str] = frozenset()
    """Those of them that run beside others and take no part in time: analyses."""

    @property
    def run_s(self) -> float:
        """Seconds until the end of the run, the tasks one after another, and meanwhile the analyses beside them."""
        beside_s = sum(self.tasks_s[name] for name in self.beside)
        return max(beside_s, sum(self.tasks_s.values()) - beside_s)


def remaining(
    state: RunState, earlier: Mapping[str, float], live: Progress | None, now_s: float
) -> Remaining:
    """What is still to come.

    earlier  seconds by the run's clock for each name (`forecast.known_as`), from `forecast.medians`
    live     what the running task tells: better than any median
    now_s    Unix time
    """
    pace = pace_of(state)
    tasks_s: dict[str, float] = {}
    unknown = 0
    for name, task in state.tasks.items():
        if task.status is TaskStatus.DONE:
            continue
        told = live.remaining_s if live is not None and live.task == name else None
        length_s, known = length_of(task.task, earlier)
        if told is not None and task.status is TaskStatus.RUNNING:
            tasks_s[name] = told
        elif known == "nothing":
            unknown += 1
        else:
            wall_s = length_s / pace if task.task.timed else length_s
            tasks_s[name] = max(0.0, wall_s - _elapsed(task, now_s))
    beside = (name for name in tasks_s if _beside(state.tasks[name]))
    return Remaining(tasks_s, unknown, pace, frozenset(beside))


def pace_of(state: RunState) -> float:
    """Seconds of the run's clock in one of wall time, over the tasks with a verdict; 1 while nothing can be said."""
    clock_s = wall_s = 0.0
    for task in state.tasks.values():
        if task.verdict in (Verdict.ERROR, Verdict.ABORTED):
            continue  # whatever stopped it, such as a clock that was lost, tells nothing of the others
        if not task.task.timed:
            continue  # what its clock did meanwhile was for others
        if task.wall_s is not None and task.started_sim_ns is not None and task.finished_sim_ns is not None:
            clock_s += (task.finished_sim_ns - task.started_sim_ns) / NS_PER_S
            wall_s += task.wall_s
    if clock_s <= 0 or wall_s <= 0 or abs(clock_s / wall_s - 1) < SAME_PACE:
        return 1.0
    return clock_s / wall_s


def _beside(task: TaskState) -> bool:
    return task.task.beside and not task.task.timed


def _elapsed(task: TaskState, now_s: float) -> float:
    if task.status is not TaskStatus.RUNNING or task.started_at is None:
        return 0.0
    return max(0.0, now_s - task.started_at)
