"""Power of the modules, off and on again: warm, or cold after hours without; and who had to be tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fat.degg.records.device_file import PARTS, DeviceFile
from fat.degg.station.errors import InstrumentRefused, StationError
from fat.degg.station.module import Module
from fat.degg.station.station import HV_SETTLING_S, Station
from fat.degg.station.wire_pair import WirePair
from fat.degg.tasks import firmware
from scheduler import TaskContext
from scheduler.notify.notice import Severity

OFF_S: Final = 5.0
START_S: Final = 5.0
"""A board starts in 2 s."""
WIRE_PAIR_START_S: Final = 10.0
_LID: Final = 0x0004
_PMT_HV: Final = 0x0008
_MCU_FLASH: Final = 0x0001
"""Bits of an ICM's CTRL2."""


class DoesNotStart(StationError):
    """Modules do not come back after their power was cycled."""


def high_voltage_down(station: Station, modules: Sequence[Module]) -> dict[Module, list[int]]:
    """Ramp high voltages to 0 and switch them off; returns the channels that were on. Silent modules are left out."""

    def to_zero(module: Module) -> list[int]:
        channels = [channel for channel in range(len(PARTS)) if module.hv_enabled(channel)]
        for channel in channels:
            module.set_hv(channel, 0)
        return channels

    were_on, _ = station.on_each(modules, to_zero)
    if any(were_on.values()):
        station.wait(HV_SETTLING_S)
        station.on_each(list(were_on), lambda module: module.disable_all_hv(were_on[module]))
    return were_on


def high_voltage_up(
    station: Station, were_on: Mapping[Module, Sequence[int]], devices: Mapping[Module, DeviceFile]
) -> None:
    """Switch on what was on, at the voltages of the modules' papers, with the baseline that measurements have."""

    def to_volts(module: Module) -> None:
        for channel in were_on[module]:
            module.set_dac(channel, int(devices[module].constants["DacValue"]))
            module.enable_hv(channel)
            module.set_hv(channel, devices[module].pmt(channel).hv)

    modules = [module for module, channels in were_on.items() if channels]
    if modules:
        station.each(modules, to_volts)
        station.wait(HV_SETTLING_S)


def cycle_mainboards(station: Station, modules: Sequence[Module]) -> None:
    """Power of mainboards off and on. Their ICMs keep it, and so the interlocks stay."""
    for on, wait_s in ((False, OFF_S), (True, START_S)):
        for module in modules:
            module.close()
            pair, address = station.wire_pair_of(module)
            pair.mainboards(on, address)
        station.wait(wait_s)


def cycle_wire_pairs(station: Station, modules: Sequence[Module], off_s: float) -> None:
    """Power of whole wire pairs off, and on after so long. Interlocks are closed again where they were."""
    members = [(module, *station.wire_pair_of(module)) for module in modules]
    pairs = {pair.base: pair for _, pair, _ in members}
    interlocks = {module: _interlocks(pair, address) for module, pair, address in members}
    for module in modules:
        module.close()
    for pair in pairs.values():
        pair.power(on=False)
    station.wait(off_s)
    for pair in pairs.values():
        pair.power(on=True)
    station.wait(WIRE_PAIR_START_S)
    connected = {base: pair.probe() for base, pair in pairs.items()}
    for module, pair, address in members:
        if address not in connected[pair.base]:
            continue  # the console's silence is what counts
        pair.mainboards(on=True, device=address)
        for bit, permit in (
            (_PMT_HV, pair.permit_hv),
            (_LID, pair.permit_light),
            (_MCU_FLASH, pair.permit_flash),
        ):
            if interlocks[module] & bit:
                permit(on=True, device=address)
    station.wait(START_S)


def _interlocks(pair: WirePair, address: int) -> int:
    """Bits of an ICM's interlocks. One without power is as a set-up leaves it: an attempt was cut short here."""
    try:
        return int(pair.register(address, "CTRL2"), 0)
    except (InstrumentRefused, ValueError):
        return _PMT_HV | _LID


def until_started(
    station: Station,
    devices: Mapping[Module, DeviceFile],
    again: Callable[[Sequence[Module]], None],
    retries: int,
) -> tuple[dict[Module, int], dict[Module, str]]:
    """See that modules run their firmware after power came; those that do not get *again*, so many times.

    Returns how often each failed to start, and what is wrong with those that never did.
    """
    failures = dict.fromkeys(devices, 0)
    left = list(devices)
    wrong: dict[Module, str] = {}
    for last in [False] * retries + [True]:
        found = firmware.restore(station, {module: devices[module].fpga_version for module in left})
        wrong = {m: firmware.sentence_of(m, error) for m, error in found.silent.items()}
        wrong |= {m: f"{m.name} has FPGA version {version}" for m, version in found.wrong.items()}
        left = list(wrong)
        for module in left:
            failures[module] += 1
        if not left or last:
            break
        again(left)
    return failures, wrong


def cycle_twice(context: TaskContext, station: Station, devices: Mapping[Module, DeviceFile]) -> None:
    """A status check's power cycle: everybody once, those that failed once more. Raises DoesNotStart.

    High voltage is off afterwards.
    """
    modules = list(devices)
    high_voltage_down(station, modules)
    cycle_mainboards(station, modules)
    failures, wrong = until_started(station, devices, lambda left: cycle_mainboards(station, left), retries=1)
    for module, count in failures.items():
        if count and module not in wrong:
            context.note(f"{module.name} came back at the second power cycle")
    if wrong:
        told = "; ".join(wrong.values())
        context.notify(f"modules do not come back after two power cycles: {told}", severity=Severity.WARNING)
        raise DoesNotStart(f"{firmware.listed(list(wrong))} do not come back after two power cycles: {told}")
