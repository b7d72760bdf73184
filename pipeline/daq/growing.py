"""HDF5 datasets that grow along their first axis, and the parts that every run file shares.

The low-level interface is used to append: a file grows by some thirty datasets with every train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

FORMAT_VERSION: Final = "1.2"
DAQ_LIBRARY: Final = "1.9.0"
KARABO_FRAMEWORK: Final = "2.7.0"
SMALL_CHUNK_BYTES: Final = 16 * 1024


class Growing:
    """A dataset that is appended to.

    path    where in the file
    shape   shape of one entry, () for a number
    chunk   entries in one chunk; by default as many as fill 16 KiB
    deflate compress chunks with gzip level 1
    """

    __slots__ = ("_dataset", "_dtype", "_length", "_rank", "_shape")

    def __init__(
        self,
        file: h5py.File,
        path: str,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        chunk: int | None = None,
        *,
        deflate: bool = False,
    ) -> None:
        self._dtype = np.dtype(dtype)
        size = self._dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        entries = chunk or max(1, SMALL_CHUNK_BYTES // size)
        dataset = file.create_dataset(
            path,
            (0, *shape),
            self._dtype,
            maxshape=(None, *shape),
            chunks=(entries, *shape),
            track_times=False,
            compression="gzip" if deflate else None,
            compression_opts=1 if deflate else None,
        )
        self._dataset = dataset.id
        self._shape, self._rank, self._length = shape, 1 + len(shape), 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: Any) -> None:
        """Append entries; *values* has the entries along its first axis, or lacks axes of length one."""
        entries: NDArray[Any] = np.ascontiguousarray(values, self._dtype).reshape(-1, *self._shape)
        count = len(entries)
        if count == 0:
            return
        begin, self._length = self._length, self._length + count
        self._dataset.set_extent((self._length, *self._shape))
        space = self._dataset.get_space()
        space.select_hyperslab((begin, *(0,) * (self._rank - 1)), entries.shape)
        self._dataset.write(h5py.h5s.create_simple(entries.shape), space, entries)

    def append_whole_chunks(self, entries: NDArray[Any]) -> None:
        """Append entries (n, *shape), contiguous, of the dataset's dtype, one chunk each, past the chunk cache."""
        begin, self._length = self._length, self._length + len(entries)
        self._dataset.set_extent((self._length, *self._shape))
        rest = (0,) * (self._rank - 1)
        for index, entry in enumerate(entries):
            self._dataset.write_direct_chunk((begin + index, *rest), entry)

    def append_deflated_chunks(self, chunks: Sequence[bytes]) -> None:
        """Append entries, one chunk each, that were compressed elsewhere (zlib streams)."""
        begin, self._length = self._length, self._length + len(chunks)
        self._dataset.set_extent((self._length, *self._shape))
        rest = (0,) * (self._rank - 1)
        for index, chunk in enumerate(chunks):
            self._dataset.write_direct_chunk((begin + index, *rest), chunk)


def create_file(path: Path | RawIOBase) -> h5py.File:
    """A new run file whose flushed content can be read after its writer was killed.

    Newer layouts mark a file as open for writing until it is closed, and readers then refuse it.
    """
    return h5py.File(path, "w", libver=("earliest", "v110"))


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What every file of a run tells about it."""

    proposal: int
    run: int
    run_type: str


class TrainIndex:
    """INDEX: train ids, times, and for each source group the first entry and count of every train."""

    def __init__(self, file: h5py.File, sources: Sequence[str]) -> None:
        self._train_id = Growing(file, "INDEX/trainId", (), "u8")
        self._timestamp = Growing(file, "INDEX/timestamp", (), "u8")
        self._flag = Growing(file, "INDEX/flag", (), "i4")
        self._origin = Growing(file, "INDEX/origin", (), "i4")
        self._first = {s: Growing(file, f"INDEX/{s}/first", (), "u8") for s in sources}
        self._count = {s: Growing(file, f"INDEX/{s}/count", (), "u8") for s in sources}
        self._total = dict.fromkeys(sources, 0)

    def append(self, train_id: int, timestamp_ns: int, counts: dict[str, int]) -> None:
        """Append one train; a source that is not in *counts* has no data in it."""
        self._train_id.append(train_id)
        self._timestamp.append(timestamp_ns)
        self._flag.append(1)  # the train id came from the time server
        self._origin.append(-1)
        for source, total in self._total.items():
            count = counts.get(source, 0)
            self._first[source].append(total)
            self._count[source].append(count)
            self._total[source] = total + count

    def __len__(self) -> int:
        return len(self._train_id)


def write_metadata(
    file: h5py.File, identity: RunIdentity, sequence: int, sources: Sequence[tuple[str, str]]
) -> None:
    """Write METADATA of format 1.2 (EXtra-data, docs/data_format.rst).

    sources   (root, name) of each data source, root INSTRUMENT or CONTROL
    """
    text = h5py.special_dtype(vlen=bytes)
    group = file.create_group("METADATA")
    now = _stamp()
    for name, value in {
        "dataFormatVersion": FORMAT_VERSION,
        "creationDate": now,
        "updateDate": now,
        "daqLibrary": DAQ_LIBRARY,
        "karaboFramework": KARABO_FRAMEWORK,
        "runType": identity.run_type,
        "sample": "",
    }.items():
        group.create_dataset(name, data=np.array([value.encode()], dtype=object), dtype=text)
    for name, number in {
        "proposalNumber": identity.proposal,
        "runNumber": identity.run,
        "sequenceNumber": sequence,
    }.items():
        group.create_dataset(name, data=np.array([number], "u4"))
    columns = {
        "dataSourceId": [f"{root}/{name}" for root, name in sources],
        "root": [root for root, _ in sources],
        "deviceId": [name for _, name in sources],
    }
    for column, values in columns.items():
        encoded = np.array([value.encode() for value in values], dtype=object)
        group.create_dataset(f"dataSources/{column}", data=encoded, dtype=text)


def touch_update_date(file: h5py.File) -> None:
    """Set METADATA/updateDate to now."""
    file["METADATA/updateDate"][0] = _stamp().encode()


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
