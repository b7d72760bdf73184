"""Messages of both streams made by hand and by cbor2, and a sender, for tests of the acquisition's engine."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import bitshuffle
import cbor2
import lz4.block
import zmq
from numpy.typing import NDArray

Parts = list[bytes]
UNIQUE = "01HBV3JPF9T4ZDPADX6EMK6XMZ"
TAGS = {1: 64, 2: 69, 4: 70}


def pack(image: NDArray[Any], coding: str, block_bytes: int = 8192) -> bytes:
    """*coding*: bslz4, lz4 (HDF5's framing, two blocks), block (one raw LZ4 block), none."""
    raw = image.tobytes()
    if coding == "none":
        return raw
    if coding == "block":
        return bytes(lz4.block.compress(raw, store_size=False))
    if coding == "lz4":
        size = -(-len(raw) // 2)
        blocks = [lz4.block.compress(raw[at : at + size], store_size=False) for at in (0, size)]
        return struct.pack(">QI", len(raw), size) + b"".join(struct.pack(">I", len(b)) + b for b in blocks)
    packed = bitshuffle.compress_lz4(image.reshape(-1), block_bytes // image.dtype.itemsize)
    return struct.pack(">QI", len(raw), block_bytes) + packed.tobytes()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def start1(series: int, count: int, shape: tuple[int, int], depth: int = 16, mode: str = "ints") -> Parts:
    config = {
        "nimages": count,
        "ntrigger": 1,
        "x_pixels_in_detector": shape[1],
        "y_pixels_in_detector": shape[0],
        "bit_depth_image": depth,
        "trigger_mode": mode,
    }
    return [_json({"htype": "dheader-1.0", "series": series, "header_detail": "basic"}), _json(config)]


def image1(
    series: int, frame: int, image: NDArray[Any], *, blob: bytes | None = None, size: int | None = None,
    coding: str = "bslz4", md5: str | None = None,
) -> Parts:  # fmt: skip
    whole = pack(image, "block" if coding == "lz4" else coding)
    blob = whole if blob is None else blob
    bits = 8 * image.itemsize
    encoding = {"bslz4": f"bs{bits}-lz4<", "lz4": "lz4<", "none": "<"}[coding]
    told = md5 or hashlib.md5(whole).hexdigest()
    return [
        _json({"htype": "dimage-1.0", "series": series, "frame": frame, "hash": told}),
        _json(
            {
                "htype": "dimage_d-1.0",
                "shape": [image.shape[1], image.shape[0]],
                "type": str(image.dtype),
                "encoding": encoding,
                "size": len(blob) if size is None else size,
            }
        ),
        blob,
        _json(
            {
                "htype": "dconfig-1.0",
                "start_time": frame * 1000,
                "stop_time": frame * 1000 + 9,
                "real_time": 9,
            }
        ),
    ]


def end1(series: int) -> Parts:
    return [_json({"htype": "dseries_end-1.0", "series": series})]


def _cbor(fields: dict[str, Any]) -> Parts:
    return [cbor2.dumps(cbor2.CBORTag(55799, fields))]


def array2(image: NDArray[Any], coding: str = "bslz4") -> cbor2.CBORTag:
    data: Any = pack(image, coding)
    if coding != "none":
        data = cbor2.CBORTag(56500, [coding, image.itemsize if coding == "bslz4" else 0, data])
    tag = 85 if image.dtype.kind == "f" else TAGS[image.itemsize]
    return cbor2.CBORTag(40, [list(image.shape), cbor2.CBORTag(tag, data)])


def start2(
    series: int, count: int, shape: tuple[int, int], channels: tuple[str, ...] = ("threshold_1",),
    dtype: str | None = "uint16", **more: Any,
) -> Parts:  # fmt: skip
    return _cbor(
        {
            "type": "start",
            "series_id": series,
            "series_unique_id": UNIQUE,
            "channels": list(channels),
            **({"image_dtype": dtype} if dtype else {}),
            "image_size_x": shape[1],
            "image_size_y": shape[0],
            "number_of_images": count,
            **more,
        }
    )


def image2(series: int, frame: int, images: dict[str, NDArray[Any]], coding: str = "bslz4") -> Parts:
    return _cbor(
        {
            "type": "image",
            "series_id": series,
            "series_unique_id": UNIQUE,
            "image_id": frame,
            "real_time": [9, 50_000_000],
            "series_date": cbor2.CBORTag(0, "2023-10-03T17:47:49.434+02:00"),
            "start_time": [frame * 100_000, 50_000_000],
            "stop_time": [frame * 100_000 + 9, 50_000_000],
            "data": {name: array2(image, coding) for name, image in images.items()},
        }
    )


def end2(series: int) -> Parts:
    return _cbor({"type": "end", "series_id": series, "series_unique_id": UNIQUE})


class Sender:
    """A control unit's socket without the unit. Blocks instead of dropping."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDTIMEO, 20_000)
        self._socket.setsockopt(zmq.SNDHWM, 100_000)
        self.url = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"

    def send(self, *messages: Parts) -> None:
        for parts in messages:
            self._socket.send_multipart(parts)

    def close(self) -> None:
        self._context.destroy(linger=0)
