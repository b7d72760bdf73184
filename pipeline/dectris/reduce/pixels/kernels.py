"""Decoding frames to pixels and reducing these, no lock held, nothing allocated per frame.

Frames are gone through block by block, all frames of the slot for one block before the next: what is summed of a block
stays in the first cache. A bit-shuffled block of n elements holds plane after plane of n / 8 bytes, plane b the bits b
of all elements, lowest bit of a byte first. A frame that fails in a later block is taken out again of what its earlier
blocks had added.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipeline.dectris.reduce.planes.kernels import any_bit_of
from pipeline.dectris.reduce.unpacking.kernels import CUT, GOOD, PREFIX, next_block, whole_image


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
            if any_bit_of(plane) == 0:
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
    values: Any, itemsize: Any, count: Any, first: Any, frame: Any, want_sum: Any, ignore_maximum: Any, maximum: Any,
    partial: Any, frame_sums: Any, weights: Any, weighted: Any, stack: Any,
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
            at = next_block(data, positions[f], offsets[f] + lengths[f] - tail, planes, count * itemsize)
            if at < 0:
                status[f] = -at
                bad_at[f] = first
                continue
            positions[f] = at
            _unshuffle(planes, count, itemsize, lanes, values, spread)
            _take(
                values, itemsize, count, first, f, want_sum, ignore_maximum, maximum, partial, frame_sums, weights,
                weighted, stack,
            )  # fmt: skip
        if want_sum:
            for e in range(count):
                sums[first + e] += partial[e]
    for f in range(frames):
        if status[f] == GOOD and positions[f] + tail != offsets[f] + lengths[f]:
            status[f] = CUT
            bad_at[f] = whole
    _finish(
        data, offsets, lengths, status, pixels, itemsize, elements, want_sum, ignore_maximum, maximum, planes, lanes,
        values, partial, positions, bad_at, spread, sums, frame_sums, weights, weighted, stack,
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
                at = next_block(data, at, offsets[f] + lengths[f], planes, count * itemsize)
                _unshuffle(planes, count, itemsize, lanes, values, spread)
                for e in range(count):
                    if not (ignore_maximum and values[e] == maximum):
                        sums[first + e] -= np.uint64(values[e])


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
        status[f] = whole_image(data, offsets[f], lengths[f], coding, image)
        if status[f] != GOOD:
            continue
        for first in range(0, pixels, values.size):
            count = min(values.size, pixels - first)
            _widen(image[first * itemsize : (first + count) * itemsize], itemsize, values)
            _take(
                values, itemsize, count, first, f, want_sum, ignore_maximum, maximum, sums[first : first + count],
                frame_sums, weights, weighted, stack,
            )  # fmt: skip
