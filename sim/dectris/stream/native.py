"""Addresses of libzmq's C functions, for the kernels: pyzmq's own library, found without a compiler."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Final

import numpy as np
import zmq.backend.cython._zmq as pyzmq
from numpy.typing import NDArray

NAMES: Final = (
    "zmq_send",
    "zmq_send_const",
    "zmq_msg_init_size",
    "zmq_msg_data",
    "zmq_msg_send",
    "zmq_msg_close",
)
"""In the order in which the kernels expect their addresses."""


@cache
def addresses() -> NDArray[np.int64]:
    """(6,) addresses of NAMES.

    They are handed to the kernels as numbers: a compiled function that held them itself could not be cached on disk.
    """
    library = ctypes.CDLL(pyzmq.__file__)
    found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in NAMES]
    return np.array(found, np.int64)
