"""Tasks of a short acceptance test, cheap enough for the suite; the master run finds them by PYTHONPATH."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np

from fat.degg.records import RunFile, data_folder
from fat.degg.results import Graph, Quantity, conclude
from fat.degg.station.station import Station
from scheduler import TaskContext, TaskResult


def measure_gain(context: TaskContext, comment: str, n_jobs: int = 4) -> TaskResult:
    """Ask each module for a high voltage, and tell of it as a measurement of the gain does."""
    run = RunFile.open(context.parameters["run_file"])
    devices = {device.port: device for device in run.devices()}
    folder = data_folder(run.data_dir, "gain", date(2026, 1, 1))
    quantities, graphs = [], []
    with Station.of(context, {port: device.serial for port, device in devices.items()}) as station:
        volts = station.each(
            list(station.modules.values()), lambda m: [m.slow_adc(channel) for channel in (8, 10)], n_jobs
        )
    for module, both in volts.items():
        for channel, value in enumerate(both):
            device = devices[module.port]
            key = device.begin(channel, "GainMeasurement", comment)
            device.complete(channel, key, folder, HV1e7Gain=1400.0 + value)
            part = device.pmt(channel).part
            device.set(channel, HV1e7Gain=1400.0 + value)
            quantities.append(
                Quantity(device.serial, part, "gain", "hv-at-1e7-gain", 1400.0 + value, "V", "HV at a gain of 1e7",
                         20.0, ("hv-at-1e7-gain",))
            )  # fmt: skip
            x = np.linspace(1300, 1500, 5)
            graphs.append(
                Graph(
                    device.serial,
                    part,
                    "gain",
                    "gain-curve",
                    "Gain",
                    "high voltage / V",
                    "gain",
                    x,
                    (x / 1400) ** 7,
                )
            )
    return conclude(context, quantities, graphs=graphs, support=[folder])


def lingers(context: TaskContext, here: str) -> None:
    """The first time, say at a named pipe that it has begun, and wait for the end."""
    if context.attempt == 1:
        Path(here).write_text("begun\n")
        while True:
            os.read(os.pipe()[0], 1)


def passes(context: TaskContext) -> None:
    """Nothing to do."""
