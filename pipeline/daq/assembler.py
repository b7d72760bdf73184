"""Put the datagrams of one module together to frames: pure, fed one datagram at a time with an explicit time.

A frame is a whole block. Two frames may be open at once (datagrams of neighbouring trains can overtake each other);
when a third begins, the oldest is closed as it is. Memory is bounded by the slots that are handed in.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.daq.packets import (
    DATAGRAM_BYTES,
    END_OF_FRAME,
    PAYLOAD_BYTES,
    START_OF_FRAME,
    TOGETHER,
    Packet,
    packets_for,
)
from pipeline.daq.slots import Slot
from pipeline.model import U8, TrainFlag

MAX_OPEN: Final = 2
REMEMBERED_FRAMES: Final = 64


@dataclass(slots=True)
class Frame:
    """A block that is complete, or that will not become so."""

    number: int
    """Frame number of the datagrams."""
    slot: Slot
    block_bytes: int
    """Bytes of the block, from the slot's first one; missing datagrams are zeros."""
    flags: TrainFlag
    missing: int
    """Datagrams that never came, as far as can be told."""
    has_first: bool
    """Whether the first datagram, and with it the header, came."""


@dataclass(slots=True)
class _Open:
    number: int
    slot: Slot
    began_ns: int
    received: bytearray
    count: int = 0
    next_number: int = 0
    highest: int = -1
    last_payload: int = PAYLOAD_BYTES
    started: bool = False
    end: int = -1
    flags: TrainFlag = field(default_factory=lambda: TrainFlag(0))


