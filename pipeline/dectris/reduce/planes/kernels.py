"""Sums and masks of bit-shuffled frames without making pixels of them: what high rates go through.

Bit-shuffled LZ4 unpacks to bit planes. Adding images in bit planes is a full adder for 64 pixels at once, a sum over
pixels is counting bits, and planes of zeros, most of them in sparse images, cost a look only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from pipeline.dectris.reduce.unpacking.kernels import CUT, GOOD, PREFIX, next_block


@njit(nogil=True, cache=True)
def any_bit_of(words: Any) -> Any:
    """All of them or-ed: 0 when no bit is set."""
    found = words.dtype.type(0)
    for w in range(words.size):
        found |= words[w]
    return found


@njit(nogil=True, cache=True)
def _copy(plane: Any, out: Any) -> None:
    for w in range(plane.size):
        out[w] = plane[w]


@njit(nogil=True, cache=True)
def _add_plane(plane: Any, level: Any, counters: Any, pending: Any, is_pending: Any, carry: Any) -> None:
    """Add a bit plane to counters that lie in bit planes themselves.

    Each level waits for a second plane and then adds both with one full adder for 64 pixels at once; its carries
    go to the next level, which so is called half as often (Harley and Seal's population count).
    """
    if not is_pending[level]:
        is_pending[level] = True
        _copy(plane, pending[level])
        return
    carry = carry[: plane.size]
    _full_add(counters[level], pending[level], plane, carry)
    is_pending[level] = False
    level += 1
    while is_pending[level]:
        _full_add(counters[level], pending[level], carry, carry)
        is_pending[level] = False
        level += 1
    is_pending[level] = True
    _copy(carry, pending[level])


@njit(nogil=True, cache=True)
def _full_add(counter: Any, pending: Any, plane: Any, carry: Any) -> None:
    for w in range(plane.size):
        a, b, c = counter[w], pending[w], plane[w]
        counter[w] = a ^ b ^ c
        carry[w] = (a & b) | (c & (a ^ b))


@njit(nogil=True, cache=True)
def _drain(
    counters: Any,
    pending: Any,
    is_pending: Any,
    row: Any,
    levels: Any,
    lanes: Any,
    spread: Any,
    sums: Any,
) -> None:
    """Add counters in bit planes to the sums of their pixels, and empty them."""
    lane_bytes = lanes.view(np.uint8)
    for which in range(2):
        source = counters if which == 0 else pending
        for base in range(0, levels, 8):
            any_bit = False
            for level in range(base, min(base + 8, levels)):
                if which == 1 and not is_pending[level]:
                    continue
                counter = source[level, :row]
                if any_bit_of(counter) == 0:
                    continue
                shift = np.uint64(level - base)
                here = counter.view(np.uint8)
                if not any_bit:
                    any_bit = True
                    for k in range(8 * row):
                        lanes[k] = spread[here[k]] << shift
                else:
                    for k in range(8 * row):
                        lanes[k] |= spread[here[k]] << shift
                counter[:] = 0
            if any_bit:
                move = np.uint64(base)
                for e in range(sums.size):
                    sums[e] += np.uint64(lane_bytes[e]) << move
    for level in range(levels):
        is_pending[level] = False


@intrinsic
def _count_bits(_typing: Any, _word: Any) -> Any:
    """How many bits of a uint64 are set; numba has no word for the processor's own instruction."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


_bits: Any = _count_bits


@njit(nogil=True, cache=True)
def _ones(plane: Any) -> Any:
    """How many bits are set."""
    total = np.uint64(0)
    for w in range(plane.size):
        total += _bits(plane[w])
    return total


@njit(nogil=True, cache=True)
def _ones_in(plane: Any, mask: Any) -> Any:
    """How many bits are set where the mask has one."""
    total = np.uint64(0)
    for w in range(plane.size):
        total += _bits(plane[w] & mask[w])
    return total


@njit(nogil=True, cache=True)
def _pad(planes: Any, length: Any, padded: Any, depth: Any) -> None:
    """Planes of *length* bytes to whole words, zeros behind: the last block of an image may be of any length."""
    for bit in range(depth - 1, -1, -1):
        for i in range(padded - 1, length - 1, -1):
            planes[bit * padded + i] = 0
        for i in range(length - 1, -1, -1):
            planes[bit * padded + i] = planes[bit * length + i]


@njit(nogil=True, cache=True)
def _part_maximum(words: Any, row: Any, depth: Any, carry: Any) -> Any:
    """Set pixels in which all bits are set to 0, and leave a bit for each of them in carry; whether there is one.

    Gaps and masked pixels have all bits set. With them no plane would be empty, and all of them cost an addition.
    """
    carry = carry[:row]
    _copy(words[(depth - 1) * row : depth * row], carry)
    for bit in range(depth - 2, -1, -1):
        if any_bit_of(carry) == 0:
            return False
        plane = words[bit * row : (bit + 1) * row]
        for w in range(row):
            carry[w] &= plane[w]
    if any_bit_of(carry) == 0:
        return False
    for bit in range(depth):
        plane = words[bit * row : (bit + 1) * row]
        for w in range(row):
            plane[w] &= ~carry[w]
    return True


@njit(nogil=True, cache=True)
def sum_bslz4(
    data: Any, offsets: Any, lengths: Any, status: Any, pixels: Any, itemsize: Any, block_bytes: Any, want_sum: Any,
    ignore_maximum: Any, planes: Any, lanes: Any, positions: Any, spread: Any, sums: Any, frame_sums: Any,
    masks: Any, counts: Any, counters: Any, pending: Any, is_pending: Any, carry: Any, again: Any, tops: Any,
    tops_pending: Any, tops_are_pending: Any, top: Any,
) -> None:  # fmt: skip
    """As reduce_bslz4, for sums and masks only: adds and counts in bit planes, without ever making pixels of them.

    One code for all pixel types. *pixels* must be a multiple of 8, the elements of a block one of 64.
    masks (k, pixels / 64 rounded up) uint64: bit i of word w is pixel 64 w + i; counts (n,
    k) gets the sum of the pixels whose
    bit is set. counters, pending (levels, elements / 64) uint64 zeros, is_pending (levels,) bool False, carry
    (elements / 64,) and again (elements,) uint64; levels must hold the bits of the image and of the number of frames
    together. tops, tops_pending, tops_are_pending and top (elements / 64,) the same for pixels at the type's maximum,
    which are counted by themselves; levels for the number of frames.
    """
    depth = 8 * itemsize
    elements = block_bytes // itemsize
    frames = offsets.size
    words = planes.view(np.uint64)
    levels = is_pending.size
    maximum = (np.uint64(1) << np.uint64(depth)) - np.uint64(1)
    any_top = False
    frame_sums[:] = 0
    counts[:] = 0
    for f in range(frames):
        positions[f] = offsets[f] + PREFIX
    for first in range(0, pixels, elements):
        count = min(elements, pixels - first)
        row = (count + 63) >> 6
        for f in range(frames):
            if status[f] != GOOD:
                continue
            at = next_block(data, positions[f], offsets[f] + lengths[f], planes, count * itemsize)
            if at < 0:
                status[f] = -at
                # Negative: how many pixels it had already added.
                positions[f] = -first
                continue
            positions[f] = at
            if count & 63:
                _pad(planes, count >> 3, 8 * row, depth)
            total = np.uint64(0)
            if _part_maximum(words, row, depth, top) and not ignore_maximum:
                any_top = True
                at_top = top[:row]
                total += _ones(at_top) * maximum
                for k in range(masks.shape[0]):
                    mask = masks[k, first >> 6 : (first >> 6) + row]
                    counts[f, k] += np.float64(_ones_in(at_top, mask) * maximum)
                if want_sum:
                    _add_plane(at_top, 0, tops, tops_pending, tops_are_pending, carry)
            for bit in range(depth):
                plane = words[bit * row : (bit + 1) * row]
                # Counting is done bit by bit of code, or-ing by vectors: look first.
                if any_bit_of(plane) == 0:
                    continue
                total += _ones(plane) << np.uint64(bit)
                for k in range(masks.shape[0]):
                    mask = masks[k, first >> 6 : (first >> 6) + row]
                    counts[f, k] += np.float64(_ones_in(plane, mask) << np.uint64(bit))
                if want_sum:
                    _add_plane(plane, bit, counters, pending, is_pending, carry)
            frame_sums[f] += total
        if want_sum:
            _drain(counters, pending, is_pending, row, levels, lanes, spread, sums[first : first + count])
            if any_top:
                any_top = False
                again[:count] = 0
                _drain(
                    tops,
                    tops_pending,
                    tops_are_pending,
                    row,
                    tops_are_pending.size,
                    lanes,
                    spread,
                    again[:count],
                )
                for e in range(count):
                    sums[first + e] += again[e] * maximum
    for f in range(frames):
        if status[f] == GOOD and positions[f] != offsets[f] + lengths[f]:
            status[f] = CUT
            positions[f] = -pixels
        if status[f] == GOOD:
            continue
        frame_sums[f] = 0
        counts[f] = 0
        if want_sum and positions[f] < 0:
            _take_out(
                data, offsets[f], lengths[f], -positions[f], pixels, itemsize, elements, ignore_maximum, planes, lanes,
                spread, sums, counters, pending, is_pending, carry, again,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def _take_out(
    data: Any, offset: Any, length: Any, added: Any, pixels: Any, itemsize: Any, elements: Any, ignore_maximum: Any,
    planes: Any, lanes: Any, spread: Any, sums: Any, counters: Any, pending: Any, is_pending: Any, carry: Any,
    again: Any,
) -> None:  # fmt: skip
    """Subtract the first *added* pixels of a frame that turned out bad later on."""
    words = planes.view(np.uint64)
    at = offset + PREFIX
    for first in range(0, added, elements):
        count = min(elements, pixels - first)
        row = (count + 63) >> 6
        at = next_block(data, at, offset + length, planes, count * itemsize)
        if count & 63:
            _pad(planes, count >> 3, 8 * row, 8 * itemsize)
        if ignore_maximum:
            _part_maximum(words, row, 8 * itemsize, carry)
        again[:count] = 0
        for bit in range(8 * itemsize):
            _add_plane(words[bit * row : (bit + 1) * row], bit, counters, pending, is_pending, carry)
        _drain(counters, pending, is_pending, row, is_pending.size, lanes, spread, again[:count])
        for e in range(count):
            sums[first + e] -= again[e]
