"""Analyses beside the measurements that follow them (decision 221).

The published acceptance test starts its analyses on another computer and goes on. Here they run beside what follows, as
tasks that take no part in the bench's time; what they read is pinned to what they come after in the plan
(`fat.degg.tasks.recorded`), so that the record of a run is the same as if each had been waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from scheduler import Plan, Task
from scheduler.order import ALL

RESOURCE: Final = "analyses"
AT_A_TIME: Final = 1
"""One needs a core; measurements and simulated instruments take turns on another one."""
MOST_OPEN: Final = 10
"""When so many may run or wait, the measurement of the next one waits for them: verdicts must not come hours later."""
ANALYSIS: Final = "fat.degg.tasks.remote:trigger_remote_wrapper"
OURS: Final = "fat.degg.tasks."
"""Tasks that read no results of these analyses, and whose entries in the papers name their task where one is read."""
IN_TURN: Final = frozenset({"gain"})
"""Analyses whose results the next measurements need: the high voltage to work with, and heights of pulses."""


def analyses_beside(plan: Plan) -> Plan:
    """The plan with its analyses beside what follows them, where that is safe.

    A plan that says itself what runs beside what is left as it is. Operators are asked, and tasks that are not of this
    package begin, when all analyses before them have ended.
    """
    if plan.resources or any(task.beside or task.after or task.uses for task in plan.tasks):
        return plan
    if not any(map(_may_run_beside, plan.tasks)):
        return plan
    return replace(plan, tasks=tuple(_ordered(plan.tasks)), resources={RESOURCE: AT_A_TIME})


def _ordered(tasks: Sequence[Task]) -> Iterator[Task]:
    open_analyses = 0
    for number, task in enumerate(tasks):
        if _may_run_beside(task):
            open_analyses += 1
            yield replace(task, beside=True, timed=False, uses={RESOURCE: 1})
            continue
        next_is_analysis = number + 1 < len(tasks) and _may_run_beside(tasks[number + 1])
        if not task.call.startswith(OURS) or (open_analyses >= MOST_OPEN and next_is_analysis):
            open_analyses = 0
            task = replace(task, after=(ALL,))
        yield task


def _may_run_beside(task: Task) -> bool:
    return task.call == ANALYSIS and not task.always and not task.needs and _analysis(task) not in IN_TURN


def _analysis(task: Task) -> Any:
    """Its name, by position as the ini form has it, or by name."""
    return task.arguments.get("analysis", next(iter(task.positional), None))
