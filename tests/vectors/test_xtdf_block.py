"""A block and its datagrams, assembled by hand from the published table of sections. No code of ours made the bytes."""

import numpy as np
import pytest

from sim.xtdf.codec import Block, BlockFields, encode_block, good_fields
from sim.xtdf.layout import AGIPD, WireFormat
from sim.xtdf.packets import datagrams, plan

TINY = WireFormat("tiny", 4, 3, 8)
"""Two pixels for each pulse and three detector-specific bytes: small enough to write down."""

BY_HAND = bytes.fromhex(
    # header: magic, version 1.0, train id 0x3B9ACA07, data id, link 5 under an unknown train builder,
    # image count 2, detector-specific length 3, train-builder length 0, reserved
    "cefaefbe46445458" "01000000" "00000000" "07ca9a3b00000000" "0000000000000000"
    "05000000ffffffff" "0200000000000000" "03000000" "00000000" "0000000000000000"
    "01000200" "03000400"  # two images
    "0000" "0100" + "00" * 28 +  # cell ids
    "0000000000000000" "0400000000000000" + "00" * 16 +  # pulse ids
    "0000" "0000" + "00" * 28 +  # status
    "04000000" "04000000" + "00" * 24 +  # length
    "000000"  # detector specific
    "0000000000000000" "0000000000000000" "0000000000000000" "cdabadde46445458"  # trailer
)  # fmt: skip


def tiny_fields(**changes: object) -> BlockFields:
    fields = good_fields(TINY, train_id=1_000_000_007, link=5, pulse_id=(0, 4))
    return BlockFields(
        **{
            name: changes.get(name, getattr(fields, name))  # type: ignore[arg-type]
            for name in BlockFields.__dataclass_fields__
        }
    )


def test_block_as_written_by_hand() -> None:
    images = np.array([[1, 2], [3, 4]], np.uint16)
    assert encode_block(TINY, images, tiny_fields()) == BY_HAND


def test_block_is_filled_again_without_traces_of_the_train_before() -> None:
    block = Block(TINY, 2, "crc32")
    block.images[:] = 0xFFFF
    block.finish(tiny_fields(train_id=2**63, status=(7, 8), trailer_status=9, magic_end=0, image_count=77))
    block = Block(TINY, 2)
    block.images[:] = [[1, 2], [3, 4]]
    block.finish(tiny_fields(train_id=2**63, status=(7, 8), trailer_status=9, magic_end=0, image_count=77))
    block.finish(tiny_fields())
    assert bytes(block.view) == BY_HAND


def test_crc32_stands_in_the_first_checksum_word() -> None:
    # CRC-32 (ISO-HDLC, as in zip) of the 64 + 8 + 4 × 32 + 3 = 203 bytes before the trailer, by a table-free loop.
    crc = 0xFFFFFFFF
    for byte in BY_HAND[:203]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    block = Block(TINY, 2, "crc32")
    block.images[:] = [[1, 2], [3, 4]]
    block.finish(tiny_fields())
    assert bytes(block.view)[203:219] == (crc ^ 0xFFFFFFFF).to_bytes(8, "little") + bytes(8)


def test_version_two_point_one() -> None:
    images = np.zeros((2, 2), np.uint16)
    assert encode_block(TINY, images, tiny_fields(version=(2, 1)))[8:16].hex() == "0200000001000000"


def test_lists_must_fit_the_frames() -> None:
    with pytest.raises(ValueError, match="pulse_id has 1 entries for 2 frames"):
        encode_block(TINY, np.zeros((2, 2), np.uint16), tiny_fields(pulse_id=(0,)))


def test_datagrams_as_written_by_hand() -> None:
    """One AGIPD frame: 267 776 bytes, 33 datagrams, the last with 5888 bytes of payload."""
    block = Block(AGIPD, 1)
    sent = [bytes(payload) + end for payload, end in datagrams(block.view, 0x1_3B9A_CA07, plan(267776))]
    assert len(sent) == 33
    assert {len(datagram) for datagram in sent[:-1]} == {8192}
    assert len(sent[-1]) == 5888 + 8
    # frame number = train id modulo 2³²; packet number with bit 31 at the start, bit 30 at the end
    assert sent[0][-8:].hex() == "07ca9a3b00000080"  # two words
    assert sent[1][-8:].hex() == "07ca9a3b01000000"
    assert sent[32][-8:].hex() == "07ca9a3b20000040"
