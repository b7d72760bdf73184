"""The file of one optical module: who it is, its two photomultipliers, and what was measured with them.

A measurement's object is made when it begins, with `Folder: "None"`; its folder is filled in on success only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from fat.degg.records.locked_json import RecordUnreadable, plain, revised, shared_json
from fat.degg.records.numbering import create_key, keys_of

PARTS: Final = ("LowerPmt", "UpperPmt")
"""By channel of the digitiser."""
NO_FOLDER: Final = "None"
UNKNOWN_VOLTAGE: Final = -1
DEFAULT_VOLTAGE: Final = 1500.0


@dataclass(frozen=True, slots=True)
class PmtEntry:
    """A photomultiplier as its module's file has it."""

    part: str
    """`LowerPmt` or `UpperPmt`."""
    channel: int
    serial: str
    """`SQ0657`"""
    hv_1e7: float | None
    """High voltage of a gain of 1e7, V; None while it is unknown (-1 in the file)."""
    hv_default: float
    """Where a scan begins while it is unknown, V."""
    spe_peak_height: float | None
    """Of a single photoelectron at 1e7, V; None while it is unknown."""
    entries: Mapping[str, Any]
    """Everything in the file, measurements included."""

    @property
    def hv(self) -> float:
        """The high voltage to work with, whole volts as a board can be set: that of 1e7, or the default."""
        return float(round(self.hv_default if self.hv_1e7 is None else self.hv_1e7))


class DeviceFile:
    """A device file. Whenever something is asked it is as it is now: other processes write it too.

    path     the file
    ignored  the module is on the run's ignore list: its measurements say so and are not taken

    Channels are 0 LowerPmt, 1 UpperPmt, None the module itself.
    """

    def __init__(self, path: Path, *, ignored: bool = False) -> None:
        self.path, self.ignored = path, ignored
        body = shared_json(path)
        self.serial = str(_demand(path, body, "DEggSerialNumber"))
        try:
            self.port = int(_demand(path, body, "Port"))
        except (TypeError, ValueError):
            raise RecordUnreadable(path, f"Port is {body['Port']!r}, not a number") from None
        self.icm_id = str(body.get("ICMID", ""))

    @classmethod
    def open(cls, path: Path, *, ignored: bool = False) -> Self:
        """Open a device file. Raises RecordUnreadable."""
        return cls(path, ignored=ignored)

    def body(self) -> Mapping[str, Any]:
        """Everything in the file, now; to be read, not to be changed."""
        return shared_json(self.path)

    @property
    def fpga_version(self) -> int:
        """The version that the FPGA had when the run was made."""
        return int(_demand(self.path, self.body(), "fpgaVersion"))

    @property
    def iceboot_version(self) -> int:
        """The version that Iceboot had when the run was made."""
        return int(_demand(self.path, self.body(), "IcebootVersion"))

    @property
    def constants(self) -> dict[str, Any]:
        """Samples, AdcMin, AdcRange, Events, DacValue."""
        return dict(_demand(self.path, self.body(), "Constants"))

    def pmt(self, channel: int) -> PmtEntry:
        """A photomultiplier. Raises RecordUnreadable."""
        return self._pmt(self.body(), channel)

    def pmts(self) -> list[PmtEntry]:
        """All photomultipliers, as they were at one moment. Raises RecordUnreadable."""
        body = self.body()
        return [self._pmt(body, channel) for channel in range(len(PARTS))]

    def _pmt(self, body: Mapping[str, Any], channel: int) -> PmtEntry:
        part = PARTS[channel]
        entries = dict(_demand(self.path, body, part))
        volts = float(entries.get("HV1e7Gain", UNKNOWN_VOLTAGE))
        peak = entries.get("SPEPeakHeight")
        return PmtEntry(
            part,
            channel,
            str(entries.get("SerialNumber", "")),
            None if volts == UNKNOWN_VOLTAGE else volts,
            float(entries.get("HV1e7GainDefault", DEFAULT_VOLTAGE)),
            None if peak is None or float(peak) <= 0 else float(peak),
            entries,
        )

    @contextlib.contextmanager
    def changes(self) -> Iterator[DeviceChanges]:
        """Several changes that are written together, once.

        Nothing is written when the block raises.
        """
        with revised(self.path) as body:
            yield DeviceChanges(self.path, body, ignored=self.ignored)

    def begin(self, channel: int | None, name: str, comment: str, **parameters: Any) -> str:
        """Begin a measurement; returns its key, such as `GainMeasurement_00`. *parameters* are JSON."""
        with self.changes() as changes:
            return changes.begin(channel, name, comment, **parameters)

    def complete(self, channel: int | None, key: str, folder: Path | str, **values: Any) -> None:
        """A measurement has worked: its folder and findings. Raises RecordUnreadable for a key that never began."""
        with self.changes() as changes:
            changes.complete(channel, key, folder, **values)

    def note(self, channel: int | None, key: str, **values: Any) -> None:
        """Add to a measurement's object without saying that it has worked, such as the results of an analysis."""
        with self.changes() as changes:
            changes.note(channel, key, **values)

    def set(self, channel: int | None, **values: Any) -> None:
        """Set values beside the measurements, such as `HV1e7Gain` of a photomultiplier."""
        with self.changes() as changes:
            changes.set(channel, **values)

    def latest(self, channel: int | None, name: str) -> tuple[str, dict[str, Any]] | None:
        """Key and object of the latest measurement of that name; None when there is none."""
        return _latest(_place(self.path, self.body(), channel), name)


