"""Inspect a run of XTDF modules: what a reader would stumble over, one rule each.

They begin where the validator of EXtra-data ends: missing modules, sequences that cover different trains, frame counts,
pulse and cell ids that differ between modules, magic numbers, lengths. Its rules of train ids and index are here again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.daq.xtdf import FORMATS, MAGIC_BEGIN, MAGIC_END
from pipeline.errors import RunUnreadable

FILE_NAME: Final = re.compile(r"(?:RAW|CORR)-R\d{4}-(\w+)-S(\d{5})\.h5")
MODULE_SOURCE: Final = re.compile(r"(.+)/(?:DET/(\d+)CH0:xtdf|CORR/(\d+)CH0:output)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a run."""

    rule: str
    where: str
    """File, or module and train."""
    text: str


@dataclass(slots=True)
class ModuleSequence:
    """One sequence file of one module, opened."""

    path: Path
    module: int
    sequence: int
    detector: str
    train_id: NDArray[np.uint64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    source: h5py.Group
    raw: bool


@dataclass(slots=True)
class Inspection:
    """What a run holds, and what is wrong with it."""

    folder: Path
    modules: tuple[int, ...] = ()
    trains: int = 0
    frames: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """A JSON object."""
        found = [{"rule": f.rule, "where": f.where, "text": f.text} for f in self.findings]
        return {
            "folder": str(self.folder),
            "modules": list(self.modules),
            "trains": self.trains,
            "frames": self.frames,
            "files": self.files,
            "findings": found,
        }


def inspect_run(folder: Path, expected_modules: int | None = None) -> Inspection:
    """Apply all rules to the module files of a run directory. Raises RunUnreadable when there are none.

    expected_modules   how many modules there must be; by default 16 of a 1M detector, 8 of a 500K
    """
    if not folder.is_dir():
        raise RunUnreadable(folder, "is no directory; name the directory of a run, e.g. raw/r0001")
    paths = sorted(path for path in folder.glob("*.h5") if FILE_NAME.fullmatch(path.name))
    if not paths:
        raise RunUnreadable(folder, "holds no file like RAW-R0001-AGIPD00-S00000.h5")
    result = Inspection(folder, files=len(paths))
    with ExitStack() as stack:
        opened: list[ModuleSequence] = []
        for path in paths:
            _open(path, stack, opened, result.findings)
        if not opened and not result.findings:
            raise RunUnreadable(folder, "holds no XTDF module data")
        result.modules = tuple(sorted({item.module for item in opened}))
        result.trains = len({int(train) for item in opened for train in item.train_id})
        result.frames = sum(int(item.count.sum()) for item in opened)
        result.findings += missing_modules(opened, expected_modules)
        for item in opened:
            for rule in RULES_OF_A_FILE:
                result.findings += rule(item)
        result.findings += differing_trains(opened)
        result.findings += differing_pulses(opened)
    return result


def _open(path: Path, stack: ExitStack, opened: list[ModuleSequence], findings: list[Finding]) -> None:
    try:
        file = stack.enter_context(h5py.File(path, "r"))
        item = _module_sequence(path, file)
    except (OSError, KeyError, ValueError) as error:
        findings.append(Finding("readable", path.name, f"cannot be read: {error}"))
        return
    if item is not None:
        opened.append(item)


def _module_sequence(path: Path, file: h5py.File) -> ModuleSequence | None:
    """The module data of a file; None in a file of other sources. Raises KeyError on a missing part."""
    name = FILE_NAME.fullmatch(path.name)
    for detector in file.get("INSTRUMENT", {}):
        for family in file["INSTRUMENT"][detector]:
            for source in file["INSTRUMENT"][detector][family]:
                found = MODULE_SOURCE.fullmatch(f"{detector}/{family}/{source}")
                if found is None or name is None:
                    continue
                index = file[f"INDEX/{found[0]}/image"]
                return ModuleSequence(
                    path=path,
                    module=int(found[2] or found[3]),
                    sequence=int(name[2]),
                    detector=found[1],
                    train_id=file["INDEX/trainId"][:],
                    first=index["first"][:].astype(np.int64),
                    count=index["count"][:].astype(np.int64),
                    source=file[f"INSTRUMENT/{found[0]}"],
                    raw=found[2] is not None,
                )
    return None


def missing_modules(opened: list[ModuleSequence], expected: int | None) -> Iterator[Finding]:
    """Every module of the detector has files, and each has the same sequences."""
    if not opened:
        return
    detector = opened[0].detector
    wanted = expected or (8 if "500K" in detector else 16)
    present = {item.module for item in opened}
    for module in sorted(set(range(wanted)) - present):
        yield Finding("missing_modules", detector, f"module {module} has no file")
    sequences = {item.sequence for item in opened}
    for module in sorted(present):
        absent = sequences - {item.sequence for item in opened if item.module == module}
        for sequence in sorted(absent):
            yield Finding("missing_modules", f"module {module}", f"sequence {sequence} has no file")


def train_ids(item: ModuleSequence) -> Iterator[Finding]:
    """Train ids are not zero and strictly increasing."""
    if (item.train_id == 0).any():
        yield Finding("train_ids", item.path.name, f"train id 0 at entry {int(np.argmin(item.train_id))}")
    steps = np.diff(item.train_id.astype(np.int64))
    if (steps <= 0).any():
        entry = int(np.argmax(steps <= 0)) + 1
        yield Finding(
            "train_ids", item.path.name, f"train id {item.train_id[entry]} does not follow in order"
        )


def index_runs_on(item: ModuleSequence) -> Iterator[Finding]:
    """The first frame of a train follows the last one of the train before, and all lie in the data."""
    expected = np.concatenate([[0], np.cumsum(item.count)])
    if len(item.first) != len(item.train_id) or len(item.count) != len(item.train_id):
        yield Finding(
            "index", item.path.name, "the index has another number of entries than there are trains"
        )
    elif (item.first != expected[:-1]).any():
        entry = int(np.argmax(item.first != expected[:-1]))
        yield Finding(
            "index",
            item.path.name,
            f"train {item.train_id[entry]} begins at frame {item.first[entry]}, "
            f"but {expected[entry]} came before",
        )
    elif len(item.source["image/data"]) < expected[-1]:
        present = len(item.source["image/data"])
        yield Finding(
            "index", item.path.name, f"the index tells of {expected[-1]} frames, {present} are there"
        )


def frames_say_their_train(item: ModuleSequence) -> Iterator[Finding]:
    """image.trainId agrees with the index."""
    stated = item.source["image/trainId"][:].ravel()
    expected = np.repeat(item.train_id, item.count)
    if len(stated) < len(expected) or (stated[: len(expected)] != expected).any():
        yield Finding("image_train_id", item.path.name, "image.trainId disagrees with the index")


def lengths(item: ModuleSequence) -> Iterator[Finding]:
    """image.length is the size of a raw frame."""
    frame_bytes = {form.frame_bytes for form in FORMATS.values() if form.name in item.detector}
    stated = item.source["image/length"][: int(item.count.sum())].ravel()
    wrong = ~np.isin(stated, list(frame_bytes))
    if frame_bytes and wrong.any():
        frame = int(np.argmax(wrong))
        yield Finding("length", item.path.name, f"image.length of frame {frame} is {stated[frame]}")


def magic_numbers(item: ModuleSequence) -> Iterator[Finding]:
    """Header and trailer bear their magic numbers."""
    for key, magic in (("header/magicNumberBegin", MAGIC_BEGIN), ("trailer/magicNumberEnd", MAGIC_END)):
        stated = item.source[key][:].astype(np.int8)
        wrong = (stated != np.frombuffer(magic, np.int8)).any(axis=1)
        if wrong.any():
            yield Finding(
                "magic", item.path.name, f"{key.replace('/', '.')} is wrong at entry {int(np.argmax(wrong))}"
            )


def pulse_counts(item: ModuleSequence) -> Iterator[Finding]:
    """header.pulseCount of raw data is the number of frames."""
    if not item.raw:
        return
    stated = item.source["header/pulseCount"][:].astype(np.int64)
    expected = item.count[item.count > 0]
    if len(stated) != len(expected) or (stated != expected).any():
        yield Finding("pulse_count", item.path.name, "header.pulseCount disagrees with the index")


RULES_OF_A_FILE: Final = (
    train_ids,
    index_runs_on,
    frames_say_their_train,
    lengths,
    magic_numbers,
    pulse_counts,
)


def differing_trains(opened: list[ModuleSequence]) -> Iterator[Finding]:
    """All modules' files of one sequence cover the same trains."""
    for sequence in sorted({item.sequence for item in opened}):
        items = [item for item in opened if item.sequence == sequence]
        common = items[0].train_id
        for item in items[1:]:
            if not np.array_equal(item.train_id, common):
                yield Finding("trains", item.path.name, f"covers other trains than {items[0].path.name}")


def differing_pulses(opened: list[ModuleSequence]) -> Iterator[Finding]:
    """In each train every module has the same frames, pulse ids and cell ids as the others, or no frames."""
    seen: dict[int, tuple[int, NDArray[Any], NDArray[Any]]] = {}
    for item in opened:
        pulse = item.source["image/pulseId"][:].ravel()
        cell = item.source["image/cellId"][:].ravel()
        for train, first, count in zip(item.train_id.tolist(), item.first, item.count, strict=False):
            if count == 0:
                continue
            mine = (item.module, pulse[first : first + count], cell[first : first + count])
            other = seen.setdefault(train, mine)
            yield from _compare(train, mine, other)


def _compare(
    train: int, mine: tuple[int, NDArray[Any], NDArray[Any]], other: tuple[int, NDArray[Any], NDArray[Any]]
) -> Iterator[Finding]:
    where = f"train {train}, module {mine[0]}"
    if len(mine[1]) != len(other[1]):
        yield Finding("frame_count", where, f"{len(mine[1])} frames, module {other[0]} has {len(other[1])}")
        return
    for position, name in ((1, "pulse_id"), (2, "cell_id")):
        if not np.array_equal(mine[position], other[position]):
            yield Finding(name, where, f"{name.replace('_', ' ')}s differ from those of module {other[0]}")
