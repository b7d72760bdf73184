"""Memory for messages that is used again once a message is gone: the first touch of memory is slow."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Rooms:
    """Hands memory out, and hands it out again when nobody can reach it any more.

    most  rooms that are kept while nobody uses them; as many as are wanted may be in use

    Why nobody ever finds another train in a room: it comes back when `whole` below is collected, so whatever can reach
    the memory must hold `whole`.
    - An array that is made of another one (a slice, a transposition, other axes) refers to the array at the end of the
      chain, its `base`. NumPy shortens that chain as long as the next base is an array, too. `whole` is therefore an
      array over a memoryview: the chain ends at `whole`, and not at the memory that is used again. With a plain
      `memory.view()` a slice would hold `memory` alone, and the room would come back while the slice is looked at.
    - A buffer of such an array (memoryview, and with it a message of ZeroMQ that is sent without a copy) holds the
      array. ZeroMQ lets go of it when the last of its clients has the bytes, or is gone.
    - Appending to a deque and taking from it are single steps: rooms come back from any thread, ZeroMQ's among them.
    """

    def __init__(self, most: int = 4) -> None:
        self._free: deque[NDArray[np.uint8]] = deque(maxlen=most)

    def take(self, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """A room with any content, C-contiguous. It comes back by itself when nobody holds it any more."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        if not size:
            return np.empty(shape, kind)
        try:
            memory = self._free.popleft()
        except IndexError:
            memory = None
        if memory is None or memory.nbytes != size:  # the trains have another size now
            memory = np.empty(size, np.uint8)
        whole = np.frombuffer(memory.data, kind)
        weakref.finalize(whole, self._free.append, memory).atexit = False
        return whole.reshape(shape)
