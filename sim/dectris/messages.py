"""Messages of the legacy stream, version 1: values to the parts of a ZeroMQ message.

Source: SIMPLON API reference 1.8, Stream V1. `shape` is [x, y], fast axis first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Parts = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One image as it goes out."""

    blob: bytes
    md5: str
    """32 hex digits, of the blob."""
    width: int
    height: int
    dtype: str
    """uint8, uint16 or uint32."""
    encoding: str
    """`bs16-lz4<`, `lz4<`, `<`, …"""


@dataclass(frozen=True, slots=True)
class ImageTimes:
    """Times of one image in ns, relative to the first image of the series."""

    start_ns: int
    stop_ns: int
    real_ns: int


@dataclass(frozen=True, slots=True)
class HeaderArrays:
    """What header detail `all` adds."""

    flatfield: NDArray[np.float32]
    """(height, width)"""
    pixel_mask: NDArray[np.uint32]
    """(height, width); bit 0 = gap."""
    countrate_table: NDArray[np.float32]
    """(2, 1000)"""


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _array(htype: str, array: NDArray[Any]) -> tuple[bytes, bytes]:
    shape = list(array.shape) if htype.startswith("dcountrate") else list(array.shape[::-1])
    return _json({"htype": htype, "shape": shape, "type": str(array.dtype)}), array.tobytes()


def header(
    series: int,
    detail: Literal["none", "basic", "all"],
    config: Mapping[str, Any],
    arrays: HeaderArrays,
    appendix: str = "",
) -> Parts:
    """The start message: 1, 2 or 8 parts, and one more with an appendix."""
    parts: Sequence[bytes] = (_json({"htype": "dheader-1.0", "series": series, "header_detail": detail}),)
    if detail != "none":
        parts = (*parts, _json(config))
    if detail == "all":
        parts = (
            *parts,
            *_array("dflatfield-1.0", arrays.flatfield),
            *_array("dpixelmask-1.0", arrays.pixel_mask),
            *_array("dcountrate_table-1.0", arrays.countrate_table),
        )
    return (*parts, appendix.encode()) if appendix else tuple(parts)


def image(
    series: int,
    frame: int,
    encoded: EncodedFrame,
    times: ImageTimes,
    *,
    size_error: int = 0,
    appendix: str = "",
) -> Parts:
    """An image message: 4 parts, and a fifth with an appendix. *size_error* makes `size` a lie."""
    parts = (
        _json({"htype": "dimage-1.0", "series": series, "frame": frame, "hash": encoded.md5}),
        _json(
            {
                "htype": "dimage_d-1.0",
                "shape": [encoded.width, encoded.height],
                "type": encoded.dtype,
                "encoding": encoded.encoding,
                "size": len(encoded.blob) + size_error,
            }
        ),
        encoded.blob,
        _json(
            {
                "htype": "dconfig-1.0",
                "start_time": times.start_ns,
                "stop_time": times.stop_ns,
                "real_time": times.real_ns,
            }
        ),
    )
    return (*parts, appendix.encode()) if appendix else parts


def end(series: int) -> Parts:
    """The end message: one part."""
    return (_json({"htype": "dseries_end-1.0", "series": series}),)
