"""Decoding and reducing the frames of one slot through all passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.reduce.passes import Pass
from pipeline.dectris.reduce.pixels.kernels import reduce_bslz4, reduce_images
from pipeline.dectris.reduce.planes.kernels import sum_bslz4
from pipeline.dectris.reduce.unpacking import kernels
from pipeline.model import U8, U64

BSLZ4: Final = 3
MAX_BLOCK_BYTES: Final = 1 << 20
MAX_ROOMS: Final = 8
PIXELS_AT_ONCE: Final = 4096
MAX_STACK_BYTES: Final = 1 << 26
"""Decoded frames that are handed to a stack reduction at once."""

WORDING: Final = {
    kernels.DAMAGED: "has a damaged block",
    kernels.CUT: "has data that do not end with their last block",
    kernels.OTHER_SIZE: "has data of another size than its pixels",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Packed frames of one layout, in memory that the worker only reads."""

    data: U8
    numbers: NDArray[np.int64]
    """(n,) frame numbers."""
    offsets: NDArray[np.int64]
    """(channels, n) where each one's data begin."""
    lengths: NDArray[np.int64]
    """(channels, n)"""
    codings: tuple[int, ...]
    """How each channel is packed: 0 plain, 1 one LZ4 block, 2 LZ4 of HDF5, 3 bit-shuffled LZ4."""
    dtype: np.dtype[Any]


