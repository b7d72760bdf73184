"""A run of optical modules that has ended, made without instruments: journal, run and device files, found results."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from fat.degg.records import DeviceFile, RunFile
from fat.degg.records.catalogue import device_body
from fat.degg.records.locked_json import write_json
from fat.degg.results import Graph, Quantity, conclude
from scheduler import Plan, Task, create_run
from scheduler.journal import Journal

TASKS = (
    "measure_gain_0",
    "analysis_wrapper_0",
    "measure_scaler_0",
    "trigger_remote_wrapper_darkrate_0",
    "status_check_0",
)
PROVENANCE = {
    "source": "0123456789abcdef0123456789abcdef01234567",
    "uncommitted": [],
    "versions": {"python": "3.11.7", "numpy": "2.3.0"},
    "operator": "ada",
    "config_sha256": "c" * 64,
    "goalposts_sha256": "d" * 64,
    "constants_sha256": "e" * 64,
}


def ended_run(
    root: Path, modules: int, *, noisy: int | None = None, tasks: int = 5, monitorings: int = 0
) -> Path:
    """The engine's run folder. The upper photomultiplier of module number *noisy* has a high dark rate.

    tasks        so many of them have run
    monitorings  so many more have run after them; one of the noisy module misses its goalpost"""
    more = tuple(f"detailed_monitoring_{number}" for number in range(monitorings))
    names = (*TASKS, *more)
    devices = {}
    for number in range(modules):
        serial = f"DEgg2021-3-{100 + number}"
        pmts = {
            part: {"SerialNumber": f"SQ{600 + 2 * number + i:04d}"}
            for i, part in enumerate(("LowerPmt", "UpperPmt"))
        }
        plate = {"DEggSerialNumber": serial, "MainboardNumber": f"4.1-{number:03d}", **pmts}
        told = {
            "Port": 5000 + number,
            "ICMID": f"a40000{number:010x}",
            "fpgaVersion": 272,
            "IcebootVersion": 62,
        }
        body = device_body(plate, **told)
        devices[serial] = root / "json" / "run_00001" / f"{serial}.json"
        write_json(devices[serial], body)
    run = RunFile.create(root / "json", "cold batch 7", date(2026, 3, 1), devices)
    told = {
        "run_file": str(run.path),
        "provenance": {**PROVENANCE, "run_file": str(run.path)},
        "verbose": True,
    }
    plan = Plan(
        "FAT Master Script", tuple(Task(name, name, "builtins:print") for name in names), parameters=told
    )
    run_dir = create_run(root / "fat", plan)
    with Journal(run_dir) as journal:
        started = {
            "attempt": 1,
            "host": "bench",
            "pid": 1,
            "version": "0.1.0",
            "resumed": False,
        }
        journal.append("run_started", {**started, "backup_to": []}, 0)
        for number, name in enumerate((*TASKS[:tasks], *more)):
            outputs = _found(run_dir, run, name, noisy)
            verdict = "FAIL" if any(m["verdict"] == "FAIL" for m in outputs["measurements"]) else "PASS"
            journal.append("task_started", {"task": name, "attempt": 1}, number * 3600 * 10**9)
            ended = {
                "task": name,
                "attempt": 1,
                "verdict": verdict,
                "outputs": outputs,
                "wall_s": 4.0 + number,
            }
            if name == "status_check_0":
                warning = {
                    "by": name,
                    "severity": "warning",
                    "text": "DEgg2021-3-100 has FPGA version 6, flashed again",
                }
                journal.append("notification", {"task": name, "picture": "", "title": "", **warning}, 0)
            journal.append("task_finished", ended, (number + 1) * 3600 * 10**9)
        if tasks == len(TASKS):
            journal.append("run_finished", {"verdict": "PASS" if noisy is None else "FAIL"}, 5 * 3600 * 10**9)
    return run_dir


def _found(run_dir: Path, run: RunFile, task: str, noisy: int | None) -> dict[str, Any]:
    context: Any = SimpleNamespace(
        run_dir=run_dir, task_id=task, title=task, parameters={"run_file": str(run.path)}
    )
    quantities, graphs = [], []
    for number, device in enumerate(run.devices()):
        for channel, part in enumerate(("LowerPmt", "UpperPmt")):
            if task == "analysis_wrapper_0":
                quantities.append(_voltage(device, part, number))
                graphs += _gain_graphs(device, part, number, channel)
            if task == "trigger_remote_wrapper_darkrate_0":
                rate = 9000.0 if number == noisy and channel == 1 else 1700.0 + 20 * number
                quantities.append(_rate(device, part, rate))
            if task.startswith("detailed_monitoring"):
                times = int(task.rsplit("_", 1)[1])
                missed = times == 1 and number == noisy and channel == 1
                spread = 0.07 if missed else 0.01 + 0.001 * (times % 7)
                quantities.append(_peak_spread(device, part, spread))
                graphs.append(_peaks(device, part, times))
            if task in ("measure_gain_0", "measure_scaler_0"):
                name = {"measure_gain_0": "GainMeasurement", "measure_scaler_0": "DarkrateScalerMeasurement"}[
                    task
                ]
                device.complete(channel, device.begin(channel, name, "cold"), run_dir)
    return dict(conclude(context, quantities, graphs=graphs).outputs)


def _voltage(device: DeviceFile, part: str, number: int) -> Quantity:
    return Quantity(
        device.serial, part, "gain", "hv-at-1e7-gain", 1300.0 + 9 * number, "V", "high voltage of a gain of 1e7", -40.0,
        ("hv-at-1e7-gain",),
    )  # fmt: skip


def _rate(device: DeviceFile, part: str, rate: float) -> Quantity:
    names = ("average-darknoise-at-freezing-temp", "average-darknoise-at-freezing-temp-red")
    return Quantity(device.serial, part, "darknoise", "dark-rate", rate, "Hz", "dark rate", -40.0, names)


def _peak_spread(device: DeviceFile, part: str, spread: float) -> Quantity:
    names = ("monitoring-spe-peak-pos-std", "monitoring-spe-peak-pos-std-red")
    return Quantity(
        device.serial, part, "monitoring", "peak-spread", spread, "1", "spread of the peak", -40.0, names
    )


def _peaks(device: DeviceFile, part: str, times: int) -> Graph:
    taken = np.arange(times + 2.0)
    return Graph(
        device.serial, part, "monitoring", "monitoring-spe-peaks", "Peak in monitoring", "monitoring", "peak / pC",
        taken, 1.6 + 0.01 * taken % 3, temperature_c=-40.0,
    )  # fmt: skip


def _gain_graphs(device: DeviceFile, part: str, number: int, channel: int) -> list[Graph]:
    draw = np.random.default_rng(2 * number + channel)
    volts = np.linspace(1250.0, 1450.0, 6)
    v0, k = 1300.0 + 9 * number, 7.0
    dense = np.linspace(1240.0, 1460.0, 40)
    gain = 1e7 * (volts / v0) ** k * draw.normal(1.0, 0.01, 6)
    edges = np.linspace(0.0, 4.0, 81)
    centres = 0.5 * (edges[1:] + edges[:-1])
    peak = 900.0 * np.exp(-0.5 * ((centres - 1.6) / 0.5) ** 2)
    counts = draw.poisson(peak + 400.0 * np.exp(-centres / 0.3))
    common = (device.serial, part)
    return [
        Graph(*common, "gain", "gain-curve", "Gain against high voltage", "high voltage / V", "gain", volts, gain,
              y_error=0.02 * gain, curves={"power law": (dense, 1e7 * (dense / v0) ** k)}, x_scale="log", y_scale="log",
              text=f"1e7 at {v0:.0f} V", temperature_c=-40.0),
        Graph(*common, "charge", "spe-spectrum", "Charge of single photoelectrons", "charge / pC", "pulses", edges,
              counts, "steps", curves={"fit": (centres[15:], peak[15:])}, text="peak 1.602 pC", temperature_c=-40.0),
    ]  # fmt: skip
