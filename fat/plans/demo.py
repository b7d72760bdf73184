"""The demonstration: darks, characterisation, injection, a corrected illuminated run, a control unit, a report."""

from __future__ import annotations

from typing import Any, Final

from fat.bench.file import BenchFile
from scheduler import Plan, Task

TRAIN_PERIOD_NS: Final = 100_000_000

CHECKS: Final = ("fat.tasks.checks:bench_alive", "fat.tasks.checks:pipeline_healthy")


def build(file: BenchFile, first_run: int) -> Plan:
    """The plan for a bench file; raw runs are numbered from *first_run*."""
    darks = [
        Task(
            id=f"dark_{gain}",
            title=f"Dark run, {gain} gain",
            call="fat.tasks.darks:record_dark",
            arguments={"gain": gain, "run": first_run + index},
            backup=gain == "low",
        )
        for index, gain in enumerate(("high", "medium", "low"))
    ]
    tasks = (
        Task(id="connectivity", title="Connectivity check", call="fat.tasks.checks:connectivity"),
        Task(id="status", title="Status check", call="fat.tasks.checks:status"),
        *darks,
        Task(
            id="characterise",
            title="Characterisation of the darks",
            call="fat.tasks.constants:characterise",
            backup=True,
        ),
        Task(id="inject", title="Injection of the constants", call="fat.tasks.constants:inject", backup=True),
        Task(
            id="light",
            title="Illuminated run, corrected online",
            call="fat.tasks.light:record_and_correct",
            arguments={"run": first_run + 3},
        ),
        Task(id="images", title="Check of the corrected images", call="fat.tasks.images:check", backup=True),
        Task(id="dcu", title="Control unit acquisition", call="fat.tasks.control_unit:acquire"),
        Task(id="report", title="Report", call="fat.tasks.report:write", backup=True),
        Task(id="lights_off", title="Trains off", call="fat.tasks.checks:trains_off", always=True),
    )
    return Plan(name="demo", tasks=tasks, checks=CHECKS, parameters=parameters(file, first_run))


def parameters(file: BenchFile, first_run: int) -> dict[str, Any]:
    """What every task of the plan is told, as JSON."""
    table = file.fat
    pipeline = file.pipeline
    return {
        "bench": file.bench.name,
        "bench_text": file.text,
        "seed": file.bench.seed,
        "detector_device": table.detector,
        "detector": pipeline.detector,
        "modules": list(pipeline.modules),
        "memory_cells": pipeline.memory_cells,
        "proposal_folder": f"{pipeline.instrument}/{pipeline.cycle}/p{pipeline.proposal:06d}",
        "proposal": pipeline.proposal,
        "runs": {"high": first_run, "medium": first_run + 1, "low": first_run + 2, "light": first_run + 3},
        "dark_trains": table.dark.trains,
        "light_trains": table.light.trains,
        "illumination": table.light.illumination,
        "dcu": {"images": table.dcu.images, "frame_time_s": table.dcu.frame_time_s},
        "limits": table.limits,
        "conditions": {"acquisition_rate_mhz": 1.1, **pipeline.conditions.given},
    }
