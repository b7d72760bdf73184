"""The demonstration: darks, characterisation, injection, a corrected illuminated run, a control unit, a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fat.bench.file import BenchFile
from fat.plans.raw_runs import first_raw_run
from scheduler import Plan, Task

TRAIN_PERIOD_NS: Final = 100_000_000
RECORD_DARK: Final = "fat.tasks.darks:record_dark"
GAINS: Final = ("high", "medium", "low")
PRELOAD: Final = (
    "numpy",
    "h5py",
    "httpx",
    "httpcore",
    "encodings.idna",
    "fat.tasks.surroundings",
    "fat.tasks.acquisition",
    "pipeline.constants",
)
CHECKS: Final = ("fat.tasks.checks:bench_alive", "fat.tasks.checks:pipeline_healthy")


def build(file: BenchFile) -> Plan:
    """The plan for a bench file. Raises UsageError for one without a pipeline."""
    first_run = first_raw_run(file)
    runs = dark_runs(file, first_run)
    light_run = max(runs.values()) + 1
    if runs["high"] == max(runs.values()):
        arguments = {"gain": None, "run": first_run}
        darks = [Task(id="dark", title="Dark run", call=RECORD_DARK, arguments=arguments, backup=True)]
    else:
        darks = [
            Task(
                id=f"dark_{gain}",
                title=f"Dark run, {gain} gain",
                call=RECORD_DARK,
                arguments={"gain": gain, "run": run},
                backup=gain == "low",
            )
            for gain, run in runs.items()
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
            arguments={"run": light_run},
        ),
        Task(id="images", title="Check of the corrected images", call="fat.tasks.images:check", backup=True),
        Task(id="dcu", title="Control unit acquisition", call="fat.tasks.control_unit:acquire"),
        Task(id="report", title="Report", call="fat.tasks.report:write", backup=True),
        Task(id="lights_off", title="Trains off", call="fat.tasks.checks:trains_off", always=True),
    )
    told = parameters(file, {**runs, "light": light_run})
    return Plan(name="demo", tasks=tasks, checks=CHECKS, parameters=told)


def dark_runs(file: BenchFile, first_run: int) -> dict[str, int]:
    """The dark run of each gain stage: three runs, but one for an LPD in parallel gain, which shows all stages in it.

    A DSSC has no stages; its one run stands under "high".
    """
    pipeline = file.pipeline
    if pipeline.type == "DSSC":
        return {"high": first_run}
    if pipeline.type == "LPD" and pipeline.conditions.parallel_gain:
        return dict.fromkeys(GAINS, first_run)
    return {gain: first_run + index for index, gain in enumerate(GAINS)}


def parameters(file: BenchFile, runs: Mapping[str, int]) -> dict[str, Any]:
    """What every task of the plan is told, as JSON.

    runs  run numbers by gain stage, and of the illuminated run under "light"
    """
    table = file.fat
    pipeline = file.pipeline
    usual = {} if pipeline.type == "LPD" else {"acquisition_rate_mhz": 1.1}
    return {
        "bench": file.bench.name,
        "bench_text": file.text,
        "seed": file.bench.seed,
        "detector_device": table.detector,
        "detector": pipeline.detector,
        "type": pipeline.type,
        "modules": list(pipeline.modules),
        "memory_cells": pipeline.memory_cells,
        "proposal_folder": f"{pipeline.instrument}/{pipeline.cycle}/p{pipeline.proposal:06d}",
        "proposal": pipeline.proposal,
        "runs": dict(runs),
        "dark_trains": table.dark.trains,
        "light_trains": table.light.trains,
        "illumination": table.light.illumination,
        "dcu": {"images": table.dcu.images, "frame_time_s": table.dcu.frame_time_s},
        "limits": table.limits,
        "conditions": {**usual, **pipeline.conditions.given},
    }
