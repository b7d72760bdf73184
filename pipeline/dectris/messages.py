"""Messages of the control unit's legacy stream, version 1: the parts of a ZeroMQ message to values.

Written from the SIMPLON API reference 1.8 (Stream V1). Nothing here trusts the sender: whatever does not follow the
reference raises StreamBroken with one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from pipeline.errors import StreamBroken

Part: TypeAlias = bytes | memoryview

MAX_JSON: Final = 1 << 20
MAX_SIDE: Final = 1 << 14
"""Longest side of an image in pixels; the largest detector has 4371."""
MAX_INT: Final = 1 << 63
HEADER_PARTS: Final = {"none": 1, "basic": 2, "all": 8}
DTYPES: Final = {name: np.dtype(name) for name in ("uint8", "uint16", "uint32")}


class SizeDiffers(StreamBroken):
    """An image brings more or fewer bytes than it tells."""

    def __init__(self, series: int, frame: int, told: int, brought: int) -> None:
        self.series, self.frame = series, frame
        super().__init__(
            f"image {frame} of series {series} tells a size of {told} bytes but brings {brought}"
        )


@dataclass(frozen=True, slots=True)
class HeaderMessage:
    """The start of a series, sent at arm."""

    series: int
    detail: str
    """none, basic or all."""
    config: Mapping[str, Any]
    """Detector configuration by key; empty with detail none."""
    appendix: bytes | None

    def count(self, key: str) -> int:
        """A non-negative integer of the configuration. Raises StreamBroken."""
        return _count(self.config, key, f"start message of series {self.series}")


@dataclass(frozen=True, slots=True)
class ImageMessage:
    """One image, still compressed."""

    series: int
    frame: int
    """From 0, over all triggers of the series."""
    md5: str
    """Hash of the blob as the sender tells it."""
    width: int
    height: int
    dtype: np.dtype[Any]
    encoding: str
    blob: Part
    start_ns: int
    stop_ns: int
    real_ns: int
    appendix: bytes | None


@dataclass(frozen=True, slots=True)
class EndMessage:
    """The end of a series."""

    series: int


Message: TypeAlias = HeaderMessage | ImageMessage | EndMessage


def decode(parts: Sequence[Part]) -> Message:
    """The value of one message. Raises StreamBroken."""
    if not parts:
        raise StreamBroken("a message has no parts")
    first = _object(parts[0], "part 1")
    htype = first.get("htype")
    if htype == "dheader-1.0":
        return _header(first, parts)
    if htype == "dimage-1.0":
        return _image(first, parts)
    if htype == "dseries_end-1.0":
        if len(parts) != 1:
            raise StreamBroken(f"an end message has {len(parts)} parts; it should have 1")
        return EndMessage(_count(first, "series", "end message"))
    raise StreamBroken(
        f"a message of unknown type {_shown(htype)}; known: dheader-1.0, dimage-1.0, dseries_end-1.0"
    )


def lacks_parts(parts: Sequence[Part]) -> bool:
    """Whether a message is the beginning of a start message that says of itself that it has more parts."""
    try:
        first = _object(parts[0], "part 1")
    except StreamBroken:
        return False
    detail = first.get("header_detail")
    expected = HEADER_PARTS.get(detail, 0) if isinstance(detail, str) else 0
    return first.get("htype") == "dheader-1.0" and len(parts) < expected


def _header(first: Mapping[str, Any], parts: Sequence[Part]) -> HeaderMessage:
    detail = first.get("header_detail")
    if not isinstance(detail, str) or detail not in HEADER_PARTS:
        raise StreamBroken(f"a start message has header_detail {_shown(detail)}; known: none, basic, all")
    expected = HEADER_PARTS[detail]
    if len(parts) not in (expected, expected + 1):
        raise StreamBroken(
            f"a start message of detail {detail} has {len(parts)} parts; it should have {expected}, "
            f"or {expected + 1} with an appendix"
        )
    return HeaderMessage(
        series=_count(first, "series", "start message"),
        detail=detail,
        config={} if detail == "none" else _object(parts[1], "part 2 of a start message"),
        appendix=bytes(parts[expected]) if len(parts) > expected else None,
    )


def _image(first: Mapping[str, Any], parts: Sequence[Part]) -> ImageMessage:
    if len(parts) not in (4, 5):
        raise StreamBroken(
            f"an image message has {len(parts)} parts; it should have 4, or 5 with an appendix"
        )
    series, frame = _count(first, "series", "image message"), _count(first, "frame", "image message")
    what = f"image {frame} of series {series}"
    data = _object(parts[1], f"part 2 of {what}", "dimage_d-1.0")
    times = _object(parts[3], f"part 4 of {what}", "dconfig-1.0")
    blob = parts[2]
    size = _count(data, "size", what)
    if size != len(blob):
        raise SizeDiffers(series, frame, size, len(blob))
    width, height = _shape(data.get("shape"), what)
    dtype = data.get("type")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise StreamBroken(f"{what} has type {_shown(dtype)}; known: {', '.join(DTYPES)}")
    return ImageMessage(
        series=series,
        frame=frame,
        md5=_text(first, "hash", what),
        width=width,
        height=height,
        dtype=DTYPES[dtype],
        encoding=_text(data, "encoding", what),
        blob=blob,
        start_ns=_count(times, "start_time", what),
        stop_ns=_count(times, "stop_time", what),
        real_ns=_count(times, "real_time", what),
        appendix=bytes(parts[4]) if len(parts) == 5 else None,
    )


def _object(part: Part, what: str, htype: str | None = None) -> dict[str, Any]:
    """A JSON object of bounded size."""
    if len(part) > MAX_JSON:
        raise StreamBroken(f"{what} has {len(part)} bytes; {MAX_JSON} is the most that is read as JSON")
    try:
        value = json.loads(bytes(part))
    except (ValueError, RecursionError):
        raise StreamBroken(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise StreamBroken(f"{what} is not a JSON object")
    if htype is not None and value.get("htype") != htype:
        raise StreamBroken(f"{what} has type {_shown(value.get('htype'))}; it should be {htype}")
    return value


def _count(fields: Mapping[str, Any], key: str, what: str) -> int:
    value = fields.get(key)
    # bool is an int to Python, and no number to anybody else.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_INT:
        raise StreamBroken(f"{key} of {what} is {_shown(value)}; it should be a non-negative integer")
    return value


def _text(fields: Mapping[str, Any], key: str, what: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > 64:
        raise StreamBroken(f"{key} of {what} is {_shown(value)}; it should be a short text")
    return value


def _shape(value: object, what: str) -> tuple[int, int]:
    """Width and height from `shape`, which is [x, y]."""
    if not isinstance(value, list) or len(value) != 2:
        raise StreamBroken(f"shape of {what} is {_shown(value)}; it should be [width, height]")
    for side in value:
        if not isinstance(side, int) or isinstance(side, bool) or not 0 < side <= MAX_SIDE:
            raise StreamBroken(f"shape of {what} is {_shown(value)}; sides should be 1 to {MAX_SIDE} pixels")
    return value[0], value[1]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
