"""Sending runs of images at the speed of libzmq: compiled, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

SEND, SEND_CONST, INIT_SIZE, DATA, MSG_SEND, CLOSE = range(6)
"""Places in `native.addresses()`."""
_DONTWAIT: Final = 1
_SNDMORE: Final = 2
_MIDDLE: Final = _DONTWAIT | _SNDMORE
_MD5_DIGITS: Final = 32


def _native(function: Callable[..., Any]) -> Any:
    """What the compiler puts in place of a call. numba's own decorator is typed as if it took one argument more."""
    return intrinsic(function)


def _call(builder: Any, arguments: Any, result: Any, types_: list[Any]) -> Any:
    """Call the C function at the address that the first argument is."""
    function = builder.inttoptr(arguments[0], ir.FunctionType(result, types_).as_pointer())
    return builder.call(function, arguments[1:])


_LONG, _INT = ir.IntType(64), ir.IntType(32)


@_native
def _send(_: Any, _function: Any, _socket: Any, _data: Any, _size: Any, _flags: Any) -> Any:
    """zmq_send or zmq_send_const: -1 on error."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return _call(builder, arguments, _INT, [_LONG, _LONG, _LONG, _INT])

    return types.int32(types.int64, types.int64, types.int64, types.int64, types.int32), generate


@_native
def _with_message(_: Any, _function: Any, _message: Any) -> Any:
    """A function of one message: zmq_msg_data (an address), zmq_msg_close."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return _call(builder, arguments, _LONG, [_LONG])

    return types.int64(types.int64, types.int64), generate


@_native
def _init_size(_: Any, _function: Any, _message: Any, _size: Any) -> Any:
    """zmq_msg_init_size."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return _call(builder, arguments, _INT, [_LONG, _LONG])

    return types.int32(types.int64, types.int64, types.int64), generate


@_native
def _msg_send(_: Any, _function: Any, _message: Any, _socket: Any, _flags: Any) -> Any:
    """zmq_msg_send."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return _call(builder, arguments, _INT, [_LONG, _LONG, _INT])

    return types.int32(types.int64, types.int64, types.int64, types.int32), generate


