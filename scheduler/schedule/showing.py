"""A plan in its time as a table for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.order import ALL
from scheduler.schedule.durations import spoken
from scheduler.schedule.forecast import Expected, Forecast
from scheduler.schedule.schedule import Schedule

if TYPE_CHECKING:
    from rich.table import Table

MANY = 60
"""More tasks than this are shown as one row for each function."""


def as_json(schedule: Schedule, forecast: Forecast, begin: datetime) -> dict[str, Any]:
    """Plan and forecast for programs."""
    return {
        **schedule.plan.to_json(),
        "source": schedule.source,
        "begin": begin.isoformat(),
        "end": (begin + timedelta(seconds=forecast.lasts_s)).isoformat(),
        "expected": [
            {"id": e.task.id, "begins_s": e.begins_s, "lasts_s": e.lasts_s, "known": e.known}
            for e in forecast.tasks
        ],
    }


def table(forecast: Forecast, begin: datetime) -> Table:
    """A row for each task; of long plans, a row for each function."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    if len(forecast.tasks) > MANY:
        for heading in ("function", "times", "first", "together", ""):
            shown.add_column(heading, justify="left" if heading in ("function", "") else "right")
        for row in _by_function(forecast, begin):
            shown.add_row(*row)
        return shown
    for heading in ("", "task", "title", "begins", "lasts", ""):
        shown.add_column(heading, justify="right" if heading in ("begins", "lasts") else "left")
    for number, expected in enumerate(forecast.tasks):
        moment = begin + timedelta(seconds=expected.begins_s)
        lasts = "?" if expected.known == "nothing" else spoken(expected.lasts_s)
        task = expected.task
        shown.add_row(f"[{number}]", task.id, task.title, f"{moment:%a %H:%M}", lasts, marks(expected))
    return shown


def marks(expected: Expected) -> str:
    """What else there is to say of a task."""
    task = expected.task
    words = []
    if expected.known == "earlier runs":
        words.append("length from earlier runs")
    words += [f"needs {name} {value}" for name, value in task.needs.items()]
    words += [f"leaves {name} {value}" for name, value in task.leaves.items()]
    words += ["beside others"] * task.beside + ["takes no part in time"] * (not task.timed)
    words += [f"after {'all' if name == ALL else name}" for name in task.after]
    words += [f"uses {number} {name}" for name, number in task.uses.items()]
    words += ["backup afterwards"] * task.backup + ["always runs"] * task.always
    return ", ".join(words)


def summary(schedule: Schedule, forecast: Forecast, begin: datetime) -> str:
    """One sentence on the whole."""
    end = begin + timedelta(seconds=forecast.lasts_s)
    unknown = f"; of {forecast.unknown} tasks nobody knows the length" if forecast.unknown else ""
    beside = [expected for expected in forecast.tasks if expected.task.beside]
    together = spoken(sum(expected.lasts_s for expected in beside))
    thereof = f"; {len(beside)} of them, {together}, beside others" if beside else ""
    return (
        f"{schedule.plan.name}: {len(forecast.tasks)} tasks, {spoken(forecast.lasts_s)}, "
        f"from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}{thereof}{unknown}"
    )


def _beside(group: Sequence[Expected]) -> str:
    """How many of them run beside others."""
    beside = sum(expected.task.beside for expected in group)
    return "" if beside == 0 else "beside others" if beside == len(group) else f"{beside} beside others"


def _by_function(forecast: Forecast, begin: datetime) -> list[tuple[str, ...]]:
    groups: dict[str, list[Expected]] = {}
    for expected in forecast.tasks:
        groups.setdefault(expected.task.call, []).append(expected)
    return [
        (
            call.rpartition(":")[2],
            str(len(group)),
            f"{begin + timedelta(seconds=group[0].begins_s):%a %H:%M}",
            spoken(sum(expected.lasts_s for expected in group)),
            _beside(group),
        )
        for call, group in groups.items()
    ]