class DeviceChanges:
    """Changes of one device file in the making; channels as those of DeviceFile.

    Raises RecordUnreadable, NotSerialisable.

    body  what is changed; what it holds is others' as well, and replaced where it changes
    """

    def __init__(self, path: Path, body: dict[str, Any], *, ignored: bool) -> None:
        self._path, self._body, self._ignored = path, body, ignored
        self._own: dict[int, dict[str, Any]] = {}
        """Copies of the photomultipliers' objects, by channel."""

    def begin(self, channel: int | None, name: str, comment: str, **parameters: Any) -> str:
        """Begin a measurement; returns its key."""
        entry = {"Folder": NO_FOLDER, "Comment": comment, **parameters}
        if self._ignored:
            entry["Ignored"] = "True"
        here = self._place(channel)
        key = create_key(here, name)
        here[key] = plain(self._path, entry)
        return key

    def latest(self, channel: int | None, name: str) -> tuple[str, dict[str, Any]] | None:
        """Key and object of the latest measurement of that name; None when there is none."""
        return _latest(self._place(channel), name)

    def complete(self, channel: int | None, key: str, folder: Path | str, **values: Any) -> None:
        """A measurement has worked: its folder and what it found."""
        self.note(channel, key, **values, Folder=str(folder))

    def note(self, channel: int | None, key: str, **values: Any) -> None:
        """Add to a measurement's object."""
        here = self._place(channel)
        if not isinstance(here.get(key), dict):
            raise RecordUnreadable(self._path, f"measurement {key} was never begun")
        here[key] = {**here[key], **plain(self._path, values)}

    def set(self, channel: int | None, **values: Any) -> None:
        """Set values beside the measurements."""
        self._place(channel).update(plain(self._path, values))

    def _place(self, channel: int | None) -> dict[str, Any]:
        if channel is None:
            return self._body
        if channel not in self._own:
            self._own[channel] = self._body[PARTS[channel]] = dict(_place(self._path, self._body, channel))
        return self._own[channel]


def _latest(here: Mapping[str, Any], name: str) -> tuple[str, dict[str, Any]] | None:
    keys = keys_of(here, name)
    return (keys[-1], dict(here[keys[-1]])) if keys else None


def _place(path: Path, body: Mapping[str, Any], channel: int | None) -> Mapping[str, Any]:
    if channel is None:
        return body
    here = _demand(path, body, PARTS[channel])
    if not isinstance(here, dict):
        raise RecordUnreadable(path, f"{PARTS[channel]} is no object")
    return here


def _demand(path: Path, body: Mapping[str, Any], key: str) -> Any:
    if key not in body:
        raise RecordUnreadable(path, f"lacks the key {key!r}")
    return body[key]