@_native
def _copy(_: Any, _target: Any, _source: Any, _size: Any) -> Any:
    """memcpy between addresses."""

    def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        memcpy = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _LONG])
        target = builder.inttoptr(arguments[0], pointer)
        source = builder.inttoptr(arguments[1], pointer)
        builder.call(memcpy, [target, source, arguments[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@njit(nogil=True, cache=True)
def _put(to, texts, cuts, place):  # type: ignore[no-untyped-def]
    """Copy one of the constant texts to an address; the address behind it. *texts* is an address too."""
    size = cuts[place + 1] - cuts[place]
    _copy(to, texts + cuts[place], size)
    return to + size


@njit(nogil=True, cache=True)
def _put_decimal(scratch, to, value):  # type: ignore[no-untyped-def]
    """Write a non-negative integer in decimal digits to an address inside *scratch*; the address behind it."""
    digits = 1
    rest = value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    at = to - scratch.ctypes.data
    for i in range(at + digits - 1, at - 1, -1):
        scratch[i] = 48 + value % 10
        value //= 10
    return to + digits


@njit(nogil=True, cache=True)
def _put_uint(scratch, to, value):  # type: ignore[no-untyped-def]
    """Write a CBOR unsigned integer in its shortest form to an address inside *scratch*; the address behind it."""
    at = to - scratch.ctypes.data
    if value < 24:
        scratch[at] = value
        return to + 1
    more = 1 if value < 0x100 else 2 if value < 0x10000 else 4 if value < 0x1_0000_0000 else 8
    scratch[at] = 0x18 if more == 1 else 0x19 if more == 2 else 0x1A if more == 4 else 0x1B
    for i in range(more):
        scratch[at + 1 + i] = (value >> (8 * (more - 1 - i))) & 0xFF
    return to + 1 + more


@njit(nogil=True, cache=True)
def send_legacy(  # type: ignore[no-untyped-def]
    functions, socket, first, count, start, period, exposure, waits,
    texts, cuts, hashes, shapes, shape_cuts, pool, offsets, lengths, keep,
):  # fmt: skip
    """Send images of stream 1: four parts each, five with an appendix.

    functions  (6,) int64, `native.addresses()`; socket int64, the C socket
    first, count, start, period, exposure   int64: numbers, and ns since the series' first image began
    waits      whether to stop at the first image that nobody takes; else such an image is skipped
    texts      (n,) u1, constant texts one after another; cuts (8,) int64 where each begins, and the end:
               before the number, before the hash, after the hash, before start, stop and real time, after, appendix
    hashes     (distinct, 32) u1
    shapes     (n,) u1, part 2 of each distinct image; shape_cuts (distinct + 1,) int64 where each begins
    pool, offsets, lengths   encoded images
    keep       whether the pool outlives the socket: then libzmq reads the data where they lie

    Returns (handled, sent): images sent or skipped, images sent. A message is never half sent: whether there is room
    is decided at its first part, and when its receiver is lost in the middle, libzmq takes all of it back.
    """
    scratch = np.empty(256, np.uint8)
    here, constant = scratch.ctypes.data, texts.ctypes.data
    plain, send_data = functions[SEND], functions[SEND_CONST] if keep else functions[SEND]
    distinct = offsets.size
    tail = cuts[8] - cuts[7]
    sent = 0
    for k in range(count):
        number = first + k
        i = number % distinct
        to = _put(here, constant, cuts, 0)
        to = _put_decimal(scratch, to, number)
        to = _put(to, constant, cuts, 1)
        _copy(to, hashes.ctypes.data + i * _MD5_DIGITS, _MD5_DIGITS)
        to = _put(to + _MD5_DIGITS, constant, cuts, 2)
        if _send(plain, socket, here, to - here, _MIDDLE) < 0:
            if waits:
                return k, sent
            continue
        size = shape_cuts[i + 1] - shape_cuts[i]
        if _send(plain, socket, shapes.ctypes.data + shape_cuts[i], size, _MIDDLE) < 0:
            continue
        if _send(send_data, socket, pool.ctypes.data + offsets[i], lengths[i], _MIDDLE) < 0:
            continue
        begun = start + k * period
        to = _put(here, constant, cuts, 3)
        to = _put_decimal(scratch, to, begun)
        to = _put(to, constant, cuts, 4)
        to = _put_decimal(scratch, to, begun + exposure)
        to = _put(to, constant, cuts, 5)
        to = _put_decimal(scratch, to, exposure)
        to = _put(to, constant, cuts, 6)
        if _send(plain, socket, here, to - here, _MIDDLE if tail else _DONTWAIT) < 0:
            continue
        if tail and _send(plain, socket, constant + cuts[7], tail, _DONTWAIT) < 0:
            continue
        sent += 1
    return count, sent


@njit(nogil=True, cache=True)
def send_cbor(  # type: ignore[no-untyped-def]
    functions, socket, first, count, start, period, exposure, waits,
    texts, cuts, heads, head_cuts, pools, offsets, lengths, tick,
):  # fmt: skip
    """Send images of stream 2: one part each, with all channels.

    texts      (n,) u1, constant bytes one after another; cuts (6,) int64 where each begins, and the end: before the
               number, before start time, before stop time, before the data, after the data
    heads      (n,) u1, what stands before each channel's blob of each distinct image;
               head_cuts (channels × distinct + 1,) int64 where each begins, channel by channel
    pools      (channels,) int64 addresses of the pools; offsets, lengths (channels, distinct) int64
    tick       int64 ns of a tick of the messages' times

    The rest and what is returned as in `send_legacy`.
    """
    channels, distinct = offsets.shape
    message = np.empty(8, np.int64)  # a zmq_msg_t is 64 bytes, aligned to a pointer
    handle = message.ctypes.data
    scratch = np.empty(texts.size + 64, np.uint8)
    here, constant = scratch.ctypes.data, texts.ctypes.data
    tail = cuts[5] - cuts[4]
    sent = 0
    for k in range(count):
        number = first + k
        i = number % distinct
        begun = start + k * period
        to = _put(here, constant, cuts, 0)
        to = _put_uint(scratch, to, number)
        to = _put(to, constant, cuts, 1)
        to = _put_uint(scratch, to, begun // tick)
        to = _put(to, constant, cuts, 2)
        to = _put_uint(scratch, to, (begun + exposure) // tick)
        to = _put(to, constant, cuts, 3)
        beginning = to - here
        size = beginning + tail
        for c in range(channels):
            h = c * distinct + i
            size += head_cuts[h + 1] - head_cuts[h] + lengths[c, i]
        if _init_size(functions[INIT_SIZE], handle, size) != 0:
            return k, sent
        to = _with_message(functions[DATA], handle)
        _copy(to, here, beginning)
        to += beginning
        for c in range(channels):
            to = _put(to, heads.ctypes.data, head_cuts, c * distinct + i)
            _copy(to, pools[c] + offsets[c, i], lengths[c, i])
            to += lengths[c, i]
        _put(to, constant, cuts, 4)
        if _msg_send(functions[MSG_SEND], handle, socket, _DONTWAIT) < 0:
            _with_message(functions[CLOSE], handle)
            if waits:
                return k, sent
            continue
        sent += 1
    return count, sent


def warm_up() -> None:
    """Compile, or load what was compiled before: with no image to send, so that nothing is called."""
    functions, none, one = np.zeros(6, np.int64), np.zeros(0, np.uint8), np.zeros((1, 1), np.int64)
    cuts = np.zeros(9, np.int64)
    none.flags.writeable = False
    send_legacy(
        functions,
        0,
        0,
        0,
        0,
        0,
        0,
        False,
        none,
        cuts,
        none.reshape(0, 32),
        none,
        cuts,
        none,
        one[0],
        one[0],
        False,
    )
    send_cbor(functions, 0, 0, 0, 0, 0, 0, False, none, cuts, none, cuts, one[0], one, one, 1)