class FrameAssembler:
    """Assemble one module's datagrams.

    capacity_bytes   the largest block that fits a slot
    expected_bytes   the block size at the configured number of memory cells: tells losses at the end of a frame
    take_slot        gives a slot, or None when all are lent out (the frame is then lost, counted `no_slot`)
    timeout_ns       age at which an open frame is closed as it is
    size_of          the block size that a header (the first 64 bytes of a slot) tells, or None
    """

    def __init__(
        self,
        capacity_bytes: int,
        expected_bytes: int,
        take_slot: Callable[[], Slot | None],
        timeout_ns: int,
        size_of: Callable[[U8], int | None] = lambda _: None,
    ) -> None:
        self._max_packets = packets_for(capacity_bytes)
        self._expected_bytes = expected_bytes
        self._size_of = size_of
        self._take_slot, self._timeout_ns = take_slot, timeout_ns
        self._open: dict[int, _Open] = {}
        self._finished: deque[int] = deque(maxlen=REMEMBERED_FRAMES)
        self._spare: Slot | None = None
        self._refused: int | None = None
        self.counters: Final[Counter[str]] = Counter()

    @property
    def open_frames(self) -> int:
        """How many frames have begun and not ended."""
        return len(self._open)

    def predicted(self) -> tuple[Slot, int] | None:
        """Slot and byte offset at which the next datagram belongs if nothing is lost; None when there is no slot."""
        if self._open:
            newest = next(reversed(self._open.values()))
            if newest.next_number < self._max_packets:
                return newest.slot, newest.next_number * PAYLOAD_BYTES
            return newest.slot, self._max_packets * PAYLOAD_BYTES
        if self._spare is None:
            self._spare = self._take_slot()
        return None if self._spare is None else (self._spare, 0)

    def predicted_room(self) -> tuple[Slot, int] | None:
        """Slot and byte offset where the next datagrams belong, with room for TOGETHER of them that nothing is in yet.

        None when there is no slot, or when one of those places has been filled before its turn.
        """
        place = self.predicted()
        if place is None or not self._open:
            return place
        newest = next(reversed(self._open.values()))
        first = newest.next_number
        return None if newest.received.find(1, first, first + TOGETHER) >= 0 else place

    def arrived_in_order(self, words: Sequence[int], last_bytes: int, now_ns: int) -> list[Frame] | None:
        """Take datagrams that lie where `predicted_room` said, all of them of full size but perhaps the last.

        words       frame number and number-with-flags of each, from their trailers
        last_bytes  size of the last datagram

        The frames that they ended, or None, and then nothing was taken in, when they are not the next ones of the
        frame that began last.
        """
        count, first_frame = len(words) // 2, words[0]
        frame = next(reversed(self._open.values()), None)
        begins = words[1] == START_OF_FRAME
        if begins:
            if frame is not None or first_frame in self._finished or first_frame == self._refused:
                return None
            first = 0
        elif frame is None or frame.number != first_frame or frame.highest >= frame.next_number:
            return None  # of another frame, or late after some that overtook it
        else:
            first = frame.next_number
        ends = bool(words[-1] & END_OF_FRAME)
        if not self._consecutive(words, first, begins, ends) or (last_bytes < DATAGRAM_BYTES and not ends):
            return None
        if frame is None:
            frame = self._begin(Packet(first_frame, 0, True, ends, PAYLOAD_BYTES), now_ns)
            if frame is None:
                return []
        self.counters["datagrams"] += count
        frame.received[first : first + count] = b"\1" * count
        frame.count += count
        frame.highest = first + count - 1
        frame.last_payload = last_bytes - (DATAGRAM_BYTES - PAYLOAD_BYTES)
        frame.started |= begins
        if ends:
            frame.end = first + count - 1
        self._advance(frame)
        return [self._close(frame)] if ends and frame.count == frame.end + 1 else []

    def _consecutive(self, words: Sequence[int], first: int, begins: bool, ends: bool) -> bool:
        """Whether these are numbers first, first + 1 … of one frame, with flags at its ends only."""
        count = len(words) // 2
        if first + count > self._max_packets:
            return False
        numbers = list(range(first, first + count))
        if begins:
            numbers[0] |= START_OF_FRAME
        if ends:
            numbers[-1] |= END_OF_FRAME
        return list(words[1::2]) == numbers and words[::2].count(words[0]) == count

    def arrived(self, packet: Packet, payload: memoryview, now_ns: int) -> list[Frame]:
        """Take one datagram, its payload in the predicted place or anywhere; the frames that it ended."""
        self.counters["datagrams"] += 1
        ended: list[Frame] = []
        frame = self._open.get(packet.frame)
        if frame is None:
            if self._belongs_to_past(packet):
                return ended
            # What lies in the predicted place of another frame must be put into the new frame's slot.
            while len(self._open) >= MAX_OPEN:
                ended.append(self._close(next(iter(self._open.values()))))
            frame = self._begin(packet, now_ns)
            if frame is None:
                return ended
        if self._place(frame, packet, payload):
            ended.append(self._close(frame))
        return ended

    def expire(self, now_ns: int) -> list[Frame]:
        """Close the frames that have been open for too long."""
        old = [f for f in self._open.values() if now_ns - f.began_ns >= self._timeout_ns]
        self.counters["frames_timed_out"] += len(old)
        return [self._close(frame) for frame in old]

    def _belongs_to_past(self, packet: Packet) -> bool:
        if packet.frame == self._refused and not packet.start:
            return True
        # A start of frame after the end is a train that is sent again, anything else came too late.
        if packet.frame in self._finished and not packet.start:
            self.counters["late_datagrams"] += 1
            return True
        return False

    def _begin(self, packet: Packet, now_ns: int) -> _Open | None:
        slot, self._spare = self._spare or self._take_slot(), None
        if slot is None:
            self.counters["no_slot"] += 1
            self._refused = packet.frame
            return None
        self._refused = None
        frame = _Open(packet.frame, slot, now_ns, bytearray(self._max_packets))
        self._open[packet.frame] = frame
        self.counters["frames"] += 1
        return frame

    def _place(self, frame: _Open, packet: Packet, payload: memoryview) -> bool:
        """Put a payload in its place; whether the frame is complete with it."""
        number = packet.number
        if number >= self._max_packets:
            self.counters["number_out_of_range"] += 1
            frame.flags |= TrainFlag.BAD_COUNT
            return False
        if frame.received[number]:
            self.counters["duplicate_datagrams"] += 1
            frame.flags |= TrainFlag.DUPLICATES
            return False
        self._copy_if_elsewhere(frame, number, packet.payload_bytes, payload)
        frame.received[number] = 1
        frame.count += 1
        if number < frame.highest:
            self.counters["reordered_datagrams"] += 1
            frame.flags |= TrainFlag.REORDERED
        else:
            frame.highest = number
            frame.last_payload = packet.payload_bytes
        if packet.start:
            frame.started = True
        if packet.end:
            frame.end = number
        elif packet.payload_bytes < PAYLOAD_BYTES:
            self.counters["short_datagrams"] += 1
        self._advance(frame)
        return frame.end >= 0 and frame.count == frame.end + 1

    def _copy_if_elsewhere(self, frame: _Open, number: int, size: int, payload: memoryview) -> None:
        predicted = number == frame.next_number and frame is next(reversed(self._open.values()))
        start = number * PAYLOAD_BYTES
        if not predicted or payload.obj is not frame.slot.view.obj:
            # The memory of the payload may overlap its place only when it is that place.
            frame.slot.view[start : start + size] = bytes(payload[:size])

    def _advance(self, frame: _Open) -> None:
        number = frame.next_number
        received = frame.received
        while number < self._max_packets and received[number]:
            number += 1
        frame.next_number = number

    def _close(self, frame: _Open) -> Frame:
        del self._open[frame.number]
        self._finished.append(frame.number)
        expected = self._expected(frame)
        last = frame.end if frame.end >= 0 else max(frame.highest, packets_for(expected) - 1)
        missing = last + 1 - sum(frame.received[: last + 1])
        flags = frame.flags
        if missing:
            flags |= TrainFlag.INCOMPLETE
            self._fill_with_zeros(frame, last)
        if not frame.started:
            flags |= TrainFlag.NO_START
        if frame.end < 0:
            flags |= TrainFlag.NO_END
        self.counters["missing_datagrams"] += missing
        if frame.highest == last:
            size = last * PAYLOAD_BYTES + frame.last_payload
        else:
            size = min(expected, (last + 1) * PAYLOAD_BYTES)
        return Frame(frame.number, frame.slot, size, flags, missing, bool(frame.received[0]))

    def _expected(self, frame: _Open) -> int:
        size = self._size_of(frame.slot.bytes) if frame.received[0] else None
        if size is None or packets_for(size) > self._max_packets:
            return self._expected_bytes
        return size

    def _fill_with_zeros(self, frame: _Open, last: int) -> None:
        for number in range(last + 1):
            if not frame.received[number]:
                start = number * PAYLOAD_BYTES
                frame.slot.bytes[start : start + PAYLOAD_BYTES] = 0
