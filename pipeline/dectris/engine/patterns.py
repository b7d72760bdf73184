"""What the image messages of a series look like, learnt from one that was decoded with care.

Senders write the same JSON or CBOR for every image of a series; only numbers, hash and data differ. A message that
fits the pattern byte for byte means the same as the one it was learnt from, with its own numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.engine import codes, stream2
from pipeline.dectris.engine.cbor import Decoder, Place
from pipeline.dectris.engine.images import Image
from pipeline.dectris.messages import Part
from pipeline.model import U8

_INTEGER: Final = rb'"%s"\s*:\s*(0|[1-9][0-9]{0,17})(?=[\s,}])'
_HASH: Final = re.compile(rb'"hash"\s*:\s*"([0-9a-f]{32})"')
_STREAM1_PARTS: Final = 4
_TIMES: Final = ("start_time", "stop_time", "real_time")

Piece = tuple[int, int, int, int]
"""Where a changing piece begins and ends in its part, its kind, its role."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """As `kernels.receive` takes it."""

    parts: int
    data_part: int
    table: NDArray[np.int64]
    """(rows, 5): part, begin and length in *literal*, kind and role of what follows."""
    first_rows: NDArray[np.int64]
    """(parts + 1,)"""
    literal: U8
    channels: tuple[str, ...]
    codings: tuple[int, ...]
    dtype: np.dtype[Any]
    hashed: bool


def learn(parts: Sequence[Part], image: Image) -> Pattern | None:
    """The pattern of the message of which *image* was decoded; None when it cannot be told for sure."""
    pieces = _stream2(parts[0], image) if len(parts) == 1 else _stream1(parts)
    if pieces is None:
        return None
    rows: list[tuple[int, int, int, int, int]] = []
    first_rows, literal = [0], bytearray()
    for number, (part, here) in enumerate(zip(parts, pieces, strict=True)):
        at = 0
        for start, stop, kind, role in sorted(here):
            if start < at:
                return None
            rows.append((number, len(literal), start - at, kind, role))
            literal += bytes(part[at:start])
            at = stop
        if not any(kind in (codes.DATA, codes.ANYTHING) for _, _, kind, _ in here):
            rows.append((number, len(literal), len(part) - at, codes.END, codes.IGNORED))
            literal += bytes(part[at:])
        first_rows.append(len(rows))
    return Pattern(
        parts=len(parts),
        data_part=0 if len(parts) == 1 else 2,
        table=np.array(rows, np.int64),
        first_rows=np.array(first_rows, np.int64),
        literal=np.frombuffer(bytes(literal) or b"\0", np.uint8),
        channels=tuple(channel.name for channel in image.channels),
        codings=tuple(channel.coding for channel in image.channels),
        dtype=image.dtype,
        hashed=image.digest is not None,
    )


def _stream1(parts: Sequence[Part]) -> list[list[Piece]] | None:
    if len(parts) < _STREAM1_PARTS:
        return None
    first, second, fourth = bytes(parts[0]), bytes(parts[1]), bytes(parts[3])
    frame, size = _integer(first, "frame", codes.FRAME), _integer(second, "size", codes.SIZE)
    times = [_integer(fourth, key, codes.IGNORED) for key in _TIMES]
    if frame is None or size is None:
        return None
    known_times = [piece for piece in times if piece is not None]
    if len(known_times) != len(times):
        return None
    hashes = list(_HASH.finditer(first))
    here = [frame]
    if len(hashes) == 1:
        here.append((hashes[0].start(1), hashes[0].end(1), codes.HASH, codes.IGNORED))
    data: Piece = (0, len(parts[2]), codes.DATA, 0)
    rest: list[list[Piece]] = [[(0, len(part), codes.ANYTHING, 0)] for part in parts[_STREAM1_PARTS:]]
    return [here, [size], [data], known_times, *rest]


def _integer(part: bytes, key: str, role: int) -> Piece | None:
    """The one place of an integer; None when the key stands there more than once."""
    found = list(re.finditer(_INTEGER % key.encode(), part))
    if len(found) != 1 or part.count(key.encode()) != 1:
        return None
    return found[0].start(1), found[0].end(1), codes.DECIMAL, role


def _stream2(part: Part, image: Image) -> list[list[Piece]] | None:
    decoder = Decoder(part)
    decoder.decode()
    places = decoder.places
    pieces = [_uint(places[("image_id",)], codes.FRAME)]
    for key in _TIMES:
        pieces += [_uint(places[(key, index)], codes.IGNORED) for index in range(2)]
    for number, channel in enumerate(image.channels):
        # 40([shape, typed]): plain bytes stand at 1, compressed ones at 2 of what stands there.
        path = ("data", channel.name, 1)
        place = places.get(path) or places.get((*path, 2))
        if place is None:
            return None
        pieces.append((place.start, place.stop, codes.CBOR_BYTES, number))
    return [pieces]


def _uint(place: Place, role: int) -> Piece:
    return place.start, place.stop, codes.CBOR_UINT, role


def is_stream2(parts: Sequence[Part]) -> bool:
    """Whether a message is one of stream 2."""
    return bool(parts) and bytes(parts[0][:3]) == stream2.SELF_DESCRIBED
