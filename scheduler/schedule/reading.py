"""Read a schedule of any form, and check all that can be known before its first task."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from scheduler.calling import calls_of
from scheduler.declared import ARRANGED_BY, completed
from scheduler.errors import PlanRejected, ScheduleRejected
from scheduler.order import misplaced
from scheduler.plan import CALL, Plan, forbidden
from scheduler.schedule.asking import ask
from scheduler.schedule.durations import spoken
from scheduler.schedule.forecast import Forecast
from scheduler.schedule.ini_form import read_ini
from scheduler.schedule.schedule import Schedule
from scheduler.schedule.toml_form import read_toml

INI_SUFFIXES = (".ini", ".cfg")


def read_schedule(source: str) -> Schedule:
    """Read `NAME.toml`, `NAME.ini`, or what `module:function` returns; functions tell more of their tasks.

    Raises ScheduleRejected.
    """
    return with_declarations(_read(source))


def _read(source: str) -> Schedule:
    path = Path(source)
    if path.suffix == ".toml":
        return read_toml(path)
    if path.suffix in INI_SUFFIXES:
        return read_ini(path)
    if CALL.fullmatch(source):
        try:
            return Schedule(Plan.from_json(ask({"plan": source})), source)
        except PlanRejected as error:
            raise ScheduleRejected([str(error)]) from None
    raise ScheduleRejected([f"{source}: a schedule is a .toml file, an .ini file, or module:function"])


def with_declarations(schedule: Schedule) -> Schedule:
    """The schedule with what its functions say of themselves, and arranged as they want it.

    Raises ScheduleRejected for an order that they forbid.
    """
    plan = schedule.plan
    said = ask({"declared": sorted({task.call for task in plan.tasks})})
    if not said:
        return schedule
    tasks = tuple(completed(task, said.get(task.call, {})) for task in plan.tasks)
    wrong = (*misplaced(tasks, plan.resources), *forbidden(tasks, plan.begins))
    broken = [f"{schedule.place(task)}: {task}: {reason}" for task, reason in wrong]
    if broken:
        raise ScheduleRejected(broken)
    plan = replace(plan, tasks=tasks)
    for call in sorted({told[ARRANGED_BY] for told in said.values() if ARRANGED_BY in told}):
        plan = Plan.from_json(ask({"arrange": call, "given": plan.to_json()}))
    return replace(schedule, plan=plan)


def check_functions(schedule: Schedule) -> None:
    """Raise ScheduleRejected unless every function is there and takes its arguments. Imports them in a child."""
    wrong = ask({"calls": calls_of(schedule.plan)})
    if wrong:
        raise ScheduleRejected([f"{schedule.place(name)}: {reason}" for name, reason in wrong.items()])


def check_end(schedule: Schedule, forecast: Forecast, begin: datetime) -> None:
    """Raise ScheduleRejected when the forecast ends after the schedule must have ended."""
    if schedule.latest_end is None:
        return
    end = begin + timedelta(seconds=forecast.lasts_s)
    late_s = (end - schedule.latest_end).total_seconds()
    if late_s > 0:
        raise ScheduleRejected(
            [
                f"{schedule.source}: begun {begin:%Y-%m-%d %H:%M} it would end {end:%Y-%m-%d %H:%M}, "
                f"{spoken(late_s)} after its latest_end; begin earlier, leave tasks out, or give it more time"
            ]
        )
