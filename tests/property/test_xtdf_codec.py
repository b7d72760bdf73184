"""Whatever is encoded can be taken apart again by a reader written here from the table of sections."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim.xtdf.codec import Block, encode_block, good_fields
from sim.xtdf.fault_specs import FAULTS
from sim.xtdf.faults import Sending, spoil_fields, spoil_sending
from sim.xtdf.layout import WireFormat, block_layout, packet_count
from sim.xtdf.packets import EOF, SOF, datagrams, plan

U64 = st.integers(0, 2**64 - 1)
wires = st.builds(
    WireFormat,
    st.just("any"),
    st.integers(1, 600).map(lambda pixels: 2 * pixels),
    st.integers(0, 6000),
    st.just(64),
)


def take_list(block: bytes, at: int, letter: str, frames: int) -> tuple[tuple[int, ...], int]:
    size = struct.calcsize(letter) * frames
    end = at + size + (-size) % 32
    assert not any(block[at + size : end])
    return struct.unpack_from(f"<{frames}{letter}", block, at), end


@given(
    wires, st.integers(0, 40), U64, st.integers(0, 15), st.integers(0, 2000), st.sampled_from([1, 2, 4, 8])
)
def test_blocks_can_be_read(
    wire: WireFormat, frames: int, train_id: int, link: int, first_pulse: int, step: int
) -> None:
    images = np.random.default_rng(frames).integers(0, 65536, (frames, wire.bytes_per_pulse // 2), np.uint16)
    pulses = tuple(first_pulse + step * k for k in range(frames))
    block = encode_block(wire, images, good_fields(wire, train_id=train_id, link=link, pulse_id=pulses))

    magic, major, minor, train, data_id, link_id, count, detector, builder = struct.unpack_from(
        "<QIIQQQQII", block
    )
    assert magic.to_bytes(8, "little") == bytes.fromhex("cefaefbe46445458")
    assert (major, minor, train, data_id, count, detector, builder) == (
        1, 0, train_id, 0, frames, wire.detector_bytes, 0,
    )  # fmt: skip
    assert link_id == 0xFFFFFFFF_00000000 | link
    at = 64 + images.nbytes
    assert block[64:at] == images.tobytes()
    cells, at = take_list(block, at, "H", frames)
    pulse_ids, at = take_list(block, at, "Q", frames)
    status, at = take_list(block, at, "H", frames)
    length, at = take_list(block, at, "I", frames)
    assert (cells, pulse_ids) == (tuple(range(frames)), pulses)
    assert not any(status)
    assert set(length) <= {wire.bytes_per_pulse}
    assert not any(block[at : at + wire.detector_bytes])
    assert block[at + wire.detector_bytes :] == bytes(24) + bytes.fromhex("cdabadde46445458")


@given(st.binary(min_size=1, max_size=40_000), U64)
def test_datagrams_join_to_the_block(block: bytes, frame_number: int) -> None:
    sent = list(datagrams(memoryview(block), frame_number, plan(len(block))))
    assert b"".join(bytes(payload) for payload, _ in sent) == block
    words = [struct.unpack("<II", end) for _, end in sent]
    assert {frame for frame, _ in words} == {frame_number % 2**32}
    assert [word & 0x3FFFFFFF for _, word in words] == list(range(packet_count(len(block))))
    assert [k for k, (_, word) in enumerate(words) if word & SOF] == [0]
    assert [k for k, (_, word) in enumerate(words) if word & EOF] == [len(words) - 1]


@given(st.integers(0, 352), st.integers(0, 6000), st.integers(1, 300_000))
def test_sections_follow_each_other_aligned(frames: int, detector: int, image: int) -> None:
    at = block_layout(image, detector, frames)
    sections = [at.image, at.cell_id, at.pulse_id, at.status, at.length, at.detector, at.trailer, at.total]
    assert sections == sorted(sections)
    for start, end, entry in zip(sections[1:5], sections[2:6], (2, 8, 2, 4), strict=True):
        assert (end - start) % 32 == 0
        assert 0 <= end - start - entry * frames < 32


any_value = {
    bool: st.booleans(),
    int: st.integers(-(2**70), 2**70),
    float: st.floats(0, 1),
    str: st.sampled_from(["header", "trailer", "elsewhere"]),
    list: st.lists(st.integers(-5, 200), max_size=10),
}


@given(st.data(), st.integers(1, 20_000))
def test_no_parameter_of_a_fault_breaks_the_sender(data: st.DataObject, block_bytes: int) -> None:
    specs = data.draw(st.lists(st.sampled_from(FAULTS), unique_by=lambda spec: spec.name, min_size=1))
    struck = {
        spec.name: {name: data.draw(any_value[type(value)]) for name, value in spec.parameters.items()}
        for spec in specs
    }
    wire = WireFormat("any", 8, 0, 8)
    block = Block(wire, 3)
    block.finish(spoil_fields(good_fields(wire, train_id=5, link=0, pulse_id=(0, 1, 2)), struck))
    whole = Sending(block_bytes, plan(block_bytes))
    first, again = (spoil_sending(whole, struck, 1, "AGIPD_SIM_M100", 5) for _ in range(2))
    assert first == again
    assert len(first.packets) <= 2 * len(whole.packets)
    assert 1 <= first.block_bytes <= block_bytes
