"""ZeroMQ's message functions and three of the system's for compiled code.

Symbols instead of addresses keep the compiled code cacheable on disk: they are looked up when the code is loaded.
"""

from __future__ import annotations

import ctypes
from typing import Any

import llvmlite.binding
import numba
import zmq.backend.cython._zmq as _zmq_library
from numba import types

_library = ctypes.CDLL(_zmq_library.__file__)


def _of_zmq(name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library that pyzmq brings."""
    address = ctypes.cast(getattr(_library, name), ctypes.c_void_p).value
    llvmlite.binding.add_symbol(f"stellwerk_{name}", address)
    return types.ExternalFunction(f"stellwerk_{name}", result(*arguments))


_POINTER: Any = types.voidptr
_INT: Any = types.int32
_LONG: Any = types.uint64

msg_recv = _of_zmq("zmq_msg_recv", _INT, _POINTER, _POINTER, _INT)
msg_data = _of_zmq("zmq_msg_data", _POINTER, _POINTER)
msg_size = _of_zmq("zmq_msg_size", _LONG, _POINTER)
msg_more = _of_zmq("zmq_msg_more", _INT, _POINTER)
msg_close = _of_zmq("zmq_msg_close", _INT, _POINTER)
msg_init = _of_zmq("zmq_msg_init", _INT, _POINTER)
zmq_errno = _of_zmq("zmq_errno", _INT)
usleep: Any = types.ExternalFunction("usleep", _INT(types.uint32))
clock_gettime: Any = types.ExternalFunction("clock_gettime", _INT(_INT, _POINTER))
memcpy: Any = types.ExternalFunction("memcpy", _POINTER(_POINTER, _POINTER, _LONG))
array_at: Any = getattr(numba, "carray")  # noqa: B009
"""(address, (n,), dtype): the memory as an array."""
