"""Corrected sequence files: one for each module.

Names, shapes and dtypes: EXtra-data, docs/agipd_lpd_data.rst and components.py. Since 2026 corrected data are under
`{detector}/CORR/{n}CH0:output`; the old names remain as soft links.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from pipeline.daq.growing import (
    Growing,
    RunIdentity,
    TrainIndex,
    create_file,
    touch_update_date,
    write_metadata,
)
from pipeline.daq.rawfile import HEADER_FIELDS, TRAILER_FIELDS
from pipeline.model import CorrectedModule, ModuleTrain

GROUPS: Final = ("detector", "header", "image", "trailer")
MapCall = Callable[[Callable[[Any], bytes], Iterable[Any]], Iterator[bytes]]
"""`map`, or an executor's."""


def corrected_name(kind: str, run: int, module: int, sequence: int) -> str:
    """Name of a corrected sequence file; *kind* AGIPD, LPD or DSSC."""
    return f"CORR-R{run:04d}-{kind}{module:02d}-S{sequence:05d}.h5"


def _deflate(frame: Any) -> bytes:
    return zlib.compress(frame, 1)


class CorrectedFile:
    """One corrected sequence file of one module. Flushed after every train.

    path   where, or an open file that can be read and written
    image  slow and fast scan pixels
    """

    def __init__(
        self,
        path: Path | RawIOBase,
        detector: str,
        module: int,
        identity: RunIdentity,
        sequence: int,
        image: tuple[int, int],
        *,
        each: MapCall = map,
    ) -> None:
        self._source = f"{detector}/CORR/{module}CH0:output"
        self._each = each
        old = f"{detector}/DET/{module}CH0:xtdf"
        self._file = create_file(path)
        names = [f"{source}/{group}" for source in (self._source, old) for group in GROUPS]
        write_metadata(self._file, identity, sequence, [("INSTRUMENT", name) for name in names])
        self._index = TrainIndex(self._file, [f"{self._source}/{group}" for group in GROUPS])
        grow = self._grow
        self._image = {
            "trainId": grow("image/trainId", (), "u8", 1024),
            "pulseId": grow("image/pulseId", (), "u8", 1024),
            "cellId": grow("image/cellId", (), "u2", 4096),
            "status": grow("image/status", (1,), "u2", 4096),
            "length": grow("image/length", (1,), "u4", 2048),
        }
        self._data = grow("image/data", image, "f4", 1)
        self._gain = grow("image/gain", image, "u1", 1, deflate=True)
        self._mask = grow("image/mask", image, "u4", 1, deflate=True)
        self._detector: Growing | None = None
        self._train_ids = [grow(f"{group}/trainId", (), "u8") for group in ("detector", "header", "trailer")]
        self._header = {name: _section(grow, "header", name, field) for name, field in HEADER_FIELDS.items()}
        self._trailer = {
            name: _section(grow, "trailer", name, field) for name, field in TRAILER_FIELDS.items()
        }
        for root in ("INDEX", "INSTRUMENT"):
            self._file.require_group(f"{root}/{detector}/DET")
            self._file[f"{root}/{old}"] = h5py.SoftLink(f"/{root}/{self._source}")

    def _grow(
        self, key: str, shape: tuple[int, ...], dtype: str, chunk: int | None = None, *, deflate: bool = False
    ) -> Growing:
        return Growing(self._file, f"INSTRUMENT/{self._source}/{key}", shape, dtype, chunk, deflate=deflate)

    def append(self, train_id: int, timestamp_ns: int, part: CorrectedModule | None) -> None:
        """Append a train; None when this module has no data in it."""
        counts: dict[str, int] = {}
        if part is not None and part.raw is not None:
            self._append_frames(part, part.raw)
            self._append_sections(part.raw)
            counts = {f"{self._source}/{group}": 1 for group in GROUPS}
            counts[f"{self._source}/image"] = len(part.data)
        self._index.append(train_id, timestamp_ns, counts)
        self._file.flush()

    def _append_frames(self, part: CorrectedModule, raw: ModuleTrain) -> None:
        self._data.append_whole_chunks(part.data)
        self._gain.append_deflated_chunks(list(self._each(_deflate, part.gain)))
        self._mask.append_deflated_chunks(list(self._each(_deflate, part.mask)))
        self._image["trainId"].append(np.full(len(part.data), part.train_id, "u8"))
        self._image["pulseId"].append(part.pulse_id)
        self._image["cellId"].append(part.cell_id)
        self._image["status"].append(raw.status)
        self._image["length"].append(raw.length)

    def _append_sections(self, raw: ModuleTrain) -> None:
        if self._detector is None:
            self._detector = self._grow("detector/data", raw.detector.shape, "u1", 16)
        self._detector.append(raw.detector)
        for train_ids in self._train_ids:
            train_ids.append(raw.train_id)
        for name, (dtype, count, offset) in HEADER_FIELDS.items():
            self._header[name].append(np.frombuffer(raw.header, dtype, count, offset))
        for name, (dtype, count, offset) in TRAILER_FIELDS.items():
            self._trailer[name].append(np.frombuffer(raw.trailer, dtype, count, offset))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file:
            touch_update_date(self._file)
            self._file.close()


def _section(grow: Callable[..., Growing], group: str, name: str, field: tuple[str, int, int]) -> Growing:
    dtype, count, _ = field
    return grow(f"{group}/{name}", (count,) if count > 1 else (), dtype)
