"""Taking image messages out of ZeroMQ into a slot, no lock held.

What an image message of the running series looks like is told by a pattern (engine/patterns.py): byte for byte, with
numbers, a hash and data in between. Whatever does not fit is left for Python: a held message is never lost.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

import llvmlite.binding
import numpy as np
import zmq.backend.cython._zmq as _zmq_library
from numba import carray, njit, types

# Kinds of what stands between two pieces of a pattern.
DECIMAL: Final = 0
HASH: Final = 1
CBOR_UINT: Final = 2
CBOR_BYTES: Final = 3
END: Final = 4
"""Nothing: the part ends."""
DATA: Final = 5
"""The whole part is data."""
ANYTHING: Final = 6
"""The whole part is of no interest."""

# Roles of these fields.
IGNORED: Final = -1
FRAME: Final = -2
SIZE: Final = -3
SUM_OF_DATA: Final = -4
"""From 0 on: data of the channel of that number."""

# Columns of a pattern's table.
PART: Final = 0
BEGIN: Final = 1
LENGTH: Final = 2
KIND: Final = 3
ROLE: Final = 4

# Entries of the receiver's state.
COUNT: Final = 0
USED: Final = 1
HELD: Final = 2
READY: Final = 3
"""1: the held message is an image that waits for room."""
MORE: Final = 4
WAITED_NS: Final = 5
BYTES: Final = 6
BYTES_MAX: Final = 7
OPENED_NS: Final = 8
"""When the first frame of this slot came; 0 while there is none."""
STATE_SIZE: Final = 9

# Why `receive` came back.
FULL: Final = 0
OTHER: Final = 1
IDLE: Final = 2
FLUSH: Final = 3
CLOSED: Final = 4

MESSAGE_BYTES: Final = 64
"""Of a zmq_msg_t, fixed by ZeroMQ's interface."""
MAX_PARTS: Final = 5
_EAGAIN: Final = 11
_EINTR: Final = 4
_NAP_US: Final = 300

_library = ctypes.CDLL(_zmq_library.__file__)
for _name in ("init", "recv", "data", "size", "more", "close"):
    _function = getattr(_library, f"zmq_msg_{_name}")
    _address = ctypes.cast(_function, ctypes.c_void_p).value
    llvmlite.binding.add_symbol(f"stellwerk_zmq_msg_{_name}", _address)  # type: ignore[no-untyped-call]
llvmlite.binding.add_symbol(
    "stellwerk_zmq_errno", ctypes.cast(_library.zmq_errno, ctypes.c_void_p).value
)  # type: ignore[no-untyped-call]

_recv = types.ExternalFunction(
    "stellwerk_zmq_msg_recv", types.int32(types.voidptr, types.voidptr, types.int32)
)
_data = types.ExternalFunction("stellwerk_zmq_msg_data", types.voidptr(types.voidptr))
_size = types.ExternalFunction("stellwerk_zmq_msg_size", types.uint64(types.voidptr))
_more = types.ExternalFunction("stellwerk_zmq_msg_more", types.int32(types.voidptr))
_close = types.ExternalFunction("stellwerk_zmq_msg_close", types.int32(types.voidptr))
_init = types.ExternalFunction("stellwerk_zmq_msg_init", types.int32(types.voidptr))
_errno = types.ExternalFunction("stellwerk_zmq_errno", types.int32())
_usleep = types.ExternalFunction("usleep", types.int32(types.uint32))
_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.voidptr))
_memcpy = types.ExternalFunction("memcpy", types.voidptr(types.voidptr, types.voidptr, types.uint64))


@njit(nogil=True, cache=True)
def _now(room: Any) -> Any:
    _clock_gettime(np.int32(1), room.ctypes.data)
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
    m: Any, size: Any, part: Any, table: Any, first_rows: Any, literal: Any, found: Any, places: Any, digest: Any
) -> Any:
    """Whether part *part* with the bytes *m* fits its rows of the pattern.

    found (3,) int64 gets frame, size and the sum of data bytes; places (channels, 2) int64 begin and length of the
    data in the part; digest (16,) uint8 the hash.
    """
    at = np.int64(0)
    for row in range(first_rows[part], first_rows[part + 1]):
        begin, length = table[row, BEGIN], table[row, LENGTH]
        if at + length > size:
            return False
        differs = np.uint8(0)
        for i in range(length):
            differs |= m[at + i] ^ literal[begin + i]
        if differs:
            return False
        at += length
        kind, role = table[row, KIND], table[row, ROLE]
        if kind == END:
            return at == size
        value = np.int64(0)
        if kind == DECIMAL:
            start = at
            while at < size and 48 <= m[at] <= 57:
                value = value * 10 + np.int64(m[at] - 48)
                at += 1
                if at - start > 18:
                    return False
            if at == start or (m[start] == 48 and at > start + 1):
                return False
        elif kind == HASH:
            if at + 32 > size:
                return False
            for i in range(16):
                high, low = _nibble(m[at + 2 * i]), _nibble(m[at + 2 * i + 1])
                if high == 255 or low == 255:
                    return False
                digest[i] = (high << 4) | low
            at += 32
        elif kind == CBOR_UINT:
            value, at = _cbor_head(m, at, size, 0)
            if value < 0:
                return False
        elif kind == CBOR_BYTES:
            value, at = _cbor_head(m, at, size, 2)
            if value < 0 or value > size - at:
                return False
            places[role, 0], places[role, 1] = at, value
            found[2] += value
            at += value
        elif kind == DATA:
            places[role, 0], places[role, 1] = 0, size
            found[2] += size
            return True
        else:
            return True
        if role == FRAME:
            found[0] = value
        elif role == SIZE:
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
        if _recv(address, socket, np.int32(0) if part else flags) < 0:
            state[HELD] = part
            return -1 if part == 0 else 0
        state[HELD] = part + 1
        more = _more(address)
        state[MORE] = more
        size = np.int64(_size(address))
        body = carray(_data(address), (size,), np.uint8)
        if not fits(body, size, part, table, first_rows, literal, found, places, digest):
            return 0
        if (more != 0) != (part + 1 < parts):
            return 0
    # Stream 1 tells the size of its data; stream 2 does not, its data tell it themselves.
    return 1 if found[1] < 0 or found[1] == found[2] else 0


