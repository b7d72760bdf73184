"""The newest files of a measurement, as its analysis finds them through the run's papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fat.degg.records.device_file import NO_FOLDER, PARTS, DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.station.data_files import DataFile, file_name, read
from fat.errors import FatError
from scheduler import TaskContext


class MeasurementMissing(FatError):
    """An analysis finds nothing to analyse."""

    def __init__(self, device: str, part: str, name: str) -> None:
        super().__init__(f"{device} {part} has no finished {name}: run the measurement before its analysis")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One photomultiplier's newest measurement."""

    device: DeviceFile
    channel: int
    part: str
    key: str
    data: DataFile


def latest_files(context: TaskContext, name: str, channels: Sequence[int] = (0, 1)) -> Iterator[Found]:
    """Newest file of each photomultiplier, by port and channel. Raises MeasurementMissing, DataFileBroken."""
    for device in RunFile.open(context.parameters["run_file"]).devices():
        if device.ignored:
            continue
        for channel in channels:
            key, folder = folder_of(device, channel, name)
            entry = device.pmt(channel)
            path = folder / file_name(entry.serial, entry.hv)
            if not path.exists():
                # The gain was measured anew since: the file is named by the high voltage of its own time.
                others = sorted(folder.glob(f"{entry.serial}_*V.hdf5"))
                path = others[-1] if others else path
            yield Found(device, channel, PARTS[channel], key, read(path))


def folder_of(device: DeviceFile, channel: int | None, name: str) -> tuple[str, Path]:
    """Key and folder of a part's newest measurement. Raises MeasurementMissing when it has none, or did not finish."""
    part = "" if channel is None else PARTS[channel]
    latest = device.latest(channel, name)
    if latest is None or latest[1].get("Folder", NO_FOLDER) == NO_FOLDER:
        raise MeasurementMissing(device.serial, part, name)
    return latest[0], Path(latest[1]["Folder"])
