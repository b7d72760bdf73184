"""Messages of both streams as one kind of value: starts, images, ends.

Written from the SIMPLON API reference 1.8 (Stream V1, Stream V2). Nothing here trusts the sender: whatever does not
follow the reference raises StreamBroken with one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from pipeline.dectris import messages
from pipeline.dectris.engine import stream2
from pipeline.dectris.values import SeriesStart
from pipeline.errors import StreamBroken
from pipeline.model import F32, U32

PLAIN: Final = 0
LZ4_BLOCK: Final = 1
LZ4_HDF5: Final = 2
BSLZ4: Final = 3
"""How a blob is packed, as the kernels know it."""

FIRST_CHANNEL: Final = "threshold_1"
_ENCODING: Final = re.compile(r"(?:bs(8|16|32)-?)?(lz4)?<")
_BIT_DEPTHS: Final[Mapping[int, np.dtype[Any]]] = {
    8: np.dtype("uint8"),
    16: np.dtype("uint16"),
    32: np.dtype("uint32"),
}
_HEX: Final = re.compile(r"[0-9a-fA-F]{32}")
_PLAIN_ARRAY_PARTS: Final = 8


@dataclass(frozen=True, slots=True)
class ChannelData:
    """One channel of an image, still packed."""

    name: str
    coding: int
    data: messages.Part


@dataclass(frozen=True, slots=True)
class Image:
    """One exposure."""

    series: int
    frame: int
    width: int
    height: int
    dtype: np.dtype[Any]
    channels: tuple[ChannelData, ...]
    digest: bytes | None
    """MD5 of the data as the sender tells it; stream 2 and senders without hash tell none."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a series."""

    series: int


Message: TypeAlias = SeriesStart | Image | End


def series_of(message: Message) -> int:
    """The series that a message belongs to."""
    return message.series


def decode(parts: Sequence[messages.Part]) -> Message:
    """The value of one message of either stream. Raises StreamBroken."""
    if not parts:
        raise StreamBroken("a message has no parts")
    if bytes(parts[0][:3]) == stream2.SELF_DESCRIBED:
        if len(parts) != 1:
            raise StreamBroken(f"a message of stream 2 has {len(parts)} parts; it should have 1")
        return _of_stream2(parts[0])
    message = messages.decode(parts)
    if isinstance(message, messages.HeaderMessage):
        return start_of(message, parts)
    if isinstance(message, messages.EndMessage):
        return End(message.series)
    return image_of(message)


def starts_series(parts: Sequence[messages.Part]) -> bool:
    """Whether a message that could not be decoded was meant as a start."""
    first = bytes(parts[0][:128]) if parts else b""
    # The text "start" after the key "type": 64 74 79 70 65, 65 73 74 61 72 74.
    return b"dheader" in first or b"dtypeestart" in first


def start_of(header: messages.HeaderMessage, parts: Sequence[messages.Part]) -> SeriesStart:
    """A start of stream 1. Raises StreamBroken when it lacks sizes."""
    what = f"the start message of series {header.series}"
    if header.detail == "none":
        raise StreamBroken(f"{what} has header_detail none, so sizes are unknown; set it to basic")
    mode = header.config.get("trigger_mode")
    # With the exposure told from outside, each trigger is one image, whatever nimages says.
    per_trigger = 1 if mode in ("exte", "inte") else header.count("nimages")
    expected = per_trigger * header.count("ntrigger")
    width, height = header.count("x_pixels_in_detector"), header.count("y_pixels_in_detector")
    check_sizes(expected, width, height, what)
    depth = header.count("bit_depth_image")
    if depth not in _BIT_DEPTHS:
        raise StreamBroken(f"{what} tells {depth} bits per pixel; known: 8, 16, 32")
    mask, flat = _arrays(header, parts, (height, width))
    return SeriesStart(
        series=header.series,
        unique_id=None,
        version=1,
        expected=expected,
        width=width,
        height=height,
        dtype=_BIT_DEPTHS[depth],
        channels=(FIRST_CHANNEL,),
        trigger_mode=mode if isinstance(mode, str) else None,
        config=header.config,
        pixel_mask=mask,
        flatfield=flat,
        appendix=header.appendix,
    )


def check_sizes(expected: int, width: int, height: int, what: str) -> None:
    """Raise StreamBroken for a series that nobody could have meant."""
    if not 0 < expected < 1 << 40:
        raise StreamBroken(f"{what} tells {expected} frames; 1 to 2⁴⁰ can be received")
    if not (0 < width <= messages.MAX_SIDE and 0 < height <= messages.MAX_SIDE):
        raise StreamBroken(f"{what} tells a detector of {width} × {height} pixels")


def _arrays(
    header: messages.HeaderMessage, parts: Sequence[messages.Part], shape: tuple[int, int]
) -> tuple[U32 | None, F32 | None]:
    """Pixel mask and flat field of header detail `all`; arrays of another size than the images are passed over."""
    if header.detail != "all" or len(parts) < _PLAIN_ARRAY_PARTS:
        return None, None
    flat, mask = parts[3], parts[5]
    size = shape[0] * shape[1] * 4
    return (
        np.frombuffer(bytes(mask), "<u4").reshape(shape) if len(mask) == size else None,
        np.frombuffer(bytes(flat), "<f4").reshape(shape) if len(flat) == size else None,
    )


def image_of(message: messages.ImageMessage) -> Image:
    """An image of stream 1. Raises StreamBroken for encodings that are not known."""
    found = _ENCODING.fullmatch(message.encoding)
    bits, packed = found.groups() if found else (None, None)
    if not found or (bits and (not packed or int(bits) != 8 * message.dtype.itemsize)):
        raise StreamBroken(
            f"image {message.frame} of series {message.series} has encoding {message.encoding[:40]!r} of "
            f"{message.dtype}; known: bsN-lz4<, lz4<, < with N its bits"
        )
    coding = BSLZ4 if bits else LZ4_BLOCK if packed else PLAIN
    return Image(
        series=message.series,
        frame=message.frame,
        width=message.width,
        height=message.height,
        dtype=message.dtype,
        channels=(ChannelData(FIRST_CHANNEL, coding, message.blob),),
        digest=usable_digest(message.md5),
    )


def usable_digest(text: str) -> bytes | None:
    """The hash's bytes; None when the sender has hashing off (no 32 hex digits, or all zero)."""
    digest = bytes.fromhex(text) if _HEX.fullmatch(text) else b""
    return digest if any(digest) else None


def _of_stream2(part: messages.Part) -> Message:
    message = stream2.decode(part)
    if isinstance(message, stream2.Start):
        check_sizes(
            message.expected, message.width, message.height, f"the start message of series {message.series}"
        )
        return SeriesStart(
            series=message.series,
            unique_id=message.unique_id,
            version=2,
            expected=message.expected,
            width=message.width,
            height=message.height,
            dtype=message.dtype,
            channels=message.channels,
            trigger_mode=None,
            config=message.fields,
            pixel_mask=message.pixel_mask,
            flatfield=message.flatfield,
            appendix=message.fields.get("user_data"),
        )
    if isinstance(message, stream2.End):
        return End(message.series)
    return Image(
        series=message.series,
        frame=message.frame,
        width=message.width,
        height=message.height,
        dtype=message.dtype,
        channels=tuple(
            ChannelData(name, _CODINGS2[packing], data) for name, (packing, data) in message.channels.items()
        ),
        digest=None,
    )


_CODINGS2: Final = {"none": PLAIN, "lz4": LZ4_HDF5, "bslz4": BSLZ4}