@njit(nogil=True, cache=True)
def release(messages: Any, state: Any) -> None:
    """Give the held message back to ZeroMQ."""
    for part in range(state[HELD]):
        _close(messages[part].ctypes.data)
        _init(messages[part].ctypes.data)
    state[HELD] = 0
    state[READY] = 0
    state[MORE] = 0


@njit(nogil=True, cache=True)
def prepare(messages: Any) -> None:
    """Make empty ZeroMQ messages of *messages* (parts, 64) uint8."""
    for part in range(messages.shape[0]):
        _init(messages[part].ctypes.data)


@njit(nogil=True, cache=True)
def _store(
    messages: Any, data_part: Any, slab: Any, slot_at: Any, slot_bytes: Any, found: Any, places: Any, digest: Any,
    frames: Any, offsets: Any, lengths: Any, digests: Any, state: Any,
) -> Any:  # fmt: skip
    """The held image into the slot; False when there is no room for it."""
    if state[USED] + found[2] > slot_bytes:
        return False
    index = state[COUNT]
    source = messages[data_part].ctypes.data
    size = np.int64(_size(source))
    body = carray(_data(source), (size,), np.uint8)
    for channel in range(places.shape[0]):
        target = slot_at + state[USED]
        length = places[channel, 1]
        if length:
            _memcpy(slab.ctypes.data + target, body.ctypes.data + places[channel, 0], np.uint64(length))
        offsets[channel, index] = target
        lengths[channel, index] = length
        state[USED] += length
    frames[index] = found[0]
    for i in range(16):
        digests[index, i] = digest[i]
    state[COUNT] = index + 1
    state[BYTES] += found[2]
    state[BYTES_MAX] = max(state[BYTES_MAX], found[2])
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
        if not state[READY]:
            got = _take_parts(
                socket, messages, parts, table, first_rows, literal, found, places, digest, state, np.int32(1)
            )  # fmt: skip
            if got < 0:
                code = _errno()
                if code != _EAGAIN and code != _EINTR:
                    return CLOSED
                now = _now(room)
                if state[COUNT] and now - state[OPENED_NS] >= flush_ns:
                    return FLUSH
                if not napped:
                    napped = True
                    _usleep(np.uint32(_NAP_US))
                    state[WAITED_NS] += _now(room) - now
                    continue
                got = _take_parts(
                    socket, messages, parts, table, first_rows, literal, found, places, digest, state, np.int32(0)
                )  # fmt: skip
                after = _now(room)
                state[WAITED_NS] += after - now
                if got < 0:
                    code = _errno()
                    if code != _EAGAIN and code != _EINTR:
                        return CLOSED
                    return FLUSH if state[COUNT] else IDLE
            if got == 0:
                return OTHER
            state[READY] = 1
            napped = False
        if found[2] > slot_bytes:
            return OTHER
        if not _store(
            messages, data_part, slab, slot_at, slot_bytes, found, places, digest, frames, offsets, lengths, digests,
            state,
        ):  # fmt: skip
            return FULL
        if state[COUNT] == 1 and state[OPENED_NS] == 0:
            state[OPENED_NS] = _now(room)
        release(messages, state)
        if state[COUNT] == stack:
            return FULL


@njit(nogil=True, cache=True)
def held_size(messages: Any, part: Any) -> Any:
    """Bytes of a held part."""
    return np.int64(_size(messages[part].ctypes.data))


@njit(nogil=True, cache=True)
def copy_held(messages: Any, part: Any, out: Any) -> None:
    """Copy a held part to *out* (size,) uint8."""
    address = messages[part].ctypes.data
    body = carray(_data(address), (out.size,), np.uint8)
    for i in range(out.size):
        out[i] = body[i]
