"""Messages of stream 2 (CBOR), from the SIMPLON API reference 1.8 and messages captured from an EIGER2 16M.

`D9 D9 F7`, then a map whose first key is `type`. Nothing here trusts the sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import lz4.block
import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.decompress import decompress
from pipeline.dectris.engine.cbor import Decoder, Tagged
from pipeline.dectris.messages import MAX_SIDE
from pipeline.errors import StreamBroken
from pipeline.model import F32, U32

SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
SELF_DESCRIBED_TAG: Final = 55799
MULTI_DIMENSIONAL: Final = 40
COMPRESSED: Final = 56500
DATE: Final = 0
IMAGE_TAGS: Final = {64: np.dtype("u1"), 68: np.dtype("u1"), 69: np.dtype("<u2"), 70: np.dtype("<u4")}
FLOAT_TAG: Final = 85
MAX_INT: Final = 1 << 63
MAX_CHANNELS: Final = 8
_DTYPES: Final = {name: np.dtype(name) for name in ("uint8", "uint16", "uint32")}

Packed: TypeAlias = tuple[str, memoryview]
"""Algorithm (none, lz4, bslz4) and bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A start message."""

    series: int
    unique_id: str
    expected: int
    width: int
    height: int
    dtype: np.dtype[Any] | None
    channels: tuple[str, ...]
    fields: Mapping[str, Any]
    pixel_mask: U32 | None
    flatfield: F32 | None


@dataclass(frozen=True, slots=True)
class Image:
    """An image message with all its channels."""

    series: int
    frame: int
    width: int
    height: int
    dtype: np.dtype[Any]
    channels: Mapping[str, Packed]


@dataclass(frozen=True, slots=True)
class End:
    """An end message."""

    series: int


def decode(part: bytes | memoryview) -> Start | Image | End:
    """The value of one message. Raises StreamBroken."""
    return message_of(Decoder(part).decode())


def message_of(value: object) -> Start | Image | End:
    """The message in a decoded value. Raises StreamBroken."""
    if not isinstance(value, Tagged) or value.tag != SELF_DESCRIBED_TAG or not isinstance(value.value, dict):
        raise StreamBroken("a message of stream 2 is no map after D9 D9 F7")
    fields: dict[str, Any] = value.value
    kind = fields.get("type")
    if kind == "image":
        return _image(fields)
    if kind == "start":
        return _start(fields)
    if kind == "end":
        return End(_count(fields, "series_id", "an end message"))
    raise StreamBroken(f"a message of stream 2 has type {_shown(kind)}; known: start, image, end")


def _image(fields: Mapping[str, Any]) -> Image:
    series = _count(fields, "series_id", "an image message")
    frame = _count(fields, "image_id", f"an image message of series {series}")
    what = f"image {frame} of series {series}"
    for key in ("real_time", "start_time", "stop_time"):
        _rational(fields.get(key), key, what)
    data = fields.get("data")
    if not isinstance(data, dict) or not 0 < len(data) <= MAX_CHANNELS:
        raise StreamBroken(f"{what} has no data, or more than {MAX_CHANNELS} channels")
    arrays = {name: _array(value, f"{name[:40]} of {what}") for name, value in data.items()}
    kinds = {(shape, dtype) for shape, dtype, _ in arrays.values()}
    if len(kinds) != 1:
        raise StreamBroken(f"the channels of {what} differ in shape or type")
    ((height, width), dtype), *_ = kinds
    if dtype not in _DTYPES.values():
        raise StreamBroken(f"{what} has pixels of type {dtype}; known: {', '.join(_DTYPES)}")
    return Image(
        series, frame, width, height, dtype, {name: packed for name, (_, _, packed) in arrays.items()}
    )


def _start(fields: Mapping[str, Any]) -> Start:
    series = _count(fields, "series_id", "a start message")
    what = f"the start message of series {series}"
    unique = fields.get("series_unique_id")
    if not isinstance(unique, str) or len(unique) > 64:
        raise StreamBroken(f"series_unique_id of {what} is {_shown(unique)}; it should be a short text")
    dtype = fields.get("image_dtype")
    if dtype is not None and dtype not in _DTYPES:
        raise StreamBroken(f"{what} tells images of type {_shown(dtype)}; known: {', '.join(_DTYPES)}")
    channels = fields.get("channels")
    if not isinstance(channels, list) or not channels or not all(isinstance(name, str) for name in channels):
        raise StreamBroken(f"channels of {what} are {_shown(channels)}; they should be a list of names")
    width, height = _count(fields, "image_size_x", what), _count(fields, "image_size_y", what)
    mask = _first_array(fields, "pixel_mask", channels[0], (height, width), np.dtype("<u4"), what)
    flat = _first_array(fields, "flatfield", channels[0], (height, width), np.dtype("<f4"), what)
    large = ("pixel_mask", "flatfield", "countrate_correction_lookup_table")
    return Start(
        series=series,
        unique_id=unique,
        expected=_count(fields, "number_of_images", what),
        width=width,
        height=height,
        dtype=None if dtype is None else _DTYPES[dtype],
        channels=tuple(channels[:MAX_CHANNELS]),
        fields={key: _plain(value) for key, value in fields.items() if key not in large},
        pixel_mask=mask,
        flatfield=flat,
    )


def _first_array(
    fields: Mapping[str, Any], key: str, channel: str, shape: tuple[int, int], dtype: np.dtype[Any], what: str
) -> NDArray[Any] | None:
    """The array of one channel, unpacked; None where the message brings none of this shape."""
    arrays = fields.get(key)
    if not isinstance(arrays, dict) or not isinstance(arrays.get(channel), Tagged):
        return None
    if not all(0 < side <= MAX_SIDE for side in shape):
        return None
    found, kind, (packing, data) = _array(arrays[channel], f"{key} of {what}")
    if found != shape or kind != dtype:
        return None
    if packing == "bslz4":
        # Floats are shuffled as the four bytes that they are.
        return decompress(data, "bs32-lz4<", shape, np.dtype("uint32")).view(dtype)
    size = shape[0] * shape[1] * dtype.itemsize
    if packing == "lz4":
        data = memoryview(_lz4_blocks(data, size, f"{key} of {what}"))
    if len(data) != size:
        raise StreamBroken(f"{key} of {what} has {len(data)} bytes; {size} are needed")
    return np.frombuffer(bytes(data), dtype).reshape(shape)


def _lz4_blocks(data: memoryview, size: int, what: str) -> bytes:
    """The HDF5 filter's LZ4."""
    block = int.from_bytes(data[8:12], "big")
    if len(data) < 12 or int.from_bytes(data[:8], "big") != size or block == 0:
        raise StreamBroken(f"{what} tells another size than it has")
    at, parts, left = 12, [], size
    while left:
        want, packed = min(block, left), int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 4 + packed]
        try:
            parts.append(
                bytes(body) if packed == want else lz4.block.decompress(body, uncompressed_size=want)
            )
        except lz4.block.LZ4BlockError:
            raise StreamBroken(f"{what} has a damaged LZ4 block") from None
        if len(parts[-1]) != want:
            raise StreamBroken(f"{what} ends before its last block")
        at, left = at + 4 + packed, left - want
    return b"".join(parts)


