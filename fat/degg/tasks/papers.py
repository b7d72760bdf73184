"""Entries of one measurement in the files of the modules, and its folder of data.

An entry begins with `Folder: "None"` and gets its folder when the measurement has worked. An attempt that takes up
where an earlier one was cut short finds its own entries by the task's name in them: what is done stays done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import NO_FOLDER, PARTS
from fat.degg.station.data_files import new_folder
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt

TASK: Final = "Task"
INTO: Final = "Into"


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
        for pmt in lab.all:
            if pmt not in self._keys:
                self._keys[pmt] = {
                    name: pmt.device.begin(pmt.channel, name, comment, **new) for name in self._names
                }
        if folder is None:
            for device in lab.devices:
                if device.ignored:
                    for channel in range(len(PARTS)):
                        device.begin(channel, self._names[0], comment, **new)

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
        for name in self._names:
            pmt.device.complete(pmt.channel, self._keys[pmt][name], self.folder, **values)

    def failed(self, pmt: Pmt, why: str) -> None:
        """It has not worked: the entries say why, and stay without folder."""
        for name in self._names:
            pmt.device.note(pmt.channel, self._keys[pmt][name], Problem=why)
