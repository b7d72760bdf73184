"""Dumps of stream 1, as LiberTEM-live records and replays them: pairs of (int64 little-endian length, message part).

All parts of one series follow each other, the start message first. Source: LiberTEM-live's recording format; SIMPLON
API reference, Stream V1.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from sim.dectris.images.encode import lz4_from_stream1
from sim.dectris.images.recording.recorded import DTYPES, MAX_SIDE, Recorded

_LENGTH: Final = struct.Struct("<q")
_MAX_JSON: Final = 1 << 20
_HEADER, _IMAGE, _END = "dheader-1.0", "dimage-1.0", "dseries_end-1.0"


class _Broken(Exception):
    """What is wrong with a dump, without its name."""


def write_dump(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts of a series, start message first, in one go: the file is there when it is whole."""
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as file:
        for part in parts:
            file.write(_LENGTH.pack(len(part)))
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_parts(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Parts of a dump of *size* bytes; a part never reaches beyond the file. Raises ValueError."""
    position = 0
    while position < size:
        head = file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            raise ValueError(f"it ends inside a length at byte {position}")
        (length,) = _LENGTH.unpack(head)
        position += _LENGTH.size
        if not 0 <= length <= size - position:
            raise ValueError(f"a part of {length} bytes at byte {position} reaches beyond its end")
        yield file.read(length)
        position += length


def read_dump(path: Path, into: Recorded) -> None:
    """Append a dump's images. Raises ConfigurationRejected."""
    into.reading(str(path))
    try:
        with path.open("rb") as file:
            parts = read_parts(file, path.stat().st_size)
            _read_header(parts)
            _read_images(parts, into)
    except (OSError, ValueError, _Broken) as error:
        raise into.refuse(f"it is no dump of stream 1: {error}") from None


def _read_header(parts: Iterator[bytes]) -> None:
    if _json(next(parts, b"")).get("htype") != _HEADER:
        raise _Broken("it does not begin with a start message")


def _read_images(parts: Iterator[bytes], into: Recorded) -> None:
    """Images up to the end message. What stands between them is the start message's rest, or appendices."""
    for part in parts:
        htype = _json(part).get("htype")
        if htype == _END:
            return
        if htype == _IMAGE:
            description, blob = _json(next(parts, b"")), next(parts, None)
            if blob is None or _json(next(parts, b"")).get("htype") != "dconfig-1.0":
                raise _Broken("it ends inside an image")
            _append(description, blob, into)
        elif htype == "dpixelmask-1.0":
            _read_mask(_json(part), next(parts, b""), into)


def _append(description: Mapping[str, Any], blob: bytes, into: Recorded) -> None:
    width, height = _size(description)
    kind, encoding = description.get("type"), description.get("encoding")
    if kind not in DTYPES or not isinstance(encoding, str):
        raise _Broken("an image tells no type or encoding that is known")
    dtype = np.dtype(str(kind))
    compression = {f"bs{dtype.itemsize * 8}-lz4<": "bslz4", "lz4<": "lz4", "<": "none"}.get(encoding)
    if compression is None:
        raise _Broken(f"encoding {encoding[:20]!r} of {kind} is not known")
    into.expect((height, width), dtype, ("threshold_1",))
    if compression == "lz4":
        blob = lz4_from_stream1(blob, width * height * dtype.itemsize)
    into.add(0, blob, compression)


def _read_mask(description: Mapping[str, Any], raw: bytes, into: Recorded) -> None:
    width, height = _size(description)
    if len(raw) != width * height * 4:
        raise _Broken(f"its pixel mask of {width} x {height} pixels has {len(raw)} bytes")
    mask = np.frombuffer(raw, "<u4").reshape(height, width)
    into.pixel_mask["threshold_1"] = mask.astype(np.uint32)


def _size(description: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height that a description tells. Raises _Broken."""
    match description.get("shape"):
        case [int(width), int(height)] if 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE:
            return width, height
    raise _Broken("an image or mask tells no shape of two sizes")


def _json(part: bytes) -> Mapping[str, Any]:
    """The object in a part; empty where there is none, as in blobs and appendices."""
    if len(part) > _MAX_JSON or not part.startswith(b"{"):
        return {}
    try:
        found = json.loads(part)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
