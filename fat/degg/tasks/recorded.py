"""What the papers of a run's photomultipliers say of their latest measurement of one name, for analyses.

An analysis may run beside the next measurement, which has begun its own entries. *Latest* is the latest of what the
analysis comes after in the plan: entries name the task that made them, and those of tasks that may not have ended when
the analysis begins (`TaskContext.unsure`) are as if they were not there. So it finds the same whatever has begun since,
also when it runs again after the run was killed (decision 221).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fat.degg.records.device_file import NO_FOLDER, DeviceFile, PmtEntry
from fat.degg.records.numbering import keys_of
from fat.degg.records.run_file import RunFile
from fat.degg.tasks.papers import TASK
from scheduler import TaskContext


@dataclass(frozen=True, eq=False)
class Recorded:
    """A photomultiplier and its latest entry."""

    device: DeviceFile
    pmt: PmtEntry
    """With the entries of what the analysis comes after."""
    key: str
    """Empty: it was never measured."""
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.device.serial} {self.pmt.part} ({self.pmt.serial})"

    @property
    def folder(self) -> Path | None:
        """With its data; None: the measurement has not worked."""
        folder = self.entry.get("Folder", NO_FOLDER)
        return None if folder == NO_FOLDER else Path(str(folder))

    def number(self, key: str) -> float | None:
        """A number of the entry."""
        value = self.entry.get(key)
        return float(value) if isinstance(value, int | float) else None

    def files(self, pattern: str = "*") -> list[Path]:
        """The photomultiplier's files in the folder, by name."""
        serial = self.pmt.serial or f"{self.device.serial}_{self.pmt.part}"
        return sorted(self.folder.glob(f"{serial}_{pattern}.hdf5")) if self.folder else []

    def all(self, name: str) -> list[Mapping[str, Any]]:
        """All its entries of a name that have worked, the oldest first."""
        found = [self.pmt.entries[key] for key in keys_of(self.pmt.entries, name)]
        return [entry for entry in found if entry.get("Folder", NO_FOLDER) != NO_FOLDER]


def recorded(context: TaskContext, name: str) -> Iterator[Recorded]:
    """Each photomultiplier of the task's run, by port, without modules on the ignore list."""
    for device in RunFile.open(context.parameters["run_file"]).devices():
        if device.ignored:
            continue
        for pmt in device.pmts():
            entries = settled(context, pmt.entries)
            keys = keys_of(entries, name)
            key = keys[-1] if keys else ""
            yield Recorded(device, replace(pmt, entries=entries), key, entries.get(key, {}))


def with_data(context: TaskContext, name: str) -> list[Recorded]:
    """The same, for an analysis that reads what was measured.

    Where the papers tell of data that are not there, as after a restore onto an empty disk, a person is asked to copy
    them back; what is not there then is left out: it is no verdict on a module that its data are lost.
    """
    found = list(recorded(context, name))
    if gone := _gone(found):
        folders = ", ".join(sorted({str(one.folder) for one in gone}))
        context.ask(
            f"The data that {context.title} reads are not there ({folders}); they are in no backup. Copy them back, "
            "then say yes. What is still missing then is left out",
            severity="warning",
        )
        gone = _gone(found)
        for one in gone:
            context.note(f"{one.name}: left out, {one.folder} is not there")
    return [one for one in found if one not in gone]


def _gone(found: Sequence[Recorded]) -> list[Recorded]:
    return [one for one in found if one.folder is not None and not one.folder.is_dir()]


def settled(context: TaskContext, entries: Mapping[str, Any]) -> dict[str, Any]:
    """What an object in the papers holds, without measurements of tasks that this one does not certainly come after."""
    return {key: value for key, value in entries.items() if _task_of(value) not in context.unsure}


def _task_of(value: Any) -> str:
    return str(value.get(TASK, "")) if isinstance(value, Mapping) else ""
