"""Datagrams that the kernel hands over in one piece give the same frames as one by one."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.daq.assembler import Frame, FrameAssembler
from pipeline.daq.packets import read_trailer
from pipeline.daq.receiver import ModuleLink, bind
from pipeline.daq.slots import SlotPool

UDP_SEGMENT = 103
PAYLOAD = 8184
BLOCK = b"".join(number.to_bytes(4, "big") * 2048 for number in range(20)) + b"the end of the block"
PACKETS = -(-len(BLOCK) // PAYLOAD)


def cuts_datagrams() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 8192)
        except OSError:
            return False
        return True


def datagram(frame: int, number: int) -> bytes:
    flags = (1 << 31 if number == 0 else 0) | (1 << 30 if number == PACKETS - 1 else 0)
    payload = BLOCK[number * PAYLOAD : (number + 1) * PAYLOAD]
    return payload + struct.pack("<II", frame, number | flags)


def assembler() -> FrameAssembler:
    pool = SlotPool(4, len(BLOCK))
    return FrameAssembler(len(BLOCK), len(BLOCK), pool.take, 1)


def outcome(frames: Sequence[Frame]) -> list[tuple[object, ...]]:
    seen = []
    for frame in frames:
        content = b"" if frame.missing else frame.slot.bytes[: frame.block_bytes].tobytes()
        seen.append((frame.number, frame.block_bytes, frame.flags, frame.missing, frame.has_first, content))
        frame.slot.release()
    return seen


def one_by_one(datagrams: Sequence[bytes]) -> tuple[list[tuple[object, ...]], FrameAssembler]:
    target, seen = assembler(), []
    for data in datagrams:
        packet = read_trailer(data[-8:], len(data))
        if packet is not None:
            seen += outcome(target.arrived(packet, memoryview(data), 0))
    return seen + outcome(target.expire(10)), target


def joined(groups: Sequence[Sequence[bytes]]) -> tuple[list[tuple[object, ...]], FrameAssembler]:
    target, seen = assembler(), []
    with bind("127.0.0.1", 0, 8 << 20) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        link = ModuleLink(0, sock, target)
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 8192)
        for group in groups:
            sender.sendto(b"".join(group), sock.getsockname())
            deadline = time.monotonic() + 10
            while (frames := link.receive(0)) is None:
                assert time.monotonic() < deadline
            while frames is not None:
                seen += outcome(frames)
                frames = link.receive(0)
    return seen + outcome(target.expire(10)), target


Sent = tuple[int, int] | bytes
"""Frame and number of a datagram, or bytes that are none."""


def as_bytes(sent: Sent) -> bytes:
    return sent if isinstance(sent, bytes) else datagram(*sent)


@st.composite
def streams(draw: st.DrawFn) -> list[list[Sent]]:
    """Two frames with datagrams lost, doubled and moved, in groups of which only the last may be short."""
    order = [(frame, number) for frame in (7, 8) for number in range(PACKETS)]
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(order) - 1))
        match draw(st.sampled_from(["lose", "double", "move"])):
            case "lose":
                del order[at]
            case "double":
                order.insert(at, order[at])
            case "move":
                order.insert(draw(st.integers(0, len(order) - 1)), order.pop(at))
    sent: list[Sent] = list(order)
    for _ in range(draw(st.integers(0, 2))):
        sent.insert(draw(st.integers(0, len(sent))), draw(st.binary(min_size=1, max_size=30)))
    groups: list[list[Sent]] = []
    for data in sent:
        full = not groups or len(groups[-1]) == 7 or len(as_bytes(groups[-1][-1])) < 8192
        if full or draw(st.integers(0, 9)) == 0:
            groups.append([])
        groups[-1].append(data)
    return groups


@pytest.mark.skipif(not cuts_datagrams(), reason="this kernel cannot cut what is sent into datagrams")
@given(streams())
@settings(deadline=None, max_examples=60)
def test_joined_or_one_by_one_is_the_same(stream: list[list[Sent]]) -> None:
    groups = [[as_bytes(sent) for sent in group] for group in stream]
    expected, plain = one_by_one([data for group in groups for data in group])
    got, target = joined(groups)
    assert got == expected
    assert target.counters == plain.counters


def test_empty_and_long_datagrams_are_counted() -> None:
    with bind("127.0.0.1", 0, 1 << 20) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        link = ModuleLink(0, sock, assembler())
        for data in (b"", b"x", b"x" * 8193, b"x" * 60_000):
            sender.sendto(data, sock.getsockname())
        for _ in range(4):
            assert link.receive(0) == []
        assert link.counters["malformed_datagrams"] == 4
        assert link.receive(0) is None
