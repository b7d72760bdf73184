"""How the modules are: do they answer, with the firmware that was recorded, how warm, at which high voltage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fat.degg.records.device_file import DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.station.errors import StationError
from fat.degg.station.module import Module
from fat.degg.station.station import Station
from fat.degg.tasks import firmware, power_cycles
from fat.errors import FatError
from scheduler import CheckResult, TaskContext, TaskResult, declares
from scheduler.notify.notice import Severity

TEMPERATURE, HV_LOWER, HV_UPPER = 7, 8, 10
"""Channels of the slow ADC."""
MISMATCH: Final = "@channel - Master Script Stopped: FPGA version mis-match during status check!"
TOO_OFTEN: Final = "Failed to reconfigure FPGA 3 (or more) times in a row!"


class ModulesIll(StationError):
    """Modules do not answer, or run another firmware than was recorded."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One module that answers."""

    temperature_c: float
    hv: tuple[float, float]
    """V, lower and upper photomultiplier."""


def devices_of(context: TaskContext) -> list[DeviceFile]:
    """The modules of the task's run that are not on its ignore list."""
    devices = RunFile.open(str(context.parameters["run_file"])).devices()
    return [device for device in devices if not device.ignored]


@declares(lasts_s=20.0)
def status_check(context: TaskContext, verbose: bool = False, reboot: bool = False) -> TaskResult:
    """Whether all modules answer with the recorded firmware; tells temperatures and high voltages.

    verbose  the status is told to people too, not only to the journal
    reboot   power-cycle all mainboards before; those that fail then are cycled once more

    An FPGA with another version is configured anew, up to three times. Raises ModulesIll.
    """
    with Station.of(context) as station:
        devices = {station.modules[device.port]: device for device in devices_of(context)}
        expected = {module: device.fpga_version for module, device in devices.items()}
        if reboot:
            power_cycles.cycle_twice(context, station, devices)
        found = firmware.restore(station, expected)
        well = [module for module in devices if module not in found.silent and module not in found.wrong]
        readings = station.each(well, read)
        lines = status_lines(devices, readings)
        context.note("\n".join(lines))
        for module, tries in found.attempts.items():
            if module in found.wrong:
                continue
            told = (
                f"{devices[module].serial}: its FPGA had another version than recorded and was reconfigured"
            )
            context.notify(f"{told} ({tries} {'try' if tries == 1 else 'tries'})", severity=Severity.WARNING)
        if verbose:
            context.notify("\n".join(lines))
        tell_trends(context, readings, devices)
    _judge(context, found, expected)
    return TaskResult(
        outputs={
            "responsive": len(readings),
            "modules": len(devices),
            "reconfigured": {m.serial: tries for m, tries in found.attempts.items()},
            "temperature_c": {m.serial: round(r.temperature_c, 1) for m, r in readings.items()},
        }
    )


def modules_well(context: TaskContext) -> CheckResult:
    """Between tasks: every module of the run answers with the firmware that was recorded (else it is configured)."""
    try:
        with Station.of(context) as station:
            devices = {station.modules[device.port]: device for device in devices_of(context)}
            found = firmware.restore(station, {m: device.fpga_version for m, device in devices.items()})
    except FatError as error:
        return CheckResult(False, str(error))
    if found.silent:
        errors = "; ".join(firmware.sentence_of(m, error) for m, error in found.silent.items())
        return CheckResult(False, errors)
    if found.wrong:
        return CheckResult(False, _wrong(found.wrong, {m: d.fpga_version for m, d in devices.items()}))
    again = f", {len(found.attempts)} with their FPGA configured anew" if found.attempts else ""
    return CheckResult(True, f"{len(devices)} of {len(devices)} modules answer{again}")


def read(module: Module) -> Reading:
    """Temperature and high voltages, in one exchange."""
    slow = module.slow_adc_all()
    return Reading(slow[TEMPERATURE], (slow[HV_LOWER], slow[HV_UPPER]))


def status_lines(devices: Mapping[Module, DeviceFile], readings: Mapping[Module, Reading]) -> list[str]:
    """The status as the shifter reads it: a line for each module that answers, and who is missing."""
    lines = [
        f"{module.serial} (port {module.port}): {r.temperature_c:.1f} C, "
        f"HV0 {r.hv[0]:.1f} V, HV1 {r.hv[1]:.1f} V"
        for module, r in readings.items()
    ]
    lines.append(f"D-Eggs Responsive: {len(readings)} / {len(devices)}")
    missing = sorted(module.port for module in devices if module not in readings)
    if missing:
        lines.append(f"Missing ports: {', '.join(map(str, missing))}")
    return lines


def tell_trends(
    context: TaskContext, readings: Mapping[Module, Reading], devices: Mapping[Module, DeviceFile]
) -> None:
    """Temperatures and high voltages as time series."""
    now_ns = context.clock.now_ns()
    for module, reading in readings.items():
        serial = devices[module].serial
        context.trend(serial, reading.temperature_c, "C", group="mainboards", at_ns=now_ns)
        for part, volts in zip(("lower", "upper"), reading.hv, strict=True):
            context.trend(f"{serial} {part}", volts, "V", group="high voltage", at_ns=now_ns)


def _judge(context: TaskContext, found: firmware.Firmware, expected: Mapping[Module, int]) -> None:
    if found.silent:
        for module, error in found.silent.items():
            context.notify(
                f"{module.name} does not respond: {firmware.sentence_of(module, error)}",
                severity=Severity.WARNING,
            )
    if found.wrong:
        context.notify(TOO_OFTEN, severity=Severity.WARNING)
        context.notify(MISMATCH, severity=Severity.CRITICAL)
        raise ModulesIll(_wrong(found.wrong, expected))
    if found.silent:
        raise ModulesIll(
            f"{firmware.listed(list(found.silent))} do not answer; power-cycle them, "
            "or put them on the run's ignore list, then resume"
        )


def _wrong(versions: Mapping[Module, int], expected: Mapping[Module, int]) -> str:
    told = [f"{m.name} has FPGA version {v}, recorded was {expected[m]}" for m, v in versions.items()]
    return "; ".join(told) + "; put the right firmware into the flash, then resume"
