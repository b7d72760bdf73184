"""Assembling datagrams to frames, with datagrams made by hand."""

from __future__ import annotations

import pytest

from pipeline.daq.assembler import Frame, FrameAssembler
from pipeline.daq.packets import DATAGRAM_BYTES, Packet, packets_for, read_trailer
from pipeline.daq.slots import SharedRelease, SlotPool
from pipeline.model import TrainFlag

PAYLOAD = 8184
BLOCK = bytes(range(256)) * 128  # 32768 bytes: four full datagrams and 32 bytes


def datagrams(frame: int = 7, block: bytes = BLOCK) -> list[tuple[Packet, bytes]]:
    count = -(-len(block) // PAYLOAD)
    made = []
    for number in range(count):
        payload = block[number * PAYLOAD : (number + 1) * PAYLOAD]
        made.append((Packet(frame, number, number == 0, number == count - 1, len(payload)), payload))
    return made


def assembler(slots: int = 3, timeout_ns: int = 100) -> tuple[FrameAssembler, SlotPool]:
    pool = SlotPool(slots, len(BLOCK))
    return FrameAssembler(len(BLOCK), len(BLOCK), pool.take, timeout_ns), pool


def feed(target: FrameAssembler, packets: list[tuple[Packet, bytes]], now_ns: int = 0) -> list[Frame]:
    return [frame for packet, data in packets for frame in target.arrived(packet, memoryview(data), now_ns)]


def content(frame: Frame) -> bytes:
    return frame.slot.bytes[: frame.block_bytes].tobytes()


def test_a_whole_frame() -> None:
    target, _ = assembler()
    (frame,) = feed(target, datagrams())
    assert (content(frame), frame.flags, frame.missing) == (BLOCK, TrainFlag(0), 0)
    assert target.open_frames == 0


def test_payload_in_the_predicted_place_is_not_copied_and_stays() -> None:
    target, _ = assembler()
    done: list[Frame] = []
    for packet, data in datagrams():
        place = target.predicted()
        assert place is not None
        slot, start = place
        slot.view[start : start + len(data)] = data
        done += target.arrived(packet, slot.view[start : start + PAYLOAD], 0)
    assert content(done[0]) == BLOCK


def test_a_payload_received_in_the_wrong_place_is_moved() -> None:
    target, _ = assembler()
    done: list[Frame] = []
    packets = datagrams()
    for packet, data in [packets[0], packets[3], packets[1], packets[2], packets[4]]:
        place = target.predicted()
        assert place is not None
        slot, start = place
        slot.view[start : start + len(data)] = data
        done += target.arrived(packet, slot.view[start : start + PAYLOAD], 0)
    assert content(done[0]) == BLOCK
    assert done[0].flags == TrainFlag.REORDERED


def test_missing_datagrams_are_zeros_even_in_used_memory() -> None:
    target, pool = assembler(slots=1)
    (first,) = feed(target, datagrams(1))
    first.slot.release()
    packets = datagrams(2)
    assert feed(target, [packets[0], packets[2], packets[3], packets[4]]) == []
    (frame,) = target.expire(100)
    assert frame.flags == TrainFlag.INCOMPLETE
    assert frame.missing == 1
    assert content(frame) == BLOCK[:PAYLOAD] + bytes(PAYLOAD) + BLOCK[2 * PAYLOAD :]
    assert target.counters["frames_timed_out"] == 1
    assert len(pool.free) == 0


@pytest.mark.parametrize(
    ("dropped", "flags"),
    [
        (0, TrainFlag.INCOMPLETE | TrainFlag.NO_START),
        (4, TrainFlag.INCOMPLETE | TrainFlag.NO_END),
    ],
)
def test_lost_start_and_end(dropped: int, flags: TrainFlag) -> None:
    target, _ = assembler()
    packets = datagrams()
    del packets[dropped]
    assert feed(target, packets) == []
    (frame,) = target.expire(100)
    assert frame.flags == flags
    assert frame.has_first == (dropped != 0)
    assert frame.block_bytes == len(BLOCK)


def test_a_datagram_that_comes_twice_counts_once() -> None:
    target, _ = assembler()
    packets = datagrams()
    false_copy = (packets[1][0], bytes(PAYLOAD))
    (frame,) = feed(target, [*packets[:2], false_copy, *packets[2:]])
    assert (content(frame), frame.flags) == (BLOCK, TrainFlag.DUPLICATES)


def test_two_frames_may_be_interleaved() -> None:
    target, _ = assembler()
    mixed = [packet for pair in zip(datagrams(1), datagrams(2), strict=True) for packet in pair]
    frames = feed(target, mixed)
    assert [frame.number for frame in frames] == [1, 2]
    assert [content(frame) for frame in frames] == [BLOCK, BLOCK]
    assert [frame.flags for frame in frames] == [TrainFlag(0)] * 2


def test_a_third_frame_closes_the_oldest() -> None:
    target, _ = assembler()
    starts = [datagrams(number)[0] for number in (1, 2, 3)]
    (frame,) = feed(target, starts)
    assert frame.number == 1
    assert frame.flags == TrainFlag.INCOMPLETE | TrainFlag.NO_END
    assert target.open_frames == 2


def test_late_datagrams_are_counted_and_a_repeated_train_is_taken() -> None:
    target, _ = assembler()
    packets = datagrams()
    feed(target, packets)
    assert feed(target, packets[1:3]) == []
    assert target.counters["late_datagrams"] == 2
    (again,) = feed(target, packets)
    assert again.flags == TrainFlag(0)


def test_without_a_free_slot_the_frame_is_lost_once() -> None:
    target, pool = assembler(slots=1)
    (held,) = feed(target, datagrams(1))
    assert feed(target, datagrams(2)) == []
    assert target.counters["no_slot"] == 1
    held.slot.release()
    assert len(feed(target, datagrams(3))) == 1
    assert pool.count == 1


def test_numbers_beyond_the_slot_are_refused() -> None:
    target, _ = assembler()
    packets = datagrams()
    far = (Packet(7, 2**29, False, False, 100), bytes(100))
    (frame,) = feed(target, [packets[0], far, *packets[1:]])
    assert content(frame) == BLOCK
    assert frame.flags == TrainFlag.BAD_COUNT
    assert target.counters["number_out_of_range"] == 1


def test_the_trailer_of_a_datagram() -> None:
    assert read_trailer(bytes.fromhex("0100000002000080"), DATAGRAM_BYTES) == Packet(
        1, 2, True, False, PAYLOAD
    )
    assert read_trailer(bytes.fromhex("ffffffff0a000040"), 108) == Packet(2**32 - 1, 10, False, True, 100)
    assert read_trailer(bytes(8), 8) is None
    assert read_trailer(bytes(8), DATAGRAM_BYTES + 1) is None


@pytest.mark.parametrize(("size", "count"), [(1, 1), (8184, 1), (8185, 2), (92285824, 11277), (1054208, 129)])
def test_published_numbers_of_datagrams(size: int, count: int) -> None:
    assert packets_for(size) == count


def test_a_slot_goes_back_when_all_holders_have_released_it() -> None:
    pool = SlotPool(1, 100)
    slot = pool.take()
    assert slot is not None
    release = SharedRelease(slot.release, 2)
    release()
    assert pool.take() is None
    release()
    assert pool.take() is slot
