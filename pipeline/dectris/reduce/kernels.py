"""Decoding and reducing one slot of frames, no lock held, nothing allocated per frame.

Frames are gone through block by block, all frames of the slot for one block before the next: what is summed of a block
stays in the first cache. Layouts: SIMPLON API reference 1.8 and the HDF5 filters 32008 (bitshuffle) and 32004 (lz4):
uint64 BE size, uint32 BE block size in bytes, per block uint32 BE length and a raw LZ4 block. A bit-shuffled block of n
elements holds plane after plane of n / 8 bytes, plane b the bits b of all elements, lowest bit of a byte first.

Nothing here trusts the bytes: every length is held against the end of its blob, and LZ4 is asked for exactly what the
layout says. A frame that fails in a later block is taken out again of what its earlier blocks had added.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

import bitshuffle.ext
import llvmlite.binding
import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

GOOD: Final = 0
DAMAGED: Final = 1
"""A block does not unpack to its size."""
CUT: Final = 2
"""The blob ends before its blocks, or after them."""
OTHER_SIZE: Final = 3
"""The blob tells another size than the image has."""
OTHER_BLOCKS: Final = 4
"""The blob has another block size than the frames it was given with: decode it by itself."""

PREFIX: Final = 12

# A symbol instead of an address keeps the compiled code cacheable on disk: it is looked up when the code is loaded.
_LZ4: Final = "stellwerk_lz4_decompress_safe"
_library = ctypes.CDLL(bitshuffle.ext.__file__)
llvmlite.binding.add_symbol(
    _LZ4, ctypes.cast(_library.LZ4_decompress_safe, ctypes.c_void_p).value
)  # type: ignore[no-untyped-call]
_lz4 = types.ExternalFunction(
    _LZ4, types.int32(types.voidptr, types.voidptr, types.int32, types.int32)
)

# Eight bits of a byte to eight bytes of 0 or 1.
SPREAD: Final[NDArray[np.uint64]] = np.array(
    [sum(((byte >> bit) & 1) << (8 * bit) for bit in range(8)) for byte in range(256)], np.uint64
)
_ONE = np.uint64(1)


@njit(nogil=True, cache=True)
def _be32(data: Any, at: Any) -> Any:
    return (
        (np.int64(data[at]) << 24)
        | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8)
        | np.int64(data[at + 3])
    )


@njit(nogil=True, cache=True)
def _unpack(data: Any, at: Any, length: Any, out: Any, out_at: Any, size: Any) -> Any:
    """One raw LZ4 block of exactly *size* bytes; False when it is none."""
    if length < 1 or length > 0x7FFFFFFF or size > 0x7FFFFFFF:
        return False
    return (
        _lz4(data.ctypes.data + at, out.ctypes.data + out_at, np.int32(length), np.int32(size)) == size
    )


@njit(nogil=True, cache=True)
def _any(words: Any) -> Any:
    """All of them or-ed: 0 when no bit is set."""
    found = words.dtype.type(0)
    for w in range(words.size):
        found |= words[w]
    return found


@njit(nogil=True, cache=True)
def _unshuffle(planes: Any, elements: Any, itemsize: Any, lanes: Any, values: Any, spread: Any) -> None:
    """Bit planes to values; planes of zeros, most of them in sparse images, cost a look only."""
    row = elements >> 3
    lane_bytes = lanes.view(np.uint8)
    for byte in range(itemsize):
        any_bit = False
        for bit in range(8):
            start = (byte * 8 + bit) * row
            plane = planes[start : start + row]
            if _any(plane) == 0:
                continue
            shift = np.uint64(bit)
            if not any_bit:
                any_bit = True
                for k in range(row):
                    lanes[k] = spread[plane[k]] << shift
            else:
                for k in range(row):
                    lanes[k] |= spread[plane[k]] << shift
        if byte == 0:
            if not any_bit:
                values[:elements] = 0
            else:
                for e in range(elements):
                    values[e] = lane_bytes[e]
        elif any_bit:
            move = np.uint32(8 * byte)
            for e in range(elements):
                values[e] |= np.uint32(lane_bytes[e]) << move


@njit(nogil=True, cache=True)
def _take(
    values: Any, itemsize: Any, count: Any, first: Any, frame: Any, want_sum: Any, ignore_maximum: Any, maximum: Any, partial: Any,
    frame_sums: Any, weights: Any, weighted: Any, stack: Any,
) -> None:  # fmt: skip
    """Add *count* pixels from *first* on of one frame to everything that is wanted of them."""
    if stack.shape[0]:
        _keep(values[:count], stack[frame, first * itemsize : (first + count) * itemsize], itemsize)
    if ignore_maximum:
        for e in range(count):
            if values[e] == maximum:
                values[e] = 0
    if want_sum:
        for e in range(count):
            partial[e] += values[e]
    total = np.uint64(0)
    for e in range(count):
        total += values[e]
    frame_sums[frame] += total
    for k in range(weights.shape[0]):
        weighted[frame, k] += _dot(values[:count], weights[k, first : first + count])


@njit(nogil=True, cache=True)
def _keep(values: Any, out: Any, itemsize: Any) -> None:
    """Values to the bytes of pixels of *itemsize*."""
    if itemsize == 1:
        for e in range(values.size):
            out[e] = values[e]
    elif itemsize == 2:
        halves = out.view(np.uint16)
        for e in range(values.size):
            halves[e] = values[e]
    else:
        words = out.view(np.uint32)
        for e in range(values.size):
            words[e] = values[e]


@njit(nogil=True, cache=True, fastmath=True)
def _dot(values: Any, weights: Any) -> Any:
    found = np.float64(0)
    for e in range(values.size):
        found += np.float64(values[e]) * np.float64(weights[e])
    return found


@njit(nogil=True, cache=True)
def _next_block(data: Any, at: Any, end: Any, planes: Any, size: Any) -> Any:
    """Unpack the block at *at*; the position after it, or minus the reason."""
    if at + 4 > end:
        return -CUT
    length = _be32(data, at)
    if length > end - at - 4:
        return -CUT
    if not _unpack(data, at + 4, length, planes, 0, size):
        return -DAMAGED
    return at + 4 + length


@njit(nogil=True, cache=True)
def check_prefixes(
    data: Any, offsets: Any, lengths: Any, image_bytes: Any, block_bytes: Any, status: Any
) -> None:
    """Set *status* of every frame from the 12 bytes before its blocks."""
    for f in range(offsets.size):
        status[f] = GOOD
        at = offsets[f]
        if lengths[f] < PREFIX:
            status[f] = CUT
        elif _be32(data, at) != 0 or _be32(data, at + 4) != image_bytes:
            status[f] = OTHER_SIZE
        elif _be32(data, at + 8) != block_bytes:
            status[f] = OTHER_BLOCKS


@njit(nogil=True, cache=True)
def reduce_bslz4(
    data: Any, offsets: Any, lengths: Any, status: Any, pixels: Any, itemsize: Any, block_bytes: Any, want_sum: Any,
    ignore_maximum: Any, maximum: Any, planes: Any, lanes: Any, values: Any, partial: Any, positions: Any, bad_at: Any,
    spread: Any, sums: Any, frame_sums: Any, weights: Any, weighted: Any, stack: Any,
) -> None:  # fmt: skip
    """Decode and reduce the frames whose *status* is good; bad ones get theirs and are left out of everything.

    data (bytes,) uint8; offsets, lengths (n,) int64; status (n,) uint8; planes (block_bytes,) uint8, lanes
    (elements / 8,) uint64, values (elements,) uint32, partial (elements,) uint64, positions, bad_at (n,) int64: room
    to work in; sums (pixels,) uint64 is added to; frame_sums (n,) uint64 and weighted (n, k) float64 are set; weights
    (k, pixels) float32; stack (n or 0, pixels × itemsize) uint8, the pixels' bytes. Pixels of all types are worked on
    as uint32: three times less to compile, and what matters at high rates goes through sum_bslz4.
    """
    elements = block_bytes // itemsize
    whole = pixels - pixels % 8
    frames = offsets.size
    tail = (pixels - whole) * itemsize
    frame_sums[:] = 0
    weighted[:] = 0
    for f in range(frames):
        positions[f] = offsets[f] + PREFIX
        bad_at[f] = -1
    for first in range(0, whole, elements):
        count = min(elements, whole - first)
        if want_sum:
            partial[:count] = 0
        for f in range(frames):
            if status[f] != GOOD:
                continue
            at = _next_block(data, positions[f], offsets[f] + lengths[f] - tail, planes, count * itemsize)
            if at < 0:
                status[f] = -at
                bad_at[f] = first
                continue
            positions[f] = at
            _unshuffle(planes, count, itemsize, lanes, values, spread)
            _take(
                values, itemsize, count, first, f, want_sum, ignore_maximum, maximum, partial, frame_sums, weights, weighted,
                stack,
            )  # fmt: skip
        if want_sum:
            for e in range(count):
                sums[first + e] += partial[e]
    for f in range(frames):
        if status[f] == GOOD and positions[f] + tail != offsets[f] + lengths[f]:
            status[f] = CUT
            bad_at[f] = whole
    _finish(
        data, offsets, lengths, status, pixels, itemsize, elements, want_sum, ignore_maximum, maximum, planes, lanes, values,
        partial, positions, bad_at, spread, sums, frame_sums, weights, weighted, stack,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _widen(raw: Any, itemsize: Any, values: Any) -> None:
    """The bytes of pixels to values; plain data may begin anywhere, so byte by byte."""
    count = raw.size // itemsize
    for e in range(count):
        values[e] = raw[e * itemsize]
    for byte in range(1, itemsize):
        move = np.uint32(8 * byte)
        for e in range(count):
            values[e] |= np.uint32(raw[e * itemsize + byte]) << move


@njit(nogil=True, cache=True)
def _finish(
    data: Any, offsets: Any, lengths: Any, status: Any, pixels: Any, itemsize: Any, elements: Any, want_sum: Any,
    ignore_maximum: Any, maximum: Any, planes: Any, lanes: Any, values: Any, partial: Any, positions: Any, bad_at: Any,
    spread: Any, sums: Any, frame_sums: Any, weights: Any, weighted: Any, stack: Any,
) -> None:  # fmt: skip
    """The raw elements at the end of each frame; and bad frames out of the sums again."""
    whole = pixels - pixels % 8
    for f in range(offsets.size):
        if status[f] == GOOD:
            if whole < pixels:
                count = pixels - whole
                _widen(data[positions[f] : positions[f] + count * itemsize], itemsize, values)
                partial[:count] = 0
                _take(
                    values, itemsize, count, whole, f, want_sum, ignore_maximum, maximum, partial, frame_sums, weights,
                    weighted, stack,
                )  # fmt: skip
                if want_sum:
                    for e in range(count):
                        sums[whole + e] += partial[e]
            continue
        frame_sums[f] = 0
        weighted[f] = 0
        if want_sum and bad_at[f] > 0:
            at = offsets[f] + PREFIX
            for first in range(0, bad_at[f], elements):
                count = min(elements, whole - first)
                at = _next_block(data, at, offsets[f] + lengths[f], planes, count * itemsize)
                _unshuffle(planes, count, itemsize, lanes, values, spread)
                for e in range(count):
                    if not (ignore_maximum and values[e] == maximum):
                        sums[first + e] -= np.uint64(values[e])


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
def _copy(plane: Any, out: Any) -> None:
    for w in range(plane.size):
        out[w] = plane[w]


@njit(nogil=True, cache=True)
def _full_add(counter: Any, pending: Any, plane: Any, carry: Any) -> None:
    for w in range(plane.size):
        a, b, c = counter[w], pending[w], plane[w]
        counter[w] = a ^ b ^ c
        carry[w] = (a & b) | (c & (a ^ b))


@njit(nogil=True, cache=True)
def _drain(
    counters: Any, pending: Any, is_pending: Any, row: Any, levels: Any, lanes: Any, spread: Any, sums: Any, first: Any
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
                if _any(counter) == 0:
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
def _bits(typing: Any, word: Any) -> Any:
    """How many bits of a uint64 are set; numba has no word for the processor's own instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


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
        if _any(carry[:row]) == 0:
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
            at = _next_block(data, positions[f], offsets[f] + lengths[f], planes, count * itemsize)
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
        at = _next_block(data, at, offset + length, planes, count * itemsize)
        if ignore_maximum:
            _clear_maximum(words, row, 8 * itemsize, carry)
        again[:count] = 0
        for bit in range(8 * itemsize):
            _add_plane(words[bit * row : (bit + 1) * row], bit, counters, pending, is_pending, carry)
        _drain(counters, pending, is_pending, row, is_pending.size, lanes, spread, again, 0)
        for e in range(count):
            sums[first + e] -= again[e]


