"""Quick monitoring: currents, rails, high voltages, pressure, temperature, baselines and dark rates of all modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.dark_rate import DarkRate
from fat.degg.analyses.high_voltage import Readings, readings
from fat.degg.analyses.monitoring import TEMPERATURE, board_faults
from fat.degg.station.data_files import new_folder, write
from fat.degg.station.module import CHANNELS, PMT_NAMES, Module
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.monitoring_rates import alarms, draw_trends, rates_now
from fat.degg.tasks.pacing import LONGEST_MIN, let_pass
from fat.degg.tasks.papers import begin_once
from fat.degg.tasks.photomultipliers import READS, Photomultipliers, Pmt, read_back
from scheduler import TaskContext, TaskResult, declares
from scheduler.notify.notice import Severity

NAME: Final = "OnlineMon"
BOX: Final = "BoxTemperature"
"""Of the entry: air of the box, C; `Temperature` is that of the mainboard."""
REPEATS: Final = 3
WORK_S: Final = 3600.0
"""Wall time that it may take beside what it waits for."""


@dataclass(frozen=True, slots=True, eq=False)
class Quick:
    """What was read of one module."""

    slow: Mapping[int, float]
    """Channels of the slow ADC, each the mean of some reads."""
    volts: Mapping[int, NDArray[np.float64]]
    """Reads (n) of the high voltages, by channel."""
    pressure_hpa: float
    baselines: Mapping[int, float]
    """Counts, by channel."""
    reads: Mapping[int, Readings]
    """Of the high voltages, by channel."""


@declares(timeout_s=LONGEST_MIN * 60.0 + WORK_S)
def online_mon(
    context: TaskContext, comment: str, n_jobs: int = 4, repeats: int = REPEATS, minutes: float = 0.0
) -> TaskResult:
    """Read everything that is read fast; tell people whether all is well.

    comment  what the freezer does: `moving`, `very_cold0`, …
    repeats  of what the slow ADC reads
    minutes  of the bench's time that are let pass first: a move of the freezer is looked at in even steps, and lasts as
             long as it must where fewer events take less time than it needs (`fat.degg.schedule.economy`)

    Raises UsageError for minutes that are negative, or more than three hours.
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        let_pass(context, lab.station, minutes)
        found = lab.station.each(lab.modules, lambda module: _look(module, repeats), lab.jobs)
        boards = {module: quick.slow[TEMPERATURE] for module, quick in found.items()}
        celsius = box_celsius(context, boards)
        reads = {pmt: found[pmt.module].reads[pmt.channel] for pmt in lab.all}
        on = [pmt for pmt in lab.all if reads[pmt].on]
        rates = rates_now(lab, on)
        faults = _faults(found, reads, on) + alarms(rates, celsius)
        folder = _write(lab, found, rates, context.task_id, comment)
        _into_papers(lab, found, rates, celsius, folder, comment)
        draw_trends(context, boards, rates)
        lab.warn(f"Quick monitoring ({comment}): FAILED", faults)
        if not faults:
            state = f"{len(found)} modules, {len(on)} high voltages on, {celsius:.0f} C"
            context.notify(f"Quick monitoring ({comment}): OK, {state}", severity=Severity.MESSAGE)
        return TaskResult(
            outputs={"faults": faults, "on": len(on), "box_c": round(celsius, 2), "folder": str(folder)}
        )


def _look(module: Module, repeats: int) -> Quick:
    slow = [module.slow_adc_all() for _ in range(repeats)]
    volts = read_back(module, CHANNELS, READS * repeats)
    return Quick(
        {channel: float(np.mean([one[channel] for one in slow])) for channel in slow[0]},
        volts,
        module.pressure(),
        {channel: module.baseline(channel) for channel in CHANNELS},
        {channel: readings(values) for channel, values in volts.items()},
    )


def _faults(found: Mapping[Module, Quick], reads: Mapping[Pmt, Readings], on: Sequence[Pmt]) -> list[str]:
    """A sentence for each fault. A high voltage that is off is one while others are on."""
    told = [
        f"{module.name}: {fault}" for module, quick in found.items() for fault in board_faults(quick.slow)
    ]
    for pmt, read in reads.items():
        if on:
            told += [f"{pmt.name}: {fault}" for fault in read.faults(pmt.entry.hv_1e7)]
    return told


def _write(
    lab: Photomultipliers,
    found: Mapping[Module, Quick],
    rates: Mapping[Pmt, DarkRate],
    task: str,
    comment: str,
) -> Path:
    folder = new_folder(lab.run.data_dir, "monitoring", datetime.now(UTC).date())
    rows = list(found.values())
    arrays = {
        "port": np.array([module.port for module in found]),
        "slow_adc": np.array([[quick.slow[channel] for channel in sorted(quick.slow)] for quick in rows]),
        "volts": np.array([[quick.volts[channel] for channel in CHANNELS] for quick in rows]),
        "pressure_hpa": np.array([quick.pressure_hpa for quick in rows]),
        "baseline": np.array([[quick.baselines[channel] for channel in CHANNELS] for quick in rows]),
        "rate_port": np.array([pmt.device.port for pmt in rates]),
        "rate_channel": np.array([pmt.channel for pmt in rates]),
        "rate_hz": np.array([rate.rate_hz for rate in rates.values()]),
    }
    write(folder / "quick.hdf5", arrays, {"task": task, "comment": comment})
    return folder


def _into_papers(
    lab: Photomultipliers,
    found: Mapping[Module, Quick],
    rates: Mapping[Pmt, DarkRate],
    celsius: float,
    folder: Path,
    comment: str,
) -> None:
    by_port: dict[int, dict[str, float]] = {}
    for pmt, rate in rates.items():
        by_port.setdefault(pmt.device.port, {})[pmt.part] = round(rate.rate_hz, 1)
    for device in lab.devices:
        if device.ignored:
            continue
        quick = found[lab.station.modules[device.port]]
        values: dict[str, Any] = {
            "Temperature": round(quick.slow[TEMPERATURE], 2),
            BOX: round(celsius, 2),
            "Pressure": round(quick.pressure_hpa, 1),
            "HV": {PMT_NAMES[channel]: round(quick.reads[channel].mean, 1) for channel in CHANNELS},
            "HVSpread": {PMT_NAMES[channel]: round(quick.reads[channel].std, 2) for channel in CHANNELS},
            "DarkRate": by_port.get(device.port, {}),
        }
        with device.changes() as changes:
            key = begin_once(lab.context, changes, NAME, comment)
            changes.complete(None, key, folder, **values)
