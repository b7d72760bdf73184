"""Monitoring of boots: warm power cycles, and a cold start after hours without power."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, Literal

from fat.degg.records.device_file import DeviceFile
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Quantity
from fat.degg.station.module import Module
from fat.degg.station.station import Station
from fat.degg.tasks import power_cycles
from fat.degg.tasks.box import COLD_BOOT, without_power
from fat.degg.tasks.papers import begin_once
from fat.degg.tasks.status import devices_of
from scheduler import TaskContext, TaskResult, declares
from scheduler.notify.notice import Severity

WARM_RETRIES: Final = 2
COLD_RETRIES: Final = 3
COLD_S: Final = 8 * 3600.0
WARM, COLD = "RebootMonitoring", COLD_BOOT
"""Entries in the modules' files."""
SUCCESSIVE: Final = "SuccessiveFailures"
ALL_WELL: Final = "All modules successfully rebooted!"


@declares(timeout_s=2 * COLD_S)
def bootmon(context: TaskContext, mode: Literal["reboot", "coldboot"], hours: float = 0.0) -> TaskResult:
    """Cycle the power of all modules and see that they come back; high voltage is as before afterwards.

    mode   `reboot`: mainboards off and on; `coldboot`: wire pairs without power for hours
    hours  without power; 0: eight hours, and none for `reboot`

    Modules that do not come back are tried again, twice (warm) or three times (cold); how often is judged.
    """
    cold = mode == "coldboot"
    with Station.of(context) as station:
        devices = {station.modules[device.port]: device for device in devices_of(context)}
        keys = {m: _begun(context, device, COLD if cold else WARM, mode) for m, device in devices.items()}
        were_on = power_cycles.high_voltage_down(station, list(devices))
        began = time.monotonic()
        if cold:
            off_s = hours * 3600.0 or COLD_S
            context.note(f"no power for {off_s / 3600:g} h")
            power_cycles.cycle_wire_pairs(station, list(devices), off_s)
            for module, device in devices.items():
                device.note(None, keys[module], **without_power(off_s / 3600.0, context.clock.now_ns()))
        else:
            power_cycles.cycle_mainboards(station, list(devices))
        failures, wrong = power_cycles.until_started(
            station,
            devices,
            lambda left: power_cycles.cycle_mainboards(station, left),
            COLD_RETRIES if cold else WARM_RETRIES,
        )
        power_cycles.high_voltage_up(
            station, {m: channels for m, channels in were_on.items() if m not in wrong}, devices
        )
        context.note(f"{len(devices) - len(wrong)} of {len(devices)} modules came back ({_took(began)})")
    _tell(context, failures, wrong)
    return _conclude(context, devices, keys, failures, wrong, cold=cold)


def _begun(context: TaskContext, device: DeviceFile, name: str, mode: str) -> str:
    with device.changes() as changes:
        return begin_once(context, changes, name, mode)


def _took(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s of work"


def _tell(context: TaskContext, failures: Mapping[Module, int], wrong: Mapping[Module, str]) -> None:
    slow = [f"{module.name} came back at try {count + 1}" for module, count in failures.items() if count]
    if wrong:
        context.notify("; ".join(wrong.values()), severity=Severity.WARNING)
    elif slow:
        context.notify(f"{ALL_WELL} {'; '.join(slow)}")
    else:
        context.notify(ALL_WELL)


def _conclude(
    context: TaskContext,
    devices: Mapping[Module, DeviceFile],
    keys: Mapping[Module, str],
    failures: Mapping[Module, int],
    wrong: Mapping[Module, str],
    *,
    cold: bool,
) -> TaskResult:
    quantities = []
    for module, device in devices.items():
        count = failures[module]
        if cold:
            name, post = "cold-boot-failures", "communication-test-cold-reboot"
            about = "tries after the first that a module needed to start after hours without power"
        else:
            name, post = "successive-warm-reboot-failures", "successive-warm-reboot-failures"
            about = "warm power cycles in a row after which a module did not come back"
            count = count + _earlier(device) if count else 0
        quantities.append(Quantity(device.serial, "", "monitoring", name, count, "1", about, None, (post,)))
        values = {"Failures": failures[module], SUCCESSIVE: count}
        if module in wrong:
            device.note(None, keys[module], **values, Problem=wrong[module])
        else:
            device.complete(None, keys[module], context.run_dir, **values)
    return conclude(context, quantities)


def _earlier(device: DeviceFile) -> int:
    """Failures in a row up to the boot before this one, whose entry is not completed yet."""
    entries = sorted(
        (key, entry)
        for key, entry in device.body().items()
        if key.startswith(f"{WARM}_") and isinstance(entry, dict) and SUCCESSIVE in entry
    )
    return int(entries[-1][1][SUCCESSIVE]) if entries else 0
