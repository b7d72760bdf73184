"""Thirty-one self-tests of each mainboard, and what they found (fat.md section 7)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import NO_FOLDER, DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Quantity
from fat.degg.self_tests.catalogue import NAMES, SCALER_SCANS, SET, TESTS
from fat.degg.self_tests.digitiser import SCALER_COUNTS, SCALER_PERIOD_US, scaler_scan
from fat.degg.self_tests.subject import Outcome, Subject, carried_out, record
from fat.degg.station import Module, Station, StationError
from fat.degg.station.data_files import new_folder
from fat.degg.station.event_words import CHANNELS
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import begin_once
from fat.files import write_json_atomically
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

NAME: Final = "STF"
FAILED: Final = "number-of-failed-self-tests"

Records = dict[str, dict[str, Any]]


@declares(needs={"laser": "off"}, lasts_s=600.0)
def measure_stf(context: TaskContext, comment: str, n_jobs: int = 4) -> TaskResult:
    """Carry out the self-tests of all modules; a JSON file for each test of each module.

    comment  for the papers
    n_jobs   wire pairs that work at a time
    """
    run = RunFile.open(context.parameters["run_file"])
    devices = {device.port: device for device in run.devices()}
    keys = {}
    for port, device in devices.items():
        with device.changes() as changes:
            keys[port] = begin_once(context, changes, NAME, comment, Set=SET)
    taking_part = {port: device.serial for port, device in devices.items() if not device.ignored}
    folder = new_folder(run.data_dir, "stf", datetime.now(UTC).date())
    with Station.of(context, taking_part) as station:
        modules = list(station.modules.values())

        def work(module: Module) -> Records:
            pair, address = station.wire_pair_of(module)
            return carried_out(Subject(module, pair, address, devices[module.port].fpga_version), TESTS)

        boards, _ = station.on_each(modules, lambda module: module.temperature(), n_jobs)
        celsius_as_it_begins(context, boards, comment)
        context.progress(0, 2, f"{len(TESTS)} tests of {len(modules)} modules")
        found = station.each(modules, work, n_jobs)
        context.progress(1, 2, "scaler scans")
        for module, records in _scaler_scans(station, modules, n_jobs).items():
            found[module] |= records
    for module, records in found.items():
        _write(folder / module.serial, records)
        counts = Counter(one["outcome"] for one in records.values())
        devices[module.port].complete(None, keys[module.port], folder, **counts)
    return TaskResult(outputs={"folder": str(folder), "modules": len(found), "tests": len(NAMES)})


def _scaler_scans(station: Station, modules: list[Module], jobs: int) -> dict[Module, Records]:
    """Both channels of all modules count at the same time; a module that cannot says so."""
    found: dict[Module, Records] = {}
    baselines, failures = station.on_each(
        modules, lambda module: {channel: module.baseline(channel) for channel in CHANNELS}, jobs
    )
    counts: dict[Module, dict[int, list[int]]] = {m: {channel: [] for channel in CHANNELS} for m in baselines}
    trouble: StationError | None = None
    try:
        for over in SCALER_COUNTS:
            thresholds = {
                module: {channel: ceil(level + over) for channel, level in levels.items()}
                for module, levels in baselines.items()
            }
            scaled = station.count_scalers(
                thresholds, 1, trigger="threshold", period_us=SCALER_PERIOD_US, jobs=jobs
            )
            for module, by_channel in scaled.items():
                for channel, one in by_channel.items():
                    counts[module][channel].append(int(one[0]))
    except StationError as error:
        trouble = error
    for module in modules:
        failure = failures.get(module, trouble)
        if failure is not None and not isinstance(failure, StationError):
            raise failure
        found[module] = {
            name: record(name, None if failure else scaler_scan(counts[module][channel]), failure)
            for channel, name in zip(CHANNELS, SCALER_SCANS, strict=True)
        }
    return found


def _write(folder: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    for name, one in records.items():
        write_json_atomically(folder / f"{name}.json", one)


def stf_ana(context: TaskContext) -> TaskResult:
    """Judge the newest self-tests: a module is good when all pass."""
    quantities = []
    for device in RunFile.open(context.parameters["run_file"]).devices():
        if device.ignored:
            continue
        outcomes = outcomes_of(device)
        bad = {name: outcome for name, outcome in outcomes.items() if outcome is not Outcome.PASS}
        named = ", ".join(
            name if outcome is Outcome.FAIL else f"{name} ({outcome})" for name, outcome in bad.items()
        )
        about = "self-tests that did not pass" + (f": {named}" if bad else "")
        value = float(len(bad)) if outcomes else float("nan")
        quantities.append(
            Quantity(device.serial, "", "electronic-response", FAILED, value, "1", about, goalposts=(FAILED,))
        )
        if bad:
            context.notify(f"Self-tests: {device.serial}: {named}", severity="warning")
    return conclude(context, quantities)


def outcomes_of(device: DeviceFile) -> dict[str, Outcome]:
    """Outcome of each test of a module's newest self-tests, a missing one as ERROR; nothing without any."""
    latest = device.latest(None, NAME)
    if latest is None or latest[1].get("Folder", NO_FOLDER) == NO_FOLDER:
        return {}
    folder = Path(latest[1]["Folder"]) / device.serial
    return {name: _outcome(folder / f"{name}.json") for name in NAMES}


def _outcome(path: Path) -> Outcome:
    try:
        return Outcome(json.loads(path.read_text(encoding="utf-8"))["outcome"])
    except (OSError, ValueError, KeyError, TypeError):
        return Outcome.ERROR
