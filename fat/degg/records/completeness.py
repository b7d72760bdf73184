"""Whether a finished run has all its measurements, and their folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import NO_FOLDER, PARTS
from fat.degg.records.numbering import keys_of
from fat.degg.records.run_file import RunFile

PMT_MEASUREMENTS: Final = (
    "GainMeasurement",
    "DarkrateScalerMeasurement",
    "DeltaTMeasurement",
    "LinearityMeasurement",
    "DoublePulse",
    "BurstPulse",
    "TransitTimeSpread",
    "FlasherCheck",
    "LaserVisibilityMeasurement",
    "DarkrateTemperature",
    "AdvancedMonitoring",
    "HVMonitoring",
)
CAMERA_MEASUREMENTS: Final = ("camera_darknoise", "camera_pattern")
LOWER_ONLY: Final = frozenset({"FlasherCheck"})


class Found(StrEnum):
    """What the last entry of a measurement says."""

    PASS = "Pass"
    NO_FOLDER = "NoFolder"
    """Begun, and never completed."""
    BAD_PATH = "BadPath"
    """Completed, but its folder is not there."""
    NO_MEASUREMENT = "NoMeasurement"


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement of one part of a module."""

    device: str
    part: str
    """`LowerPmt`, `UpperPmt`, or `` for the module's cameras."""
    name: str
    found: Found
    ignored: bool
    """Of a module on the ignore list: it is told, and counts in no total."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """All of them, and totals."""

    lines: tuple[Line, ...]

    def total(self, *kinds: Found) -> int:
        """How many of modules that are not ignored were found like this."""
        counts = Counter(line.found for line in self.lines if not line.ignored)
        return sum(counts[kind] for kind in kinds)

    @property
    def good(self) -> int:
        """Measurements whose folder is there."""
        return self.total(Found.PASS)

    @property
    def missing_results(self) -> int:
        """Measurements that were begun, without a folder."""
        return self.total(Found.NO_FOLDER, Found.BAD_PATH)

    @property
    def missing_measurements(self) -> int:
        """Measurements that were never begun."""
        return self.total(Found.NO_MEASUREMENT)


def completeness(
    run: RunFile,
    pmt_names: Sequence[str] = PMT_MEASUREMENTS,
    camera_names: Sequence[str] = CAMERA_MEASUREMENTS,
) -> Completeness:
    """Look at every module of a run. Raises RecordUnreadable for a device file that cannot be read."""
    lines: list[Line] = []
    for device in run.devices():
        body = device.body()
        for part in PARTS:
            names = [name for name in pmt_names if part == PARTS[0] or name not in LOWER_ONLY]
            lines += _lines(device.serial, part, body.get(part, {}), names, device.ignored)
        lines += _lines(device.serial, "", body, camera_names, device.ignored)
    return Completeness(tuple(lines))


def _lines(
    device: str, part: str, entries: Mapping[str, Any], names: Iterable[str], ignored: bool
) -> list[Line]:
    return [Line(device, part, name, _found(entries, name), ignored) for name in names]


def _found(entries: Mapping[str, Any], name: str) -> Found:
    keys = keys_of(entries, name)
    if not keys:
        return Found.NO_MEASUREMENT
    entry = entries[keys[-1]]
    folder = entry.get("Folder", NO_FOLDER) if isinstance(entry, dict) else NO_FOLDER
    if folder == NO_FOLDER or not isinstance(folder, str):
        return Found.NO_FOLDER
    return Found.PASS if Path(folder).is_dir() else Found.BAD_PATH
