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
    first: Any,
) -> None:
    """Counters in bit planes to sums, and empty them."""
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
                target = sums[first : first + 64 * row]
                for e in range(64 * row):
                    target[e] += np.uint64(lane_bytes[e]) << move
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
def _clear_maximum(words: Any, row: Any, depth: Any, carry: Any) -> None:
    """Set pixels in which all bits are set to 0."""
    _copy(words[:row], carry)
    for bit in range(1, depth):
        plane = words[bit * row : (bit + 1) * row]
        for w in range(row):
            carry[w] &= plane[w]
        if any_bit_of(carry[:row]) == 0:
            return
    for bit in range(depth):
        plane = words[bit * row : (bit + 1) * row]
        for w in range(row):
            plane[w] &= ~carry[w]


@njit(nogil=True, cache=True)
def sum_bslz4(
    data: Any, offsets: Any, lengths: Any, status: Any, pixels: Any, itemsize: Any, block_bytes: Any, want_sum: Any,
    ignore_maximum: Any, planes: Any, lanes: Any, positions: Any, spread: Any, sums: Any, frame_sums: Any,
    masks: Any, counts: Any, counters: Any, pending: Any, is_pending: Any, carry: Any, again: Any,
) -> None:  # fmt: skip
    """As reduce_bslz4, for sums and masks only: adds and counts in bit planes, without ever making pixels of them.

    One code for all pixel types. *pixels* and the elements of a block must be multiples of 64.
    masks (k, pixels / 64) uint64: bit i of word w is pixel 64 w + i; counts (n, k) gets the sum of the pixels whose
    bit is set. counters, pending (levels, elements / 64) uint64 zeros, is_pending (levels,) bool False, carry
    (elements / 64,) and again (elements,) uint64; levels must hold the bits of the image and of the number of frames
    together.
    """
    depth = 8 * itemsize
    elements = block_bytes // itemsize
    frames = offsets.size
    words = planes.view(np.uint64)
    levels = is_pending.size
    frame_sums[:] = 0
    counts[:] = 0
    for f in range(frames):
        positions[f] = offsets[f] + PREFIX
    for first in range(0, pixels, elements):
        count = min(elements, pixels - first)
        row = count >> 6
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
            if ignore_maximum:
                _clear_maximum(words, row, depth, carry)
            total = np.uint64(0)
            for bit in range(depth):
                plane = words[bit * row : (bit + 1) * row]
                ones = _ones(plane)
                if ones == 0:
                    continue
                total += ones << np.uint64(bit)
                for k in range(masks.shape[0]):
                    mask = masks[k, first >> 6 : (first >> 6) + row]
                    counts[f, k] += np.float64(_ones_in(plane, mask) << np.uint64(bit))
                if want_sum:
                    _add_plane(plane, bit, counters, pending, is_pending, carry)
            frame_sums[f] += total
        if want_sum:
            _drain(counters, pending, is_pending, row, levels, lanes, spread, sums, first)
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
        row = count >> 6
        at = next_block(data, at, offset + length, planes, count * itemsize)
        if ignore_maximum:
            _clear_maximum(words, row, 8 * itemsize, carry)
        again[:count] = 0
        for bit in range(8 * itemsize):
            _add_plane(words[bit * row : (bit + 1) * row], bit, counters, pending, is_pending, carry)
        _drain(counters, pending, is_pending, row, is_pending.size, lanes, spread, again, 0)
        for e in range(count):
            sums[first + e] -= again[e]