class _Room:
    """Memory to work in, for one dtype and block size."""

    def __init__(self, dtype: np.dtype[Any], block_bytes: int) -> None:
        elements = block_bytes // dtype.itemsize
        levels = 8 * dtype.itemsize + 17
        words = -(-elements // 64)
        # A short block's planes are padded to whole words each.
        self.planes = np.zeros(-(-block_bytes // 64) * 64 + 64 * dtype.itemsize, np.uint8)
        self.lanes = np.zeros(words * 8, np.uint64)
        self.values = np.zeros(elements, np.uint32)
        self.partial = np.zeros(elements, np.uint64)
        self.counters = np.zeros((levels, words), np.uint64)
        self.pending = np.zeros((levels, words), np.uint64)
        self.is_pending = np.zeros(levels, bool)
        self.carry = np.zeros(words, np.uint64)
        self.again = np.zeros(elements, np.uint64)
        # Pixels at the maximum of their type are counted by themselves.
        self.tops = np.zeros((17, words), np.uint64)
        self.tops_pending = np.zeros((17, words), np.uint64)
        self.tops_are_pending = np.zeros(17, bool)
        self.top = np.zeros(words, np.uint64)


class Worker:
    """One thread's way through the passes. Not thread-safe; several work side by side."""

    def __init__(self, passes: Sequence[Pass], shape: tuple[int, int]) -> None:
        self._shape = shape
        self._pixels = shape[0] * shape[1]
        self._passes = [(one, one.accumulator(self._pixels)) for one in passes]
        self._stack: NDArray[Any] = np.empty((0, self._pixels), np.uint16)
        self._rooms: dict[tuple[np.dtype[Any], int], _Room] = {}

    def reduce(self, frames: Frames) -> dict[int, str]:
        """Reduce frames; returns what was wrong, by index. Bad frames are in no result."""
        bad: dict[int, str] = {}
        done: list[tuple[Pass, U8, U64, NDArray[np.float64]]] = []
        for one, part in self._passes:
            outcome = _Outcome(len(frames.numbers), one)
            with part.lock:
                self._go(one, frames, np.arange(len(frames.numbers)), part.sums, outcome)
            done.append((one, outcome.status, outcome.sums, outcome.weighted))
            for index in np.flatnonzero(outcome.status).tolist():
                bad.setdefault(index, WORDING[int(outcome.status[index])])
        if bad:
            self._take_out(frames, bad, [status for _, status, _, _ in done])
        good = np.ones(len(frames.numbers), bool)
        good[list(bad)] = False
        for one, _, sums, weighted in done:
            one.put(frames.numbers[good], sums[good], weighted[good])
            _give_packed(one, frames, good)
        return bad

    def _take_out(self, frames: Frames, bad: dict[int, str], statuses: list[U8]) -> None:
        """Frames that are bad in one channel leave the sums of the others, too."""
        for (one, part), status in zip(self._passes, statuses, strict=True):
            indices = np.array([index for index in bad if status[index] == kernels.GOOD], np.int64)
            if indices.size and one.sums:
                again = np.zeros_like(part.sums)
                self._go(one, frames, indices, again, _Outcome(len(frames.numbers), one), stacks=False)
                with part.lock:
                    part.sums -= again

    def _go(
        self,
        one: Pass,
        frames: Frames,
        indices: NDArray[np.int64],
        sums: U64,
        outcome: _Outcome,
        stacks: bool = True,
    ) -> None:
        """One pass over the frames of these indices."""
        if one.stacks and stacks:
            step = max(1, MAX_STACK_BYTES // (self._pixels * frames.dtype.itemsize))
            for first in range(0, indices.size, step):
                here = indices[first : first + step]
                stack = self._stack_room(step, here.size, frames.dtype)
                self._decode(one, frames, here, sums, outcome, stack)
                whole = outcome.status[here] == kernels.GOOD
                for reduction in one.stacks:
                    reduction.take(frames.numbers[here][whole], stack[whole].reshape(-1, *self._shape))
        else:
            self._decode(one, frames, indices, sums, outcome, np.zeros((0, self._pixels), frames.dtype))

    def _stack_room(self, most: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """(count, pixels), kept from slot to slot: fresh memory costs more than decoding into it."""
        if self._stack.dtype != dtype or len(self._stack) < count:
            self._stack = np.empty((min(most, 2 * count), self._pixels), dtype)
        return self._stack[:count]

    def _decode(
        self,
        one: Pass,
        frames: Frames,
        indices: NDArray[np.int64],
        sums: U64,
        outcome: _Outcome,
        stack: NDArray[Any],
    ) -> None:
        if frames.codings[one.channel] == BSLZ4:
            self._bslz4(one, frames, indices, sums, outcome, stack)
            return
        image = np.zeros(self._pixels * frames.dtype.itemsize, np.uint8)
        status, frame_sums, weighted = outcome.room(indices.size, len(one.weights))
        reduce_images(
            frames.data, frames.offsets[one.channel][indices], frames.lengths[one.channel][indices], status,
            self._pixels, frames.dtype.itemsize, frames.codings[one.channel], bool(one.sums), one.ignore_maximum,
            np.iinfo(frames.dtype).max, image, np.zeros(PIXELS_AT_ONCE, np.uint32), sums, frame_sums, one.weights,
            weighted, stack.view(np.uint8),
        )  # fmt: skip
        outcome.set(indices, status, frame_sums, weighted)

    def _bslz4(
        self,
        one: Pass,
        frames: Frames,
        indices: NDArray[np.int64],
        sums: U64,
        outcome: _Outcome,
        stack: NDArray[Any],
    ) -> None:
        """Frames with the block size of the first one together, then the others."""
        rows = np.arange(indices.size)
        while rows.size:
            offsets = frames.offsets[one.channel][indices[rows]]
            lengths = frames.lengths[one.channel][indices[rows]]
            block_bytes = _block_bytes(frames.data, int(offsets[0]), int(lengths[0]), frames.dtype)
            if block_bytes == 0:
                outcome.status[indices[rows[0]]] = kernels.OTHER_SIZE
                rows = rows[1:]
                continue
            by_bits = one.masks is not None and block_bytes % (64 * frames.dtype.itemsize) == 0
            columns = len(one.masks) if one.masks is not None and by_bits else len(one.weights)
            status, frame_sums, weighted = outcome.room(rows.size, columns)
            kernels.check_prefixes(
                frames.data, offsets, lengths, self._pixels * frames.dtype.itemsize, block_bytes, status
            )
            here = stack[rows] if stack.shape[0] else stack
            self._run(
                one, frames, offsets, lengths, status, block_bytes, by_bits, sums, frame_sums, weighted, here
            )
            if stack.shape[0]:
                stack[rows] = here
            if by_bits:
                weighted = weighted @ one.combine
            mine = status != kernels.OTHER_BLOCKS
            outcome.set(indices[rows[mine]], status[mine], frame_sums[mine], weighted[mine])
            rows = rows[~mine]

    def _run(
        self, one: Pass, frames: Frames, offsets: NDArray[np.int64], lengths: NDArray[np.int64], status: U8,
        block_bytes: int, by_bits: bool, sums: U64, frame_sums: U64, weighted: NDArray[np.float64], stack: NDArray[Any],
    ) -> None:  # fmt: skip
        room = self._room(frames.dtype, block_bytes)
        places = np.zeros((2, offsets.size), np.int64)
        if by_bits:
            sum_bslz4(
                frames.data, offsets, lengths, status, self._pixels, frames.dtype.itemsize, block_bytes,
                bool(one.sums), one.ignore_maximum, room.planes, room.lanes, places[0], kernels.SPREAD, sums,
                frame_sums, one.masks, weighted, room.counters, room.pending, room.is_pending, room.carry, room.again,
                room.tops, room.tops_pending, room.tops_are_pending, room.top,
            )  # fmt: skip
        else:
            reduce_bslz4(
                frames.data, offsets, lengths, status, self._pixels, frames.dtype.itemsize, block_bytes,
                bool(one.sums), one.ignore_maximum, np.iinfo(frames.dtype).max, room.planes, room.lanes, room.values,
                room.partial, places[0], places[1],
                kernels.SPREAD, sums, frame_sums, one.weights, weighted, stack.view(np.uint8),
            )  # fmt: skip

    def _room(self, dtype: np.dtype[Any], block_bytes: int) -> _Room:
        """Kept, as senders use one block size; one that uses many does not fill our memory."""
        room = self._rooms.get((dtype, block_bytes))
        if room is None:
            if len(self._rooms) >= MAX_ROOMS:
                self._rooms.clear()
            room = self._rooms[dtype, block_bytes] = _Room(dtype, block_bytes)
        return room


def _give_packed(one: Pass, frames: Frames, good: NDArray[np.bool_]) -> None:
    """Give the frames that could be unpacked as they came."""
    if not one.packed:
        return
    offsets, lengths = frames.offsets[one.channel][good], frames.lengths[one.channel][good]
    blobs = [frames.data[at : at + size] for at, size in zip(offsets.tolist(), lengths.tolist(), strict=True)]
    for reduction in one.packed:
        reduction.take_packed(frames.numbers[good], blobs, frames.codings[one.channel], frames.dtype)


class _Outcome:
    """What a pass found out about each frame."""

    def __init__(self, count: int, one: Pass) -> None:
        self.status: U8 = np.zeros(count, np.uint8)
        self.sums: U64 = np.zeros(count, np.uint64)
        self.weighted = np.zeros((count, len(one.weights)))

    def room(self, count: int, columns: int) -> tuple[U8, U64, NDArray[np.float64]]:
        """Arrays for a kernel."""
        return np.zeros(count, np.uint8), np.zeros(count, np.uint64), np.zeros((count, columns))

    def set(self, indices: NDArray[np.int64], status: U8, sums: U64, weighted: NDArray[np.float64]) -> None:
        """Take over what a kernel found."""
        self.status[indices], self.sums[indices], self.weighted[indices] = status, sums, weighted


def _block_bytes(data: U8, offset: int, length: int, dtype: np.dtype[Any]) -> int:
    """The block size that a frame tells; 0 when it cannot be."""
    if length < kernels.PREFIX:
        return 0
    told = int.from_bytes(data[offset + 8 : offset + kernels.PREFIX].tobytes(), "big")
    return told if 0 < told <= MAX_BLOCK_BYTES and told % (8 * dtype.itemsize) == 0 else 0