def _array(value: object, what: str) -> tuple[tuple[int, int], np.dtype[Any], Packed]:
    """40([[height, width], typed array]): shape, type, packed bytes."""
    if not isinstance(value, Tagged) or value.tag != MULTI_DIMENSIONAL or not isinstance(value.value, list):
        raise StreamBroken(f"{what} is no array of tag {MULTI_DIMENSIONAL}")
    if len(value.value) != 2:
        raise StreamBroken(f"{what} is no pair of shape and values")
    shape, typed = value.value
    if not isinstance(shape, list) or len(shape) != 2 or not all(_is_side(side) for side in shape):
        raise StreamBroken(
            f"{what} has shape {_shown(shape)}; it should be [height, width], 1 to {MAX_SIDE} each"
        )
    if not isinstance(typed, Tagged):
        raise StreamBroken(f"{what} has values without a type")
    dtype = np.dtype("<f4") if typed.tag == FLOAT_TAG else IMAGE_TAGS.get(typed.tag)
    if dtype is None:
        raise StreamBroken(f"{what} has values of tag {typed.tag}; known: 64, 68, 69, 70, 85")
    return (shape[0], shape[1]), dtype, _packed(typed.value, dtype, what)


def _packed(value: object, dtype: np.dtype[Any], what: str) -> Packed:
    if isinstance(value, memoryview):
        return "none", value
    if not isinstance(value, Tagged) or value.tag != COMPRESSED or not isinstance(value.value, list):
        raise StreamBroken(f"{what} holds neither bytes nor compressed bytes")
    if len(value.value) != 3:
        raise StreamBroken(f"{what} is compressed, but not told as [algorithm, size, bytes]")
    algorithm, size, data = value.value
    if algorithm not in ("lz4", "bslz4") or not isinstance(data, memoryview):
        raise StreamBroken(f"{what} is compressed with {_shown(algorithm)}; known: bslz4, lz4")
    if algorithm == "bslz4" and size != dtype.itemsize:
        raise StreamBroken(f"{what} is shuffled for {_shown(size)} bytes; its pixels have {dtype.itemsize}")
    return algorithm, data


def _plain(value: Any) -> Any:
    """Without tags: dates as text, arrays as what they hold."""
    if isinstance(value, Tagged):
        return _plain(value.value)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_SIDE


def _rational(value: object, key: str, what: str) -> None:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(
            isinstance(part, int) and not isinstance(part, bool) and 0 <= part < MAX_INT for part in value
        )
        or value[1] == 0
    ):
        raise StreamBroken(f"{key} of {what} is {_shown(value)}; it should be [numerator, denominator]")


def _count(fields: Mapping[str, Any], key: str, what: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_INT:
        raise StreamBroken(f"{key} of {what} is {_shown(value)}; it should be a non-negative integer")
    return value


def _shown(value: object) -> str:
    text = (
        repr(value)
        if not isinstance(value, list | dict | Tagged) or len(repr(value)) < 400
        else type(value).__name__
    )
    return text if len(text) <= 40 else text[:40] + "…"
