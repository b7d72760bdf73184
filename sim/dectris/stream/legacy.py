"""Messages of the legacy stream, version 1: values to the parts of a ZeroMQ message.

Source: SIMPLON API reference 1.8, Stream V1. `shape` is [x, y], fast axis first. The stream has one channel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.encode import encoding
from sim.dectris.images.frames import Layout, Ring
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream.settings import Settings
from sim.dectris.stream.spoiling import EXTRA_PART, HONEST, Spoiled

Parts = tuple[bytes | memoryview, ...]

LARGE_KEYS: Final = frozenset({"countrate_correction_table", "flatfield", "pixel_mask"})
"""Keys with arrays: they have parts of their own, or are left out."""


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def appendix_bytes(appendix: object) -> bytes:
    """An appendix as its message part; empty for none. Text goes as it is, any other JSON value as JSON."""
    if appendix is None or appendix == "":
        return b""
    return appendix.encode() if isinstance(appendix, str) else json.dumps(appendix).encode()


def _array(htype: str, array: NDArray[Any], shape: tuple[int, ...]) -> Parts:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    described = _json({"htype": htype, "shape": list(shape), "type": array.dtype.name})
    return described, little.reshape(-1).view(np.uint8).data


def start(series: ArmedSeries, settings: Settings) -> Parts:
    """The start message: 1, 2 or 8 parts, and one more with an appendix."""
    detail = settings.header_detail
    parts: Parts = (_json({"htype": "dheader-1.0", "series": series.number, "header_detail": detail}),)
    if detail != "none":
        config = {key: value for key, value in series.config.items() if _is_flat(key)}
        parts = (*parts, _json(config))
    if detail == "all":
        flatfield, mask, table = series.flatfield[0], series.pixel_mask[0], series.countrate_table
        parts = (
            *parts,
            *_array("dflatfield-1.0", flatfield, flatfield.shape[::-1]),
            *_array("dpixelmask-1.0", mask, mask.shape[::-1]),
            *_array("dcountrate_table-1.0", table, table.shape),
        )
    appendix = appendix_bytes(settings.header_appendix)
    return (*parts, appendix) if appendix else parts


def _is_flat(key: str) -> bool:
    return key.rsplit("/", 1)[-1] not in LARGE_KEYS


def end(series: int) -> Parts:
    """The end message: one part."""
    return (_json({"htype": "dseries_end-1.0", "series": series}),)


def described(layout: Layout, size: int) -> bytes:
    """Part 2 of an image message: what lies in part 3."""
    return _json(
        {
            "htype": "dimage_d-1.0",
            "shape": [layout.width, layout.height],
            "type": layout.dtype.name,
            "encoding": encoding(layout.dtype, layout.compression),
            "size": size,
        }
    )


def skipped(layout: Layout) -> int:
    """How many bytes of an encoded image are not sent: of HDF5's lz4 framing, only the block is."""
    return 16 if layout.compression == "lz4" else 0


def blob(ring: Ring, number: int) -> memoryview:
    """Part 3 of image *number*; no copy."""
    return ring.channels[0].blob(number)[skipped(ring.layout) :]


def image(
    series: int, number: int, ring: Ring, run: ImageRun, appendix: bytes = b"", spoiled: Spoiled = HONEST
) -> Parts:
    """An image message: 4 parts, and a fifth with an appendix."""
    data = blob(ring, number)
    begun = run.start_ns + (number - run.first) * run.period_ns
    md5 = ring.channels[0].md5[number % ring.distinct]
    md5 = md5[::-1] if spoiled.wrong_hash else md5
    identity = {"htype": "dimage-1.0", "series": series + spoiled.series_offset, "frame": number, "hash": md5}
    times = {
        "htype": "dconfig-1.0",
        "start_time": begun,
        "stop_time": begun + run.exposure_ns,
        "real_time": run.exposure_ns,
    }
    parts: Parts = (
        _json(identity),
        described(ring.layout, len(data) + spoiled.size_error),
        spoiled.blob(data, hashed=True),
        _json(times),
    )
    parts = (*parts, appendix) if appendix else parts
    if spoiled.missing_part:
        parts = parts[:-1]
    return (*parts, *(EXTRA_PART for _ in range(6 - len(parts)))) if spoiled.extra_part else parts
