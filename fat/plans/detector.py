"""The acceptance test of a detector: of XTDF modules, of a control unit, or of both, as the bench has them."""

from __future__ import annotations

from typing import Any, Final

from fat.bench.file import BenchFile
from fat.errors import BenchFileRejected
from fat.plans.raw_runs import first_raw_run
from scheduler import Plan, Task

GAINS: Final = ("high", "medium", "low")
TASKS: Final = "fat.detector.tasks"
RECORD: Final = f"{TASKS}.recording:record"


def build(file: BenchFile) -> Plan:
    """The plan for a bench file. Raises BenchFileRejected."""
    modules, unit = has_modules(file), file.fat.dcu.device in file.sim.devices
    if not modules and not unit:
        raise BenchFileRejected(
            file.path,
            [
                f"{file.path}: the plan detector needs modules (a device {file.fat.detector!r} and a table [pipeline]) "
                f"or a control unit (a device {file.fat.dcu.device!r})"
            ],
        )
    runs = Runs(first_raw_run(file) if modules else 0)
    told: dict[str, Any] = {"modules": []}
    tasks = [_task("connectivity", "Connectivity and state", "checks:connectivity")]
    if modules:
        tasks += _module_tasks(file, runs)
        told = _module_parameters(file, runs)
    if unit:
        tasks += [
            _task("dcu_flat", "Control unit: dark, flat field, bad pixels", "counting:flat_and_dark"),
            _task("dcu_thresholds", "Control unit: thresholds", "counting:thresholds"),
            _task("dcu_rate", "Control unit: count rate", "counting:count_rate"),
            _task("dcu_stream", "Control unit: lost images and latency", "stream:measure"),
        ]
    tasks.append(Task(id="report", title="Report", call="fat.tasks.report:write", backup=True))
    checks = ["fat.tasks.checks:bench_alive"]
    if modules:
        tasks.append(
            Task(id="lights_off", title="Trains off", call="fat.tasks.checks:trains_off", always=True)
        )
        checks.append("fat.tasks.checks:pipeline_healthy")
    common = {
        "bench": file.bench.name,
        "bench_text": file.text,
        "seed": file.bench.seed,
        "limits": file.fat.limits,
        "dcu": file.fat.dcu.model_dump(mode="json") if unit else None,
    }
    return Plan(name="detector", tasks=tuple(tasks), checks=tuple(checks), parameters={**common, **told})


def has_modules(file: BenchFile) -> bool:
    """Whether the bench has XTDF modules and a pipeline that takes them in."""
    return file.pipeline is not None and file.fat.detector in file.sim.devices


class Runs:
    """Numbers of raw runs, handed out once each, and remembered by name."""

    def __init__(self, first: int) -> None:
        self._next = first
        self.darks: list[int] = []
        self.gain: dict[str, int] = {}
        self.linearity: list[int] = []

    def next(self) -> int:
        """One more."""
        self._next += 1
        return self._next - 1


def _task(task: str, title: str, call: str, **more: Any) -> Task:
    return Task(id=task, title=title, call=f"{TASKS}.{call}", **more)


def _module_tasks(file: BenchFile, runs: Runs) -> list[Task]:
    """Loss first: a module that does not send is named before its darks are missed."""
    if file.pipeline.type == "LPD" and file.pipeline.conditions.parallel_gain:
        raise BenchFileRejected(
            file.path, [f"{file.path}: the plan detector forces gain stages; switch parallel_gain off"]
        )
    linearity = _linearity(file, runs)
    return [
        _task("rate", "Data loss and latency", "rate:measure"),
        *_darks(file, runs),
        _task("darks", "Noise and bad pixels", "darks:characterise", backup=True),
        Task(
            id="flats", title="Flat fields", call=RECORD, arguments={"steps": _flats(file, runs)}, backup=True
        ),
        _task("gain", "Gain", "gain:measure", backup=True),
        Task(
            id="intensities",
            title="Flat fields of many intensities",
            call=RECORD,
            arguments={"steps": linearity},
            backup=True,
        ),
        _task("linearity", "Linearity", "linearity:measure", arguments={"steps": linearity}, backup=True),
    ]


def _darks(file: BenchFile, runs: Runs) -> list[Task]:
    """A dark run for each gain stage; a DSSC has none, so one."""
    gains = (None,) if file.pipeline.type == "DSSC" else GAINS
    tasks = []
    for gain in gains:
        run = runs.next()
        runs.darks.append(run)
        mode = "adaptive" if gain is None else f"fixed_{gain}"
        step = _step(run, mode, "dark", 1.0, file.fat.dark.trains)
        name = "dark" if gain is None else f"dark_{gain}"
        title = "Dark run" if gain is None else f"Dark run, {gain} gain"
        tasks.append(Task(id=name, title=title, call=RECORD, arguments={"steps": [step]}, backup=True))
    return tasks


def _flats(file: BenchFile, runs: Runs) -> list[dict[str, Any]]:
    table = file.fat.gain
    wanted = [("weak", "adaptive", table.weak), ("moderate_high", "fixed_high", table.moderate)]
    if file.pipeline.type == "DSSC":
        wanted = [(name, "adaptive", light) for name, _, light in wanted]
    else:
        wanted += [
            ("moderate_medium", "fixed_medium", table.moderate),
            ("strong_medium", "fixed_medium", table.strong),
            ("strong_low", "fixed_low", table.strong),
        ]
    steps = []
    for name, mode, light in wanted:
        runs.gain[name] = runs.next()
        steps.append(_step(runs.gain[name], mode, "flat", light, table.trains))
    return steps


def _linearity(file: BenchFile, runs: Runs) -> list[dict[str, Any]]:
    table = file.fat.linearity
    steps = []
    for light in table.transmissions:
        runs.linearity.append(runs.next())
        steps.append(_step(runs.linearity[-1], "adaptive", "flat", light, table.trains))
    return steps


def _step(run: int, gain_mode: str, illumination: str, transmission: float, trains: int) -> dict[str, Any]:
    return {
        "run": run,
        "gain_mode": gain_mode,
        "illumination": illumination,
        "transmission": transmission,
        "trains": trains,
    }


def _module_parameters(file: BenchFile, runs: Runs) -> dict[str, Any]:
    pipeline = file.pipeline
    return {
        "detector_device": file.fat.detector,
        "detector": pipeline.detector,
        "type": pipeline.type,
        "modules": list(pipeline.modules),
        "memory_cells": pipeline.memory_cells,
        "proposal_folder": f"{pipeline.instrument}/{pipeline.cycle}/p{pipeline.proposal:06d}",
        "rate": file.fat.rate.model_dump(mode="json"),
        "dark_runs": runs.darks,
        "gain_runs": runs.gain,
        "runs": {"darks": runs.darks, "gain": runs.gain, "linearity": runs.linearity},
    }
