"""What ends in an error is tried once more before it stops a run of days.

A console that is silent for some seconds, a converter of a serial port that is opened at the wrong moment: at night
nobody is there to say `resume`. The second attempt takes up what the first one left (entries of its task, voltages that
were measured); one that fails as well stops the run, as before, and both reasons are in the record (decision 226).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fat.degg.schedule.beside import OURS
from scheduler import Plan, Task

PAUSE_S: Final = 60.0
"""Of the bench's time: a mainboard that has lost its power starts meanwhile."""


def errors_once_more(plan: Plan) -> Plan:
    """The plan with a second attempt for each task of ours that says nothing about attempts."""
    return replace(plan, tasks=tuple(map(_once_more, plan.tasks)))


def _once_more(task: Task) -> Task:
    if not task.call.startswith(OURS) or task.always or task.retries:
        return task
    pause_s = task.retry_pause_s or (PAUSE_S if task.timed else 0.0)
    return replace(task, retries=1, retry_pause_s=pause_s)
