"""An acceptance test of optical modules as the plan of a bench: set up, measure, leave safe.

`stellwerk fat run BENCH.toml` with `[fat] plan = "degg"` does in one go what a shifter does with a command for each
step (setup, configs, create-ini, master). The schedules are the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fat.bench.file import BenchFile
from fat.config import DeggTable
from fat.degg.provenance import provenance_of
from fat.degg.records.numbering import next_run_number, spelled
from fat.degg.schedule.build import sections
from fat.degg.schedule.once_more import errors_once_more
from fat.degg.schedule.section import Section
from fat.degg.schedule.short import short_sections
from scheduler import Plan, Task
from scheduler.schedule.reading import with_declarations
from scheduler.schedule.schedule import Schedule

CHECKS: Final = ("fat.degg.tasks.instruments:bench_well",)
LEAVE_SAFE: Final = Task("leave_safe", "leave_safe", "fat.degg.tasks.safety:leave_safe", always=True)


def build(file: BenchFile) -> Plan:
    """The plan for a bench file. Raises ScheduleRejected for an order that a task's conditions forbid."""
    run_dir = file.data_dir / "json"
    run_file = run_dir / "run" / f"run_{spelled(next_run_number(run_dir))}.json"
    tasks = (
        Task("prepare", "Set up, and the run's files", "fat.degg.tasks.prepare:prepare", backup=True),
        *(task_of(section) for section in _sections(file.fat.degg)),
        LEAVE_SAFE,
    )
    parameters = {
        "bench": file.bench.name,
        "bench_text": file.text,
        "seed": file.bench.seed,
        "run_file": str(run_file),
        "provenance": provenance_of(run_file, file.text.encode()),
    }
    plan = with_declarations(Schedule(Plan("degg", tasks, CHECKS, parameters), str(file.path))).plan
    return errors_once_more(plan)


def _sections(table: DeggTable) -> tuple[Section, ...]:
    fewer = table.events == "fewer"
    if table.schedule == "short":
        return short_sections(fewer_events=fewer)
    return sections(no_hv=table.schedule == "full_no_hv", fewer_events=fewer)


def task_of(section: Section) -> Task:
    """A section as a task; an answer that nobody gives is not asked for in a plan that runs by itself."""
    step = section.step
    return Task(
        id=section.title,
        title=section.title,
        call=f"{section.package}:{step.task}",
        arguments=dict(step.arguments),
        backup=step.backup,
    )


def safe_at_the_end(plan: Plan) -> Plan:
    """A plan that also leaves everything safe, however it ends."""
    return replace(plan, tasks=(*plan.tasks, LEAVE_SAFE))
