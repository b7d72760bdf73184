"""The file of a run: which modules it has, what was launched, what the operator said.

    RUN_DIR/run/run_00012.json         this file
    RUN_DIR/run_00012/<serial>.json    its device files
    RUN_DIR/ignore.json                an object whose keys are the serial numbers of modules to leave out
    RUN_DIR/../data                    DATA_DIR

What is no bookkeeping and leads to a JSON file is a module, whatever serial numbers look like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Self

from fat.degg.records.device_file import DeviceFile
from fat.degg.records.locked_json import RecordUnreadable, edited, locked, read_json, update_json, write_json
from fat.degg.records.numbering import create_key, keys_of, next_run_number, spelled

LAUNCH: Final = "MasterFAT"
MANUAL_INPUT: Final = "ManualInputTime"
TERMINATED: Final = "RunTerminated"
_BOOKKEEPING: Final = re.compile(rf"comment|date|{TERMINATED}|{LAUNCH}_[0-9]+|{MANUAL_INPUT}[0-9]+")
_NAME: Final = re.compile(r"run_([0-9]{5,})\.json")
SERIAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,63}")


def is_bookkeeping(key: str) -> bool:
    """Whether a key of a run file tells about the run rather than of a module."""
    return _BOOKKEEPING.fullmatch(key) is not None


class RunFile:
    """A run file. It is read anew whenever something is asked."""

    def __init__(self, path: Path) -> None:
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise RecordUnreadable(path, "a run file is called run_<5 digits>.json")
        self.path = path.absolute()
        self.number = int(name[1])
        read_json(path)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a run file. Raises RecordUnreadable."""
        return cls(Path(path))

    @classmethod
    def create(
        cls, run_dir: Path, comment: str, day: date, devices: Mapping[str, Path], number: int | None = None
    ) -> Self:
        """Write the file of a new run, with the next free number.

        devices  device file by serial number
        number   the number that it must be

        Raises RecordUnreadable for a serial number that is none, and when another run took the number.
        """
        for serial in devices:
            if is_bookkeeping(serial) or not SERIAL.fullmatch(serial):
                raise RecordUnreadable(run_dir, f"{serial!r} cannot be the serial number of a module")
        folder = run_dir / "run"
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "number"):
            free = next_run_number(run_dir)
            path = folder / f"run_{spelled(free)}.json"
            if number not in (None, free):
                raise RecordUnreadable(
                    path, f"run {number} was made by somebody else meanwhile; make yours again"
                )
            paths = {serial: str(file.absolute()) for serial, file in devices.items()}
            write_json(path, {**paths, "comment": comment, "date": f"{day:%Y-%m-%d}"})
        return cls(path)

    def body(self) -> dict[str, Any]:
        """Everything in the file, now."""
        return read_json(self.path)

    @property
    def run_dir(self) -> Path:
        """RUN_DIR, which holds the files of all runs."""
        return self.path.parent.parent

    @property
    def data_dir(self) -> Path:
        """DATA_DIR, for measured data: the folder `data` beside RUN_DIR."""
        return self.run_dir.parent / "data"

    @property
    def device_dir(self) -> Path:
        """Where the run's device files and the archived configurations are."""
        return self.run_dir / f"run_{spelled(self.number)}"

    @property
    def comment(self) -> str:
        """What the operator said when the run was made."""
        return str(self.body().get("comment", ""))

    @property
    def ignored(self) -> frozenset[str]:
        """Serial numbers on the ignore list; none without a list. Raises RecordUnreadable."""
        path = self.run_dir / "ignore.json"
        return frozenset(read_json(path)) if path.exists() else frozenset()

    def device_paths(self) -> dict[str, Path]:
        """Device file by serial number, in the file's order."""
        return {
            key: Path(value)
            for key, value in self.body().items()
            if not is_bookkeeping(key) and isinstance(value, str) and value.endswith(".json")
        }

    def devices(self) -> list[DeviceFile]:
        """The run's modules, those on the ignore list too (`.ignored`), by port. Raises RecordUnreadable."""
        ignored = self.ignored
        found = [DeviceFile.open(p, ignored=serial in ignored) for serial, p in self.device_paths().items()]
        return sorted(found, key=lambda device: device.port)

    def launches(self) -> dict[str, dict[str, Any]]:
        """All `MasterFAT_NN` objects, the oldest first."""
        body = self.body()
        return {key: dict(body[key]) for key in keys_of(body, LAUNCH) if isinstance(body[key], dict)}

    def begin_launch(self, entry: Mapping[str, Any]) -> str:
        """Write the object of a new launch; returns its key."""
        with edited(self.path) as body:
            key = create_key(body, LAUNCH)
            body[key] = dict(entry)
        return key

    def update_launch(self, key: str, changes: Mapping[str, Any]) -> None:
        """Change the object of a launch. Raises RecordUnreadable when there is none."""
        with edited(self.path) as body:
            if not isinstance(body.get(key), dict):
                raise RecordUnreadable(self.path, f"launch {key} was never begun")
            body[key].update(changes)

    def manual_input(self, moment: str) -> str:
        """Keep when a manual input was confirmed; returns the key, `ManualInputTime0` and on."""
        with edited(self.path) as body:
            taken = [
                int(key.removeprefix(MANUAL_INPUT))
                for key in body
                if re.fullmatch(rf"{MANUAL_INPUT}[0-9]+", key)
            ]
            key = f"{MANUAL_INPUT}{max(taken, default=-1) + 1}"
            body[key] = moment
        return key

    def terminate(self, reason: str) -> None:
        """Keep why the operator ended the run."""
        update_json(self.path, {TERMINATED: reason})
