"""Housekeeping between measurements: lights off, waiting, power cycles, the freezer, status checks."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from fat.degg.station.board import SLOW_ADC
from fat.degg.station.errors import ModuleRefused
from fat.degg.station.module import Module
from fat.degg.station.needed import SURROUNDINGS, Instrument, needs_instruments
from fat.degg.station.station import Station
from fat.degg.tasks import firmware
from fat.degg.tasks.boots import bootmon
from fat.degg.tasks.freezer_change import dummy_wrapper
from fat.degg.tasks.status import devices_of, modules_well, status_check
from fat.degg.tasks.surroundings_log import log_surroundings, moment
from fat.errors import UsageError
from scheduler import TaskContext, TaskResult, declares

__all__ = [
    "bootmon",
    "disable_all_lights",
    "disable_laser",
    "dummy_wrapper",
    "high_voltage_off",
    "modules_well",
    "readout_and_reboot",
    "status_check",
    "wait_time",
]

LONGEST_S: Final = 7 * 86_400.0
"""A task whose length is an argument may take so long."""
LOG_PERIOD_S: Final = 600.0
"""The laboratory records its temperatures every ten minutes."""
SENSORS: Final = ("pressure / hPa", "field x / T", "field y / T", "field z / T", "acceleration / m/s2")


@needs_instruments(Instrument.GENERATOR)
@declares(leaves={"laser": "off"}, lasts_s=10.0)
def disable_laser(context: TaskContext) -> TaskResult:
    """Switch the laser's trigger off, and see that it is off."""
    with Station.of(context) as station:
        station.generator.off()
    context.note("the laser's trigger is off")
    return TaskResult()


@needs_instruments(Instrument.GENERATOR)
@declares(leaves={"laser": "off"}, lasts_s=30.0)
def disable_all_lights(context: TaskContext) -> TaskResult:
    """Laser, LEDs and cameras' lights off. A module whose LID interlock is open has no light."""
    with Station.of(context) as station:
        station.generator.off()
        station.each(list(station.modules.values()), _dark)
        count = len(station.modules)
    context.note(f"the laser's trigger and the lights of {count} modules are off")
    return TaskResult()


@declares(leaves={"hv": "off"}, lasts_s=30.0)
def high_voltage_off(context: TaskContext) -> TaskResult:
    """High voltage of all modules off, at once: for the end of a run, and for one that was aborted."""
    with Station.of(context) as station:
        _, failures = station.on_each(list(station.modules.values()), Module.disable_all_hv)
    for module, error in failures.items():
        context.note(firmware.sentence_of(module, error))
    if failures:
        raise UsageError(f"high voltage may still be on at {firmware.listed(list(failures))}: look there")
    return TaskResult()


@needs_instruments(*SURROUNDINGS)
@declares(timeout_s=LONGEST_S)
def wait_time(context: TaskContext, pause: float) -> TaskResult:
    """Wait *pause* seconds; temperatures and humidities are recorded every ten minutes meanwhile."""
    if pause < 0:
        raise UsageError(f"wait_time: the pause must be 0 s or more, not {pause:g}")
    with Station.of(context) as station:
        waited = 0.0
        while waited < pause:
            log_surroundings(context, station)
            step = min(LOG_PERIOD_S, pause - waited)
            station.wait(step)
            waited += step
            context.progress(waited, pause, "s")
    return TaskResult(outputs={"waited_s": pause})


@declares(timeout_s=LONGEST_S)
def readout_and_reboot(context: TaskContext, seconds: float) -> TaskResult:
    """For so long: read all sensors of the modules into CSV files, and restart the boards.

    Tells how often an FPGA had to be configured; every restart needs it once.
    """
    reconfigured: dict[str, int] = {}
    with Station.of(context) as station:
        devices = {station.modules[device.port]: device for device in devices_of(context)}
        begin = now = context.clock.now_ns()
        end = begin + round(seconds * 1e9)
        while True:
            told = station.each(list(devices), _restarted)
            for module, (row, attempts) in told.items():
                serial = devices[module].serial
                reconfigured[serial] = reconfigured.get(serial, 0) + attempts
                _append(context.run_dir / "readout" / f"{serial}.csv", now, row)
            station.wait(1.0)
            now = context.clock.now_ns()
            context.progress(min(seconds, (now - begin) / 1e9), seconds, "s")
            if now >= end:
                break
    return TaskResult(outputs={"reconfigured": reconfigured})


def _dark(module: Module) -> None:
    if module.lid_interlock():
        module.flash_off()
        module.stop_cameras()


def _restarted(module: Module) -> tuple[list[float], int]:
    slow = module.slow_adc_all()
    row = [slow[channel] for channel in SLOW_ADC]
    row += [module.pressure(), *module.magnetic_field(), sum(a * a for a in module.acceleration()) ** 0.5]
    version = module.fpga_version()
    module.reboot()
    running, attempts = firmware.make_right(module, version)
    if running != version:
        raise ModuleRefused(module.name, "flashConfigureFPGA", f"version {running} and not {version}")
    return row, attempts


def _append(path: Path, now_ns: int, row: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["Local time", *SLOW_ADC.values(), *SENSORS, "Run time / s"])
        writer.writerow([moment(), *(f"{value:.6g}" for value in row), f"{now_ns / 1e9:.1f}"])
