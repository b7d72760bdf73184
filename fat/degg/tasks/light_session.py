"""What all measurements with light share: the run's modules at work, high voltage, the laser, files and papers.

A measurement's object in a device file is made at its beginning and gets its folder when its file is on the disk. When
something fails high voltage stays as it is and the laser, which the measurement owns, goes off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from fat.degg.analyses.visibility import locked_frequency
from fat.degg.records.device_file import DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.station import HV_SETTLING_S, Module, Station, StationError
from fat.degg.station.data_files import new_folder
from scheduler import TaskContext

T = TypeVar("T")

CHANNELS: Final = (0, 1)
LOWER: Final = 0
LASER_HZ: Final = 100.0
SYNC_THRESHOLD: Final = 1000
"""Counts over the tabletop's baseline; its sync pulse has 4000."""
SYNCS: Final = 50
WINDOW: Final = 0.05
"""Periods of the sync may differ by this share (check-list of the shifter)."""
TRIES: Final = 2
"""One retry is normal."""


class LightMissing(StationError):
    """The laser does not do what it was told."""

    def __init__(self, good: int, asked: int, hertz: float) -> None:
        super().__init__(
            f"the tabletop mainboard saw {good} of {asked} sync pulses in the period of {hertz:g} Hz: check the function "
            "generator, the laser's supply (12 V, on) and the sync cable, then resume"
        )


@dataclass(frozen=True, slots=True)
class Pmt:
    """One photomultiplier that takes part."""

    module: Module
    device: DeviceFile
    channel: int
    part: str
    serial: str
    hv: float
    """High voltage of a gain of 1e7, V, or where its scan begins."""


class LightSession:
    """A run's modules, but those on the ignore list. Raises UsageError, RecordUnreadable, StationError."""

    def __init__(self, context: TaskContext, n_jobs: int = 4) -> None:
        self.context, self.jobs = context, n_jobs
        self.run = RunFile.open(context.parameters["run_file"])
        devices = self.run.devices()
        self.ignored = [device for device in devices if device.ignored]
        self.devices: Mapping[int, DeviceFile] = {d.port: d for d in devices if not d.ignored}
        self.station = Station.of(context, {port: device.serial for port, device in self.devices.items()})
        self.modules: Sequence[Module] = list(self.station.modules.values())
        self.pmts: Sequence[Pmt] = [self._pmt(module, channel) for module in self.modules for channel in CHANNELS]
        self.celsius: dict[int, float] = {}
        """Temperature of the mainboards by port, once `high_voltage` was called."""

    def _pmt(self, module: Module, channel: int) -> Pmt:
        device = self.devices[module.port]
        entry = device.pmt(channel)
        return Pmt(module, device, channel, entry.part, entry.serial, entry.hv)

    def of(self, module: Module) -> list[Pmt]:
        """A module's photomultipliers, by channel."""
        return [pmt for pmt in self.pmts if pmt.module is module]

    def each(self, work: Callable[[Module], T], modules: Sequence[Module] | None = None) -> dict[Module, T]:
        """Do something at each module, by the parallel rule."""
        return self.station.each(self.modules if modules is None else modules, work, self.jobs)

    def high_voltage(self, dac: int, channels: Sequence[int] = CHANNELS) -> dict[Module, dict[int, float]]:
        """Bring photomultipliers to a gain of 1e7 and baselines to a setting; returns baselines, counts, by channel."""

        def begin(module: Module) -> float:
            for pmt in self.of(module):
                if pmt.channel in channels:
                    module.set_dac(pmt.channel, dac)
                    if not module.hv_enabled(pmt.channel):
                        module.enable_hv(pmt.channel)
                    module.set_hv(pmt.channel, pmt.hv)
            return module.temperature()

        self.celsius = {module.port: celsius for module, celsius in self.each(begin).items()}
        self.station.wait(HV_SETTLING_S)
        return self.each(lambda module: {channel: module.baseline(channel) for channel in channels})

    def folder(self, kind: str) -> Path:
        """A new folder for the measurement's files."""
        return new_folder(self.run.data_dir, kind, datetime.now(UTC).date())

    def begin(self, name: str, comment: str, channels: Sequence[int] = CHANNELS, **parameters: Any) -> dict[tuple[int, int], str]:
        """Begin a measurement of photomultipliers in the papers: its key by port and channel."""
        for device in self.ignored:
            for channel in channels:
                device.begin(channel, name, comment, **parameters)
        return {
            (pmt.module.port, pmt.channel): pmt.device.begin(pmt.channel, name, comment, **parameters)
            for pmt in self.pmts
            if pmt.channel in channels
        }

    def begin_devices(self, name: str, comment: str, **parameters: Any) -> dict[int, str]:
        """Begin a measurement of whole modules: its key by port."""
        for device in self.ignored:
            device.begin(None, name, comment, **parameters)
        return {port: device.begin(None, name, comment, **parameters) for port, device in self.devices.items()}

    def about(self, pmt: Pmt, **more: Any) -> dict[str, Any]:
        """What each file says of its photomultiplier."""
        return {
            "device": pmt.device.serial,
            "part": pmt.part,
            "pmt": pmt.serial,
            "channel": pmt.channel,
            "port": pmt.module.port,
            "hv": pmt.hv,
            "board_temperature": self.celsius.get(pmt.module.port),
            **more,
        }

    def check_light(self, hertz: float) -> None:
        """See that the laser's sync comes in its period. Raises LightMissing after a retry."""
        good = 0
        for _ in range(TRIES):
            good = self._good_syncs(hertz)
            if good >= SYNCS - 2:
                return
            self.station.wait(1.0)
        raise LightMissing(good, SYNCS, hertz)

    def _good_syncs(self, hertz: float) -> int:
        tabletop = self.station.tabletop
        threshold = ceil(tabletop.baseline(0)) + SYNC_THRESHOLD
        found = tabletop.charge_stamps(SYNCS, channels=(0,), thresholds=(threshold,))[0]
        self.station.wait(found.span_s)
        period = 1.0 / hertz
        return locked_frequency(found.ticks, period * (1.0 - WINDOW), period * (1.0 + WINDOW))

    def close(self) -> None:
        """Leave all connections."""
        self.station.close()


@contextmanager
def light_session(context: TaskContext, n_jobs: int = 4) -> Iterator[LightSession]:
    """A session that is closed at its end."""
    session = LightSession(context, n_jobs)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def laser_on(session: LightSession, hertz: float = LASER_HZ) -> Iterator[None]:
    """The laser's trigger on; off at the end, however it comes."""
    session.station.generator.pulses(hertz)
    try:
        session.check_light(hertz)
        yield
    finally:
        session.station.generator.off()


def longest_span(found: Mapping[Module, Mapping[int, Any]]) -> float:
    """Seconds that acquisitions span: what the bench's clock is to be given."""
    return max((events.span_s for by_channel in found.values() for events in by_channel.values()), default=0.0)


def counts_over(baselines: Mapping[int, float], counts: float) -> dict[int, int]:
    """Thresholds so many counts over the baselines, by channel."""
    return {channel: ceil(baseline + counts) for channel, baseline in baselines.items()}


def text_of_strength(strength: float) -> str:
    """`0.025`"""
    return f"{np.format_float_positional(strength, trim='-')}"
