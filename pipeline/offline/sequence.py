"""A sequence file of a raw module as trains. Its index is held against its datasets when it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.daq.rawfile import HEADER_FIELDS, TRAILER_FIELDS
from pipeline.daq.xtdf import FORMATS, HEADER_BYTES, TRAILER_BYTES
from pipeline.errors import RunUnreadable
from pipeline.model import ModuleTrain
from pipeline.offline.rawrun import RawFile
from pipeline.offline.stored import Stored, StoredFile, opened

LISTS: Final = {"cellId": "u2", "pulseId": "u8", "status": "u2", "length": "u4"}
"""dtype of what an image group lists for each frame."""
SECTIONS: Final = {
    "header": (HEADER_BYTES, HEADER_FIELDS),
    "trailer": (TRAILER_BYTES, TRAILER_FIELDS),
}
MOST_PROPOSALS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Index:
    """What INDEX says of each train: arrays (trains,) u8."""

    train_id: NDArray[np.uint64]
    timestamp_ns: NDArray[np.uint64]
    first: NDArray[np.uint64]
    count: NDArray[np.uint64]
    section: NDArray[np.uint64]
    """Entry of the train in the header, trailer and detector groups."""


class RawSequence:
    """One open sequence file. All of it raises RunUnreadable, with the file and the dataset at fault."""

    def __init__(self, file: StoredFile, raw: RawFile, detector: str) -> None:
        self._file, self._raw = file, raw
        self._name = f"{detector}/DET/{raw.module}CH0:xtdf"
        self._form = FORMATS[raw.kind]
        source = f"INSTRUMENT/{self._name}"
        self.proposal = self._proposal()
        self._index = self._read_index()
        self._data = file.dataset(f"{source}/image/data", "u2", self._form.frame_shape)
        self._lists = {key: file.dataset(f"{source}/image/{key}", dtype) for key, dtype in LISTS.items()}
        self._detector = file.dataset(f"{source}/detector/data", "u1", (None,))
        self._fields: dict[str, dict[str, Stored]] = {
            group: {
                key: file.dataset(f"{source}/{group}/{key}", dtype, (count,))
                for key, (dtype, count, _) in fields.items()
            }
            for group, (_, fields) in SECTIONS.items()
        }
        self._check_frames()
        self._check_sections()

    def _proposal(self) -> int:
        name = "METADATA/proposalNumber"
        stored = self._file.dataset(name, "i8")
        number = int(stored.read(0).reshape(-1)[0]) if stored.shape[0] else -1
        if not 0 <= number < MOST_PROPOSALS:
            raise RunUnreadable(self._raw.path, f"{name} holds no number of a proposal")
        return number

    def _read_index(self) -> Index:
        of_module = f"INDEX/{self._name}"
        names = [
            "INDEX/trainId",
            "INDEX/timestamp",
            f"{of_module}/image/first",
            f"{of_module}/image/count",
            f"{of_module}/header/first",
        ]
        columns = [self._file.numbers(name, "u8") for name in names]
        for name, column in zip(names, columns, strict=True):
            if len(column) != len(columns[0]):
                raise RunUnreadable(
                    self._raw.path, f"{name} has {len(column)} entries, INDEX/trainId has {len(columns[0])}"
                )
        return Index(*columns)

    def _check_frames(self) -> None:
        index, most = self._index, self._form.max_cells
        name = f"INDEX/{self._name}/image"
        if len(rows := np.flatnonzero(index.count > most)):
            row = int(rows[0])
            raise RunUnreadable(
                self._raw.path,
                f"{name}/count tells of {index.count[row]} frames in train {index.train_id[row]}; "
                f"{self._raw.kind} has {most} memory cells",
            )
        for stored in (self._data, *self._lists.values()):
            held = stored.shape[0]
            # A first that is so large that the sum runs over is beyond the end by itself.
            beyond = (index.count > 0) & ((index.first > held) | (index.first + index.count > held))
            if len(rows := np.flatnonzero(beyond)):
                row = int(rows[0])
                first = int(index.first[row])
                raise RunUnreadable(
                    self._raw.path,
                    f"{name} tells of frames {first} … {first + int(index.count[row]) - 1} in train "
                    f"{index.train_id[row]}, {stored.name} holds {held}",
                )

    def _check_sections(self) -> None:
        wanted = self._index.section[self._index.count > 0]
        last = int(wanted.max()) if len(wanted) else -1
        for stored in (self._detector, *(s for group in self._fields.values() for s in group.values())):
            if last >= stored.shape[0]:
                raise RunUnreadable(
                    self._raw.path,
                    f"INDEX/{self._name}/header/first tells of entry {last}, "
                    f"{stored.name} holds {stored.shape[0]}",
                )

    def trains(self) -> Iterator[tuple[int, int, ModuleTrain | None]]:
        """Train id, Unix time in ns, and data (None where the module has none) of each train."""
        index = self._index
        for row in range(len(index.train_id)):
            train_id, stamp = int(index.train_id[row]), int(index.timestamp_ns[row])
            first, count = int(index.first[row]), int(index.count[row])
            train = None
            if count:
                train = self._train(slice(first, first + count), int(index.section[row]), train_id)
            yield train_id, stamp, train

    def _train(self, frames: slice, row: int, train_id: int) -> ModuleTrain:
        lists: dict[str, Any] = {
            key: self._lists[key].read(frames).reshape(-1).astype(dtype) for key, dtype in LISTS.items()
        }
        header = bytearray(self._section("header", row))
        header[16:24] = train_id.to_bytes(8, "little")
        return ModuleTrain(
            module=self._raw.module,
            train_id=train_id,
            data=self._data.read(frames).reshape(-1, *self._form.frame_shape).astype(np.uint16, copy=False),
            cell_id=lists["cellId"],
            pulse_id=lists["pulseId"],
            status=lists["status"],
            length=lists["length"],
            header=bytes(header),
            detector=self._detector.read(row).reshape(-1),
            trailer=self._section("trailer", row),
        )

    def _section(self, group: str, row: int) -> bytes:
        size, fields = SECTIONS[group]
        room = bytearray(size)
        for key, (dtype, count, offset) in fields.items():
            value = self._fields[group][key].read(row).astype(dtype)
            room[offset : offset + value.itemsize * count] = value.tobytes()
        return bytes(room)


@contextmanager
def raw_sequence(raw: RawFile, detector: str) -> Iterator[RawSequence]:
    """Open and check a sequence file. Raises RunUnreadable."""
    with opened(raw.path) as file:
        yield RawSequence(file, raw, detector)
