"""The files of a raw run, and when it began."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.errors import RunUnreadable
from pipeline.offline.stored import opened

RAW_NAME: Final = re.compile(r"RAW-R(\d{4})-(AGIPD|LPD|DSSC)(\d{2})-S(\d{5})\.h5")


@dataclass(frozen=True, slots=True)
class RawFile:
    """One sequence file of one module."""

    path: Path
    kind: str
    """AGIPD, LPD or DSSC."""
    run: int
    module: int
    sequence: int

    @property
    def aggregator(self) -> str:
        """The module as its files name it, e.g. AGIPD03."""
        return f"{self.kind}{self.module:02d}"


def raw_files(folder: Path) -> list[RawFile]:
    """The module files of a raw run. Raises RunUnreadable when there are none."""
    found = []
    for path in sorted(folder.glob("RAW-*.h5")):
        if match := RAW_NAME.fullmatch(path.name):
            run, module, sequence = int(match[1]), int(match[3]), int(match[4])
            found.append(RawFile(path, match[2], run, module, sequence))
    if not found:
        raise RunUnreadable(
            folder, "holds no files RAW-R….-AGIPD..-S…..h5 (or LPD, DSSC); is it the folder of a raw run?"
        )
    return found


def run_begin(folder: Path) -> datetime:
    """Time of the first train that can be read, UTC. Raises RunUnreadable when there is none.

    Unlike `pipeline.constants.run_start`, a damaged file is passed over: correcting it will tell.
    """
    starts: list[int] = []
    for path in folder.glob("RAW-*.h5"):
        with suppress(RunUnreadable), opened(path) as file:
            stamps = file.numbers("INDEX/timestamp", "u8")
            starts += [int(stamps[stamps > 0].min())] if stamps.any() else []
    if not starts:
        raise RunUnreadable(folder, "holds no file with a train that can be read")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(starts) // 1000)
