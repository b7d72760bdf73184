"""Reading XTDF blocks. The blocks are put together here by hand from the public layout, not by our simulator."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from pipeline.daq.xtdf import FORMATS, decode, layout
from pipeline.errors import TrainMalformed
from pipeline.model import TrainFlag

AGIPD = FORMATS["AGIPD"]
FRAME = 2 * 512 * 128 * 2
MAGIC_BEGIN = b"\xce\xfa\xef\xbe\x46\x44\x54\x58"
MAGIC_END = b"\xcd\xab\xad\xde\x46\x44\x54\x58"


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 32)


def block(count: int = 2, train_id: int = 1_500_000_000, **changes: Any) -> bytes:
    """A block of frames whose pixels hold the frame's number; origin: sections 2, 3 and 5 of the public layout."""
    said = changes.get("said", count)
    head = (
        MAGIC_BEGIN
        + struct.pack("<IIQQQQII", 1, 0, train_id, 7, 0xFFFFFFFF_0000000F, said, 5408, 0)
        + bytes(8)
    )
    body = b"".join(np.full(FRAME // 2, 100 + n, "<u2").tobytes() for n in range(count))
    body += padded(struct.pack(f"<{count}H", *range(count)))
    body += padded(struct.pack(f"<{count}Q", *range(0, 4 * count, 4)))
    body += padded(struct.pack(f"<{count}H", *[changes.get("status", 0)] * count))
    body += padded(struct.pack(f"<{count}I", *[changes.get("length", FRAME)] * count))
    body += bytes(range(256)) * 21 + bytes(32)
    checksum = changes.get("checksum", 0)
    if checksum == "right":
        checksum = zlib.crc32(head + body)
    return head + body + struct.pack("<QQQ", checksum, 0, changes.get("trailer_status", 0)) + MAGIC_END


def as_array(data: bytes) -> Any:
    return np.frombuffer(data, np.uint8)


def test_every_field_is_read() -> None:
    train = decode(as_array(block(3)), 5, AGIPD)
    assert (train.module, train.train_id, train.flags) == (5, 1_500_000_000, TrainFlag(0))
    assert train.data.shape == (3, 2, 512, 128)
    assert (
        [int(frame.min()) for frame in train.data]
        == [int(frame.max()) for frame in train.data]
        == [100, 101, 102]
    )
    assert train.cell_id.tolist() == [0, 1, 2]
    assert train.pulse_id.tolist() == [0, 4, 8]
    assert train.status.tolist() == [0, 0, 0]
    assert train.length.tolist() == [FRAME] * 3
    assert train.detector[:256].tolist() == list(range(256))
    assert len(train.detector) == 5408
    assert len(train.header) == 64
    assert len(train.trailer) == 32


def test_the_arrays_are_views_of_the_block() -> None:
    data = as_array(block())
    assert np.shares_memory(decode(data, 0, AGIPD).data, data)


@pytest.mark.parametrize(
    ("detector", "frames", "trailer", "total"),
    [
        ("AGIPD", 352, 92285792, 92285824),
        ("AGIPD", 250, 65545536, 65545568),
        ("AGIPD", 4, 1054176, 1054208),
        ("LPD", 512, 67117536, 67117568),
        ("LPD", 1, 131680, 131712),
        ("DSSC", 800, 104870880, 104870912),
        ("DSSC", 2, 262752, 262784),
    ],
)
def test_published_sizes(detector: str, frames: int, trailer: int, total: int) -> None:
    place = layout(FORMATS[detector], frames)
    assert (place.trailer, place.total) == (trailer, total)


@pytest.mark.parametrize(
    ("data", "flag"),
    [
        (block(status=1), TrainFlag.BAD_STATUS),
        (block(trailer_status=1), TrainFlag.BAD_STATUS),
        (block(length=5), TrainFlag.BAD_LENGTH),
        (block(checksum=12345), TrainFlag.BAD_CHECKSUM),
        (block(checksum="right"), TrainFlag(0)),
        (block(said=3), TrainFlag.BAD_COUNT),
        (block(said=1), TrainFlag.BAD_COUNT),
        (block(said=2**63), TrainFlag.BAD_COUNT),
        (block()[:-100_000], TrainFlag.TRUNCATED),
        (block(train_id=0), TrainFlag.TRAIN_ID_ZERO),
        (b"\0" + block()[1:], TrainFlag.BAD_MAGIC),
        (block()[:-1] + b"\0", TrainFlag.BAD_MAGIC),
    ],
)
def test_what_is_wrong_is_flagged_and_nothing_else(data: bytes, flag: TrainFlag) -> None:
    assert decode(as_array(data), 0, AGIPD).flags == flag


def test_fewer_bytes_than_a_header_are_no_train() -> None:
    with pytest.raises(TrainMalformed, match="shorter than the 64 bytes"):
        decode(as_array(block()[:63]), 0, AGIPD)


def test_a_truncated_block_keeps_its_whole_frames() -> None:
    train = decode(as_array(block(3)[: 64 + 2 * FRAME + 10]), 0, AGIPD)
    assert train.data.shape == (2, 2, 512, 128)
    assert train.data[1, 0, 0, 0] == 101
