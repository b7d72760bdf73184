"""Whether the modules of a run answer, with the firmware that was recorded: asked before a schedule begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fat.degg.records.run_file import RunFile
from fat.degg.station.errors import StationError
from fat.degg.station.station import Station


@dataclass(frozen=True, slots=True)
class Connectivity:
    """What was found."""

    ready: int
    total: int
    """Modules of the run that are not on the ignore list."""
    dead: tuple[str, ...]
    """A sentence for each that is not ready, naming it."""

    @property
    def line(self) -> str:
        """`Ready D-Eggs: 15/16`"""
        return f"Ready D-Eggs: {self.ready}/{self.total}"


def connectivity(
    run: RunFile, endpoints: Mapping[str, Any], wait_s: Callable[[float], None] = time.sleep
) -> Connectivity:
    """Ask all modules of a run for the version of their FPGA. Raises UsageError without an address of one."""
    wanted = {device.port: device for device in run.devices() if not device.ignored}
    serials = {port: device.serial for port, device in wanted.items()}
    with Station(endpoints, wait_s, serials) as station:
        found, failures = station.on_each(
            list(station.modules.values()), lambda module: module.fpga_version()
        )
    dead = [str(e) if isinstance(e, StationError) else f"{m.name}: {e!r}" for m, e in failures.items()]
    for module, version in found.items():
        recorded = wanted[module.port].fpga_version
        if version != recorded:
            dead.append(
                f"{module.name} has FPGA version {version}, but {recorded} was recorded: flash it again"
            )
    return Connectivity(len(wanted) - len(dead), len(wanted), tuple(dead))
