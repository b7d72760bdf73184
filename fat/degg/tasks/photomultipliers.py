"""What measurements with photomultipliers in the dark share: who takes part, high voltage, and warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.high_voltage import Readings, readings
from fat.degg.records.device_file import PARTS, DeviceFile, PmtEntry
from fat.degg.records.run_file import RunFile
from fat.degg.station.board import BASELINE_DAC, DAC_LETTERS, MAX_HV
from fat.degg.station.module import Module
from fat.degg.station.station import HV_SETTLING_S, Station
from scheduler import TaskContext
from scheduler.notify.notice import Severity

T = TypeVar("T")

READS: Final = 5
"""The high voltage is on when the mean of so many reads is above 1000 V."""
NEAR_VOLTS: Final = 30.0
"""A read-back farther from what is wanted is not only the offset of a read-back (5 V, sigma): it has far to go."""
GLANCE_S: Final = 1.0
"""In which a high voltage goes 50 V: whether it was set to another value is seen after it."""
MOVED_VOLTS: Final = 1.0
"""A mean of reads that has changed by more was moved; by noise it changes by 0.2 V (sigma)."""
MOST_LINES: Final = 12
"""Sentences of one warning; of more only the number is told."""
_VALUE: Final = re.compile(r"Channel\s+(\d+)\s*:\s*(-?[0-9.]+)")


@dataclass(frozen=True, eq=False)
class Pmt:
    """One photomultiplier that is measured."""

    module: Module
    device: DeviceFile
    entry: PmtEntry
    """As its papers had it when the task began."""

    @property
    def channel(self) -> int:
        """Of the digitiser: 0 or 1."""
        return self.entry.channel

    @property
    def part(self) -> str:
        """`LowerPmt` or `UpperPmt`."""
        return self.entry.part

    @property
    def name(self) -> str:
        """For people: `DEgg2021-3-133 LowerPmt (SQ0657)`."""
        return f"{self.device.serial} {self.part} ({self.entry.serial})"

    @property
    def file_serial(self) -> str:
        """Beginning of the names of its files."""
        return self.entry.serial or f"{self.device.serial}_{self.part}"


class Photomultipliers:
    """The photomultipliers of a run, at their station.

    jobs  so many wire pairs at a time
    """

    def __init__(self, context: TaskContext, run: RunFile, station: Station, jobs: int = 4) -> None:
        self.context, self.run, self.station, self.jobs = context, run, station, jobs
        self.devices = run.devices()
        self._dac = {
            device.path: int(device.constants.get("DacValue", BASELINE_DAC)) for device in self.devices
        }
        self._off: list[Pmt] = []
        self.all: list[Pmt] = [
            Pmt(station.modules[device.port], device, device.pmt(channel))
            for device in self.devices
            if not device.ignored
            for channel in range(len(PARTS))
        ]

    @classmethod
    @contextmanager
    def of(cls, context: TaskContext, jobs: int = 4) -> Iterator[Self]:
        """Those of the task's run that are not on the ignore list. Connections are left at the end."""
        run = RunFile.open(context.parameters["run_file"])
        serials = {device.port: device.serial for device in run.devices() if not device.ignored}
        with Station.of(context, serials) as station:
            yield cls(context, run, station, jobs)

    @cached_property
    def modules(self) -> list[Module]:
        """Their modules, by port."""
        return list(dict.fromkeys(pmt.module for pmt in self.all))

    def each(
        self, pmts: Sequence[Pmt], work: Callable[[Module, Sequence[Pmt]], Mapping[Pmt, T]]
    ) -> dict[Pmt, T]:
        """Do *work* at the modules of some photomultipliers, with those of each. Raises MeasurementFailed."""
        by_module: dict[Module, list[Pmt]] = {}
        for pmt in pmts:
            by_module.setdefault(pmt.module, []).append(pmt)
        found = self.station.each(list(by_module), lambda module: work(module, by_module[module]), self.jobs)
        return {pmt: value for part in found.values() for pmt, value in part.items()}

    def temperatures(self) -> dict[Module, float]:
        """Of the mainboards, C."""
        return self.station.each(self.modules, lambda module: module.temperature(), self.jobs)

    # High voltage

    def set_volts(self, volts: Mapping[Pmt, float]) -> None:
        """Enable and set high voltages, 0..2000 V, with the baseline that spectra need; let them settle.

        Raises ModuleRefused where interlock or light sensor forbid it, ValueError.
        """
        if not all(0 <= value <= MAX_HV for value in volts.values()):
            raise ValueError(f"high voltages must be 0..{MAX_HV} V, not {sorted(volts.values())}")

        def apply(module: Module, pmts: Sequence[Pmt]) -> dict[Pmt, None]:
            # One line for both: a scan sets five high voltages of thirty-two photomultipliers.
            words = [
                f"{self._dac_words(pmt)} {pmt.channel} enableHV {pmt.channel} {round(volts[pmt])} setDEggHV"
                for pmt in pmts
            ]
            module.console.do(*words)
            return dict.fromkeys(pmts)

        self.each(list(volts), apply)
        self.station.wait(HV_SETTLING_S)

    def read_volts(self, pmts: Sequence[Pmt], reads: int = READS) -> dict[Pmt, Readings]:
        """Mean and spread of some reads of each."""

        def read(module: Module, members: Sequence[Pmt]) -> dict[Pmt, Readings]:
            values = read_back(module, [pmt.channel for pmt in members], reads)
            return {pmt: readings(values[pmt.channel]) for pmt in members}

        return self.each(pmts, read)

    def ensure_on(self, pmts: Sequence[Pmt] | None = None) -> dict[Pmt, Readings]:
        """Have the high voltage of each at that of a gain of 1e7, or its default; one that is off is switched on again.

        Returns the reads afterwards: one that is off then does not hold its voltage.
        """
        pmts = self.all if pmts is None else pmts
        before = self.read_volts(pmts)
        self._off = [pmt for pmt in pmts if not before[pmt].on]
        away = {
            pmt: pmt.entry.hv
            for pmt in pmts
            if not before[pmt].on or abs(before[pmt].mean - pmt.entry.hv) > NEAR_VOLTS
        }
        near = [pmt for pmt in pmts if pmt not in away]
        self._hold(near)
        if away:
            self.set_volts(away)
        elif near:
            self.station.wait(GLANCE_S)
        after = before | self.read_volts(pmts)
        moved = [pmt for pmt in near if abs(after[pmt].mean - before[pmt].mean) > MOVED_VOLTS]
        if moved and not away:
            self.station.wait(HV_SETTLING_S)
            after |= self.read_volts(moved)
        tripped = {pmt: pmt.entry.hv for pmt in pmts if not after[pmt].on}
        if tripped:
            self.set_volts(tripped)
            after |= self.read_volts(list(tripped))
        return after

    def _hold(self, pmts: Sequence[Pmt]) -> None:
        """Set high voltages that are on to what the papers say, and baselines where spectra need them.

        No read-back tells that a scan has left a voltage some volts away, or that its analysis has found another one
        since: offsets are as large. Measurements with much light put baselines lower.
        """

        def apply(module: Module, members: Sequence[Pmt]) -> dict[Pmt, None]:
            words = [
                f"{self._dac_words(pmt)} {pmt.channel} {round(pmt.entry.hv)} setDEggHV" for pmt in members
            ]
            module.console.do(*words)
            return dict.fromkeys(members)

        self.each(pmts, apply)

    def _dac_words(self, pmt: Pmt) -> str:
        return f"{DAC_LETTERS[pmt.channel]} {self._dac[pmt.device.path]} setDAC"

    def found_off(self) -> list[str]:
        """Which high voltages `ensure_on` found off, a sentence for each; none if all were, as after a reboot."""
        if self._off and len(self._off) == len(self.all):
            self.context.note("all high voltages were off and have been switched on")
            return []
        return [
            f"{pmt.name}: high voltage was off, and has been set to {pmt.entry.hv:.0f} V" for pmt in self._off
        ]

    # People

    def warn(self, task: str, sentences: Sequence[str], severity: Severity = Severity.WARNING) -> None:
        """Tell people, in one message, what is wrong; nothing if nothing is."""
        if not sentences:
            return
        for sentence in sentences:
            self.context.note(sentence)
        shown = list(sentences[:MOST_LINES])
        if len(sentences) > MOST_LINES:
            shown.append(f"and {len(sentences) - MOST_LINES} more; all are in the journal")
        self.context.notify("\n".join([f"{task}:", *shown]), severity=severity)


def read_back(module: Module, channels: Sequence[int], reads: int) -> dict[int, NDArray[np.float64]]:
    """Reads (n) of high voltages by channel, in one exchange with the console. Raises ModuleRefused."""
    slow = [8 + 2 * channel for channel in channels]
    said = module.console.ask(" ".join(f"{channel} sloAdcReadChannel" for channel in slow * reads))
    found: dict[int, list[float]] = {channel: [] for channel in slow}
    for channel, value in _VALUE.findall(said):
        if int(channel) in found:
            found[int(channel)].append(float(value))
    if any(len(values) != reads for values in found.values()):
        return {channel: np.array([module.read_hv(channel) for _ in range(reads)]) for channel in channels}
    return {channel: np.array(found[8 + 2 * channel]) for channel in channels}