@njit(nogil=True, cache=True)
def _whole_image(data: Any, at: Any, length: Any, coding: Any, image: Any) -> Any:
    """Unpack one image that is not bit-shuffled; the status."""
    size = image.size
    if coding == 0:
        if length != size:
            return OTHER_SIZE
        for i in range(size):
            image[i] = data[at + i]
        return GOOD
    if coding == 1:
        return GOOD if _unpack(data, at, length, image, 0, size) else DAMAGED
    if length < PREFIX:
        return CUT
    if _be32(data, at) != 0 or _be32(data, at + 4) != size:
        return OTHER_SIZE
    block, end, done = _be32(data, at + 8), at + length, 0
    if block == 0:
        return OTHER_SIZE
    at += PREFIX
    while done < size:
        want = min(block, size - done)
        if at + 4 > end:
            return CUT
        packed = _be32(data, at)
        at += 4
        if packed > end - at:
            return CUT
        if packed == want:
            for i in range(want):
                image[done + i] = data[at + i]
        elif not _unpack(data, at, packed, image, done, want):
            return DAMAGED
        at += packed
        done += want
    return GOOD if at == end else CUT


@njit(nogil=True, cache=True)
def reduce_images(
    data: Any, offsets: Any, lengths: Any, status: Any, pixels: Any, itemsize: Any, coding: Any, want_sum: Any,
    ignore_maximum: Any, maximum: Any, image: Any, values: Any, sums: Any, frame_sums: Any, weights: Any,
    weighted: Any, stack: Any,
) -> None:  # fmt: skip
    """As reduce_bslz4, for images that are not bit-shuffled.

    *coding* 0: plain, 1: one raw LZ4 block (stream 1), 2: the HDF5 filter's LZ4 (stream 2). image
    (pixels × itemsize,) uint8 and values (elements,) uint32: room to work in.
    """
    frame_sums[:] = 0
    weighted[:] = 0
    for f in range(offsets.size):
        status[f] = _whole_image(data, offsets[f], lengths[f], coding, image)
        if status[f] != GOOD:
            continue
        for first in range(0, pixels, values.size):
            count = min(values.size, pixels - first)
            _widen(image[first * itemsize : (first + count) * itemsize], itemsize, values)
            _take(
                values, itemsize, count, first, f, want_sum, ignore_maximum, maximum, sums[first : first + count],
                frame_sums, weights, weighted, stack,
            )  # fmt: skip
