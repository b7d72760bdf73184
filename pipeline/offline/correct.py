"""Correction of a recorded run, file by file, with the recipe that runs online."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import h5py
import numpy as np

from pipeline.correct import ModuleCorrection
from pipeline.daq.growing import RunIdentity
from pipeline.daq.rawfile import HEADER_FIELDS, TRAILER_FIELDS
from pipeline.errors import RunUnreadable
from pipeline.model import ModuleTrain
from pipeline.online.corrected_file import CorrectedFile, corrected_name

RAW_NAME: Final = re.compile(r"RAW-R(\d{4})-(AGIPD|LPD|DSSC)(\d{2})-S(\d{5})\.h5")
Progress = Callable[[int, int], None]
"""Called with files done, and files in all."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """One sequence file of one module."""

    path: Path
    kind: str
    """AGIPD, LPD or DSSC."""
    run: int
    module: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a correction did."""

    folder: Path
    files: int
    """Corrected now."""
    skipped: int
    """Found finished from an earlier start."""
    trains: int
    failed: tuple[str, ...] = ()
    """A sentence for each file that cannot be corrected; the others were."""
    remaining: int = 0
    """Files that were not begun, because somebody asked to stop."""


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


def correct_run(
    raw: Path,
    out: Path,
    detector: str,
    corrections: Mapping[int, ModuleCorrection],
    executor: Executor,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Summary:
    """Correct all modules of a run that have a correction.

    executor  threads, processes, or any other executor of `concurrent.futures`; each job is one sequence file
    stopping  asked after each file: files that have not begun are left for the next start

    A file gets its name when it is complete, so that a second start goes on where the first was stopped. A file that
    cannot be read is told of, and the others are corrected. Raises RunUnreadable for a folder that is no run.
    """
    out.mkdir(parents=True, exist_ok=True)
    wanted = [file for file in raw_files(raw) if file.module in corrections]
    todo = [file for file in wanted if not _target(out, file).exists()]
    skipped = len(wanted) - len(todo)
    trains, done, cancelled = 0, skipped, 0
    failed: list[str] = []
    futures = [executor.submit(correct_file, file, out, detector, corrections[file.module]) for file in todo]
    for future in as_completed(futures):
        try:
            trains += future.result()
        except RunUnreadable as error:
            failed.append(str(error))
        except CancelledError:
            cancelled += 1
            continue
        done += 1
        if progress is not None:
            progress(done, len(wanted))
        if stopping():
            for waiting in futures:
                waiting.cancel()
    corrected = len(todo) - len(failed) - cancelled
    return Summary(out, corrected, skipped, trains, tuple(sorted(failed)), cancelled)


def correct_file(file: RawFile, out: Path, detector: str, correction: ModuleCorrection) -> int:
    """Correct one sequence file; its trains. Raises RunUnreadable."""
    target = _target(out, file)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with h5py.File(file.path, "r") as source:
            proposal = int(source["METADATA/proposalNumber"][0])
            writer = CorrectedFile(
                unfinished,
                detector,
                file.module,
                RunIdentity(proposal, file.run, "corrected"),
                file.sequence,
                correction.image,
            )
            try:
                trains = 0
                for train_id, timestamp_ns, train in read_trains(source, detector, file.module):
                    part = None if train is None else correction.correct(train)
                    writer.append(train_id, timestamp_ns, part)
                    trains += 1
            finally:
                writer.close()
    except (OSError, KeyError, ValueError) as error:
        unfinished.unlink(missing_ok=True)
        raise RunUnreadable(file.path, f"cannot be corrected: {error}") from error
    unfinished.rename(target)
    return trains


def read_trains(
    source: h5py.File, detector: str, module: int
) -> Iterator[tuple[int, int, ModuleTrain | None]]:
    """Train id, Unix time in ns, and data (None where the module has none) of each train of a raw file."""
    name = f"{detector}/DET/{module}CH0:xtdf"
    data = source[f"INSTRUMENT/{name}"]
    first, count = source[f"INDEX/{name}/image/first"][:], source[f"INDEX/{name}/image/count"][:]
    section = source[f"INDEX/{name}/header/first"][:]
    timestamps = source["INDEX/timestamp"][:]
    for row, train_id in enumerate(source["INDEX/trainId"][:]):
        if not count[row]:
            yield int(train_id), int(timestamps[row]), None
            continue
        frames = slice(int(first[row]), int(first[row] + count[row]))
        yield (
            int(train_id),
            int(timestamps[row]),
            _train(data, frames, int(section[row]), module, int(train_id)),
        )


def _train(data: h5py.Group, frames: slice, row: int, module: int, train_id: int) -> ModuleTrain:
    header, trailer = bytearray(64), bytearray(32)
    header[16:24] = train_id.to_bytes(8, "little")
    for group, room, fields in (("header", header, HEADER_FIELDS), ("trailer", trailer, TRAILER_FIELDS)):
        for key, (dtype, count, offset) in fields.items():
            value = np.asarray(data[f"{group}/{key}"][row]).astype(dtype)
            room[offset : offset + value.itemsize * count] = value.tobytes()
    return ModuleTrain(
        module=module,
        train_id=train_id,
        data=data["image/data"][frames],
        cell_id=data["image/cellId"][frames].reshape(-1),
        pulse_id=data["image/pulseId"][frames].reshape(-1),
        status=data["image/status"][frames].reshape(-1),
        length=data["image/length"][frames].reshape(-1),
        header=bytes(header),
        detector=data["detector/data"][row],
        trailer=bytes(trailer),
    )


def _target(out: Path, file: RawFile) -> Path:
    return out / corrected_name(file.kind, file.run, file.module, file.sequence)
