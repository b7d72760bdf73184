"""Taking image messages out of ZeroMQ into a slot, no lock held.

What an image message of the running series looks like is told by a pattern (engine/patterns.py): byte for byte, with
numbers, a hash and data in between. Whatever does not fit is left for Python: a held message is never lost.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from pipeline.dectris.engine import codes
from pipeline.dectris.engine.native.kernels import (
    array_at,
    clock_gettime,
    memcpy,
    msg_close,
    msg_data,
    msg_init,
    msg_more,
    msg_recv,
    msg_size,
    usleep,
    zmq_errno,
)

_EAGAIN: Final = 11
_EINTR: Final = 4
_NAP_US: Final = 300


@njit(nogil=True, cache=True)
def _now(room: Any) -> Any:
    clock_gettime(np.int32(1), room.ctypes.data)
    return room[0] * 1_000_000_000 + room[1]


@njit(nogil=True, cache=True)
def _nibble(byte: Any) -> Any:
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    return 255


@njit(nogil=True, cache=True)
def _cbor_head(m: Any, at: Any, size: Any, major: Any) -> Any:
    """The argument of a data item of this *major* type, and where it ends; -1 when it is another."""
    if at >= size or (m[at] >> 5) != major:
        return np.int64(-1), at
    small = m[at] & 31
    if small < 24:
        return np.int64(small), at + 1
    if small > 27:
        return np.int64(-1), at
    count = 1 << (small - 24)
    if at + 1 + count > size or (count == 8 and m[at + 1] > 127):
        return np.int64(-1), at
    value = np.int64(0)
    for i in range(count):
        value = (value << 8) | np.int64(m[at + 1 + i])
    return value, at + 1 + count


@njit(nogil=True, cache=True)
def fits(
    m: Any,
    size: Any,
    part: Any,
    table: Any,
    first_rows: Any,
    literal: Any,
    found: Any,
    places: Any,
    digest: Any,
) -> Any:
    """Whether part *part* with the bytes *m* fits its rows of the pattern.

    found (3,) int64 gets frame, size and the sum of data bytes; places (channels, 2) int64 begin and length of the
    data in the part; digest (16,) uint8 the hash.
    """
    at = np.int64(0)
    for row in range(first_rows[part], first_rows[part + 1]):
        begin, length = table[row, codes.BEGIN], table[row, codes.LENGTH]
        if at + length > size:
            return False
        differs = np.uint8(0)
        for i in range(length):
            differs |= m[at + i] ^ literal[begin + i]
        if differs:
            return False
        at += length
        kind, role = table[row, codes.KIND], table[row, codes.ROLE]
        if kind == codes.END:
            return at == size
        value = np.int64(0)
        if kind == codes.DECIMAL:
            start = at
            while at < size and 48 <= m[at] <= 57:
                value = value * 10 + np.int64(m[at] - 48)
                at += 1
                if at - start > 18:
                    return False
            if at == start or (m[start] == 48 and at > start + 1):
                return False
        elif kind == codes.HASH:
            if at + 32 > size:
                return False
            for i in range(16):
                high, low = _nibble(m[at + 2 * i]), _nibble(m[at + 2 * i + 1])
                if high == 255 or low == 255:
                    return False
                digest[i] = (high << 4) | low
            at += 32
        elif kind == codes.CBOR_UINT:
            value, at = _cbor_head(m, at, size, 0)
            if value < 0:
                return False
        elif kind == codes.CBOR_BYTES:
            value, at = _cbor_head(m, at, size, 2)
            if value < 0 or value > size - at:
                return False
            places[role, 0], places[role, 1] = at, value
            found[2] += value
            at += value
        elif kind == codes.DATA:
            places[role, 0], places[role, 1] = 0, size
            found[2] += size
            return True
        else:
            return True
        if role == codes.FRAME:
            found[0] = value
        elif role == codes.SIZE:
            found[1] = value
    return False


@njit(nogil=True, cache=True)
def _take_parts(
    socket: Any, messages: Any, parts: Any, table: Any, first_rows: Any, literal: Any, found: Any, places: Any,
    digest: Any, state: Any, flags: Any,
) -> Any:  # fmt: skip
    """Take one message and hold it. 1: it fits, 0: it does not, -1: there is none."""
    found[:] = 0
    found[1] = -1
    for part in range(parts):
        address = messages[part].ctypes.data
        if msg_recv(address, socket, np.int32(0) if part else flags) < 0:
            state[codes.HELD] = part
            return -1 if part == 0 else 0
        state[codes.HELD] = part + 1
        more = msg_more(address)
        state[codes.MORE] = more
        size = np.int64(msg_size(address))
        body = array_at(msg_data(address), (size,), np.uint8)
        if not fits(body, size, part, table, first_rows, literal, found, places, digest):
            return 0
        if (more != 0) != (part + 1 < parts):
            return 0
    # Stream 1 tells the size of its data; stream 2 does not, its data tell it themselves.
    return 1 if found[1] < 0 or found[1] == found[2] else 0


@njit(nogil=True, cache=True)
def release(messages: Any, state: Any) -> None:
    """Give the held message back to ZeroMQ."""
    for part in range(state[codes.HELD]):
        msg_close(messages[part].ctypes.data)
        msg_init(messages[part].ctypes.data)
    state[codes.HELD] = 0
    state[codes.READY] = 0
    state[codes.MORE] = 0


@njit(nogil=True, cache=True)
def prepare(messages: Any) -> None:
    """Make empty ZeroMQ messages of *messages* (parts, 64) uint8."""
    for part in range(messages.shape[0]):
        msg_init(messages[part].ctypes.data)


@njit(nogil=True, cache=True)
def _store(
    messages: Any, data_part: Any, slab: Any, slot_at: Any, slot_bytes: Any, found: Any, places: Any, digest: Any,
    frames: Any, offsets: Any, lengths: Any, digests: Any, state: Any,
) -> Any:  # fmt: skip
    """The held image into the slot; False when there is no room for it."""
    if state[codes.USED] + found[2] > slot_bytes:
        return False
    index = state[codes.COUNT]
    source = messages[data_part].ctypes.data
    size = np.int64(msg_size(source))
    body = array_at(msg_data(source), (size,), np.uint8)
    for channel in range(places.shape[0]):
        target = slot_at + state[codes.USED]
        length = places[channel, 1]
        if length:
            memcpy(slab.ctypes.data + target, body.ctypes.data + places[channel, 0], np.uint64(length))
        offsets[channel, index] = target
        lengths[channel, index] = length
        state[codes.USED] += length
    frames[index] = found[0]
    for i in range(16):
        digests[index, i] = digest[i]
    state[codes.COUNT] = index + 1
    state[codes.BYTES] += found[2]
    state[codes.BYTES_MAX] = max(state[codes.BYTES_MAX], found[2])
    return True


@njit(nogil=True, cache=True)
def receive(
    socket: Any, messages: Any, parts: Any, data_part: Any, table: Any, first_rows: Any, literal: Any, found: Any,
    places: Any, digest: Any, slab: Any, slot_at: Any, slot_bytes: Any, stack: Any, flush_ns: Any, frames: Any,
    offsets: Any, lengths: Any, digests: Any, state: Any, room: Any,
) -> Any:  # fmt: skip
    """Take images into the slot until it is full, something else comes, or the flush or receive time is over.

    The socket's RCVTIMEO bounds each wait. After the last message that is there it naps before it waits: a receiver
    that is faster than ZeroMQ's own thread would else be woken for every single message.
    """
    napped = True
    while True:
        if not state[codes.READY]:
            got = _take_parts(
                socket, messages, parts, table, first_rows, literal, found, places, digest, state, np.int32(1)
            )  # fmt: skip
            if got < 0:
                code = zmq_errno()
                if code != _EAGAIN and code != _EINTR:
                    return codes.CLOSED
                now = _now(room)
                if state[codes.COUNT] and now - state[codes.OPENED_NS] >= flush_ns:
                    return codes.FLUSH
                if not napped:
                    napped = True
                    usleep(np.uint32(_NAP_US))
                    state[codes.WAITED_NS] += _now(room) - now
                    continue
                got = _take_parts(
                    socket, messages, parts, table, first_rows, literal, found, places, digest, state, np.int32(0)
                )  # fmt: skip
                after = _now(room)
                state[codes.WAITED_NS] += after - now
                if got < 0:
                    code = zmq_errno()
                    if code != _EAGAIN and code != _EINTR:
                        return codes.CLOSED
                    return codes.FLUSH if state[codes.COUNT] else codes.IDLE
            if got == 0:
                return codes.OTHER
            state[codes.READY] = 1
            napped = False
        if found[2] > slot_bytes:
            return codes.OTHER
        if not _store(
            messages, data_part, slab, slot_at, slot_bytes, found, places, digest, frames, offsets, lengths, digests,
            state,
        ):  # fmt: skip
            return codes.FULL
        if state[codes.COUNT] == 1 and state[codes.OPENED_NS] == 0:
            state[codes.OPENED_NS] = _now(room)
        release(messages, state)
        if state[codes.COUNT] == stack:
            return codes.FULL


@njit(nogil=True, cache=True)
def held_size(messages: Any, part: Any) -> Any:
    """Bytes of a held part."""
    return np.int64(msg_size(messages[part].ctypes.data))


@njit(nogil=True, cache=True)
def copy_held(messages: Any, part: Any, out: Any) -> None:
    """Copy a held part to *out* (size,) uint8."""
    address = messages[part].ctypes.data
    body = array_at(msg_data(address), (out.size,), np.uint8)
    for i in range(out.size):
        out[i] = body[i]
