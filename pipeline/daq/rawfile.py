"""RAW sequence files of XTDF data, one for each module.

Paths, shapes and dtypes: EXtra-data, docs/data_format.rst, docs/agipd_lpd_data.rst and tests/mockdata/detectors.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.daq.growing import (
    Growing,
    RunIdentity,
    TrainIndex,
    create_file,
    touch_update_date,
    write_metadata,
)
from pipeline.daq.xtdf import DetectorFormat
from pipeline.model import ModuleTrain

GROUPS: Final = ("detector", "header", "image", "trailer")


class ModuleFile:
    """One sequence file of one module.

    Frames are stored uncompressed, one to a chunk. Each train is flushed, so that a killed recording can be read.
    """

    def __init__(
        self,
        path: Path,
        detector: str,
        module: int,
        form: DetectorFormat,
        identity: RunIdentity,
        sequence: int,
    ) -> None:
        self._source = f"{detector}/DET/{module}CH0:xtdf"
        self._file = create_file(path)
        sources = [("INSTRUMENT", f"{self._source}/{group}") for group in GROUPS]
        write_metadata(self._file, identity, sequence, sources)
        self._index = TrainIndex(self._file, [f"{self._source}/{group}" for group in GROUPS])
        self._image = {
            "data": self._grow("image/data", form.frame_shape, "u2", 1),
            "trainId": self._grow("image/trainId", (1,), "u8", 1024),
            "pulseId": self._grow("image/pulseId", (1,), "u8", 1024),
            "cellId": self._grow("image/cellId", (1,), "u2", 4096),
            "status": self._grow("image/status", (1,), "u2", 4096),
            "length": self._grow("image/length", (1,), "u4", 2048),
        }
        self._detector = {
            "data": self._grow("detector/data", (form.detector_bytes,), "u1", 16),
            "trainId": self._grow("detector/trainId", (), "u8"),
        }
        self._header = {
            "magicNumberBegin": self._grow("header/magicNumberBegin", (8,), "i1"),
            "majorTrainFormatVersion": self._grow("header/majorTrainFormatVersion", (), "u4"),
            "minorTrainFormatVersion": self._grow("header/minorTrainFormatVersion", (), "u4"),
            "trainId": self._grow("header/trainId", (), "u8"),
            "dataId": self._grow("header/dataId", (), "u8"),
            "linkId": self._grow("header/linkId", (), "u8"),
            "pulseCount": self._grow("header/pulseCount", (), "u8"),
            "reserved": self._grow("header/reserved", (16,), "u1"),
        }
        self._trailer = {
            "checksum": self._grow("trailer/checksum", (16,), "i1"),
            "status": self._grow("trailer/status", (), "u8"),
            "magicNumberEnd": self._grow("trailer/magicNumberEnd", (8,), "i1"),
            "trainId": self._grow("trailer/trainId", (), "u8"),
        }

    def _grow(self, key: str, shape: tuple[int, ...], dtype: str, chunk: int | None = None) -> Growing:
        return Growing(self._file, f"INSTRUMENT/{self._source}/{key}", shape, dtype, chunk)

    def append(self, train_id: int, timestamp_ns: int, train: ModuleTrain | None) -> None:
        """Append a train; None when this module has no data in it."""
        counts: dict[str, int] = {}
        if train is not None:
            self._append_frames(train)
            self._append_sections(train)
            counts = {f"{self._source}/{group}": 1 for group in GROUPS}
            counts[f"{self._source}/image"] = len(train.data)
        self._index.append(train_id, timestamp_ns, counts)
        self._file.flush()

    def _append_frames(self, train: ModuleTrain) -> None:
        self._image["data"].append_whole_chunks(train.data)
        self._image["trainId"].append(np.full(len(train.data), train.train_id, "u8"))
        self._image["pulseId"].append(train.pulse_id)
        self._image["cellId"].append(train.cell_id)
        self._image["status"].append(train.status)
        self._image["length"].append(train.length)

    def _append_sections(self, train: ModuleTrain) -> None:
        self._detector["data"].append(train.detector)
        for group in (self._detector, self._header, self._trailer):
            group["trainId"].append(train.train_id)
        for name, field in HEADER_FIELDS.items():
            self._header[name].append(_part(train.header, *field))
        for name, field in TRAILER_FIELDS.items():
            self._trailer[name].append(_part(train.trailer, *field))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file:
            touch_update_date(self._file)
            self._file.close()


HEADER_FIELDS: Final = {
    "magicNumberBegin": ("i1", 8, 0),
    "majorTrainFormatVersion": ("<u4", 1, 8),
    "minorTrainFormatVersion": ("<u4", 1, 12),
    "dataId": ("<u8", 1, 24),
    "linkId": ("<u8", 1, 32),
    "pulseCount": ("<u8", 1, 40),
    "reserved": ("u1", 16, 48),
}
"""dtype, how many, and offset in the header; the train id is written for each section."""

TRAILER_FIELDS: Final = {
    "checksum": ("i1", 16, 0),
    "status": ("<u8", 1, 16),
    "magicNumberEnd": ("i1", 8, 24),
}
"""dtype, how many, and offset in the trailer."""


def _part(section: bytes, dtype: str, count: int, offset: int) -> Any:
    return np.frombuffer(section, dtype, count, offset)
