"""Entries of one measurement in the files of the modules, and its folder of data.

An entry begins with `Folder: "None"` and gets its folder when the measurement has worked. An attempt that takes up
where an earlier one was cut short finds its own entries by the task's name in them: what is done stays done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import NO_FOLDER, PARTS, DeviceChanges, DeviceFile
from fat.degg.station.data_files import new_folder
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from scheduler import TaskContext

TASK: Final = "Task"
INTO: Final = "Into"


def begin_once(
    context: TaskContext, changes: DeviceChanges, name: str, comment: str, **parameters: Any
) -> str:
    """The task's entry in a module's file: that of an attempt which was cut short, or a new one; returns its key."""
    latest = changes.latest(None, name)
    if context.attempt > 1 and latest is not None and latest[1].get(TASK) == context.task_id:
        return latest[0]
    return changes.begin(None, name, comment, **{TASK: context.task_id}, **parameters)


class Papers:
    """One measurement of all photomultipliers of a run.

    names   of the entries, such as `GainMeasurement`; the first one's tells what is done
    kind    of the data, the folder below DATA_DIR
    parameters  of the measurement, JSON, for the entries
    resume  take up entries of this task that are there already, as a second attempt always does
    """

    def __init__(
        self,
        lab: Photomultipliers,
        names: Sequence[str],
        kind: str,
        comment: str,
        parameters: Mapping[str, Any],
        *,
        resume: bool = False,
    ) -> None:
        self._names, self._keys = tuple(names), dict[Pmt, dict[str, str]]()
        self.done: set[Pmt] = set()
        """What an earlier attempt has completed."""
        task = lab.context.task_id
        folder: Path | None = None
        if resume or lab.context.attempt > 1:
            folder = self._take_up(lab.all, task)
        self.folder = folder or new_folder(lab.run.data_dir, kind, datetime.now(UTC).date())
        new = {TASK: task, INTO: str(self.folder), **parameters}
        taking_part = {pmt.device.path: pmt.device for pmt in lab.all}
        for device in lab.devices:
            if device.path in taking_part:
                self._begin([pmt for pmt in lab.all if pmt.device is device], comment, new)
            elif folder is None:
                self._leave_out(device, comment, new)

    def _begin(self, pmts: Sequence[Pmt], comment: str, parameters: Mapping[str, Any]) -> None:
        """Entries of one module's photomultipliers that have none yet."""
        missing = [pmt for pmt in pmts if pmt not in self._keys]
        if missing:
            with missing[0].device.changes() as changes:
                for pmt in missing:
                    self._keys[pmt] = {
                        name: changes.begin(pmt.channel, name, comment, **parameters) for name in self._names
                    }

    def _leave_out(self, device: DeviceFile, comment: str, parameters: Mapping[str, Any]) -> None:
        """A module on the ignore list: its entries say so."""
        with device.changes() as changes:
            for channel in range(len(PARTS)):
                for name in self._names:
                    changes.begin(channel, name, comment, **parameters)

    def _take_up(self, pmts: Sequence[Pmt], task: str) -> Path | None:
        folder = None
        for pmt in pmts:
            found = {name: pmt.device.latest(pmt.channel, name) for name in self._names}
            latest = {name: entry for name, entry in found.items() if entry and entry[1].get(TASK) == task}
            if len(latest) < len(self._names):
                continue
            self._keys[pmt] = {name: key for name, (key, _) in latest.items()}
            if all(entry["Folder"] != NO_FOLDER for _, entry in latest.values()):
                self.done.add(pmt)
            into = Path(str(latest[self._names[0]][1].get(INTO)))
            folder = into if into.is_dir() else folder
        return folder

    def complete(self, pmt: Pmt, **values: Any) -> None:
        """It has worked: the entries get the folder, and what was found."""
        self.conclude({pmt: values}, {})

    def failed(self, pmt: Pmt, why: str) -> None:
        """It has not worked: the entries say why, and stay without folder."""
        self.conclude({}, {pmt: why})

    def conclude(
        self,
        done: Mapping[Pmt, Mapping[str, Any]],
        failed: Mapping[Pmt, str],
        beside: Mapping[Pmt, Mapping[str, Any]] | None = None,
    ) -> None:
        """What has worked, with what was found, and what has not, with why; each module's file is written once.

        beside  values of photomultipliers beside their measurements, such as `HV1e7Gain`
        """
        devices = {pmt.device.path: pmt.device for pmt in (*done, *failed)}
        for path, device in devices.items():
            with device.changes() as changes:
                for pmt in (pmt for pmt in (*done, *failed) if pmt.device.path == path):
                    for key in self._keys[pmt].values():
                        if pmt in done:
                            changes.complete(pmt.channel, key, self.folder, **done[pmt])
                        else:
                            changes.note(pmt.channel, key, Problem=failed[pmt])
                    if beside and pmt in beside:
                        changes.set(pmt.channel, **beside[pmt])
