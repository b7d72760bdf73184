"""The socket: whole messages for Python, images by the slot through the kernel."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import zmq
from numpy.typing import NDArray

from pipeline.dectris.engine import codes, kernels
from pipeline.dectris.engine.patterns import Pattern
from pipeline.dectris.engine.slots import MAX_CHANNELS, Slot
from pipeline.errors import ControlUnitError

POLL_MS: Final = 20
"""Longest wait for a message at once; stopping and flushing wait for it."""
MAX_PARTS: Final = 16
"""Parts of a message that are kept; the longest of the protocol has 9."""
MAX_MESSAGE_BYTES: Final = 1 << 28
"""An uncompressed 16M image of 32 bits has a quarter of it."""


class Receiver:
    """A PULL socket. One thread at a time."""

    def __init__(self, url: str, queue: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, queue),
            (zmq.RCVTIMEO, POLL_MS),
            (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES),
        ):
            self._socket.setsockopt(option, value)
        try:
            self._socket.connect(url)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ControlUnitError(
                f"{url!r} is no address of a stream ({error}); such as tcp://HOST:9999"
            ) from error
        self._address = np.int64(self._socket.underlying)
        self._messages = np.zeros((codes.MAX_PARTS, codes.MESSAGE_BYTES), np.uint8)
        kernels.prepare(self._messages)
        self.state: NDArray[np.int64] = np.zeros(codes.STATE_SIZE, np.int64)
        self._found = np.zeros(3, np.int64)
        self._places = np.zeros((MAX_CHANNELS, 2), np.int64)
        self._digest = np.zeros(16, np.uint8)
        self._room = np.zeros(2, np.int64)
        self.closed = False

    def close(self) -> None:
        """Disconnect. No other thread may be receiving."""
        if not self.closed:
            self.closed = True
            kernels.release(self._messages, self.state)
            self._context.destroy(linger=0)

    def message(self) -> list[bytes] | None:
        """The next message, the first parts of it; None when none comes for 20 ms."""
        begun = time.monotonic_ns()
        try:
            parts = [self._socket.recv()]
        except zmq.Again:
            return None
        finally:
            self.state[codes.WAITED_NS] += time.monotonic_ns() - begun
        return self._rest(parts, bool(self._socket.getsockopt(zmq.RCVMORE)))

    def images(
        self, pattern: Pattern, slot: Slot, data: NDArray[np.uint8], slot_bytes: int, flush_s: float
    ) -> int:
        """Take images that fit *pattern* into *slot* of *data*; why it ended (codes.FULL, OTHER, IDLE, FLUSH)."""
        return int(
            kernels.receive(
                self._address,
                self._messages,
                pattern.parts,
                pattern.data_part,
                pattern.table,
                pattern.first_rows,
                pattern.literal,
                self._found,
                self._places[: len(pattern.channels)],
                self._digest,
                data,
                slot.at,
                slot_bytes,
                len(slot.frames),
                int(flush_s * 1e9),
                slot.frames,
                slot.offsets,
                slot.lengths,
                slot.digests,
                self.state,
                self._room,
            )
        )

    def held(self) -> list[bytes]:
        """The message that did not fit, whole; nothing is held any more."""
        parts = []
        for part in range(int(self.state[codes.HELD])):
            out = np.zeros(kernels.held_size(self._messages, part), np.uint8)
            kernels.copy_held(self._messages, part, out)
            parts.append(out.tobytes())
        more = bool(self.state[codes.MORE])
        kernels.release(self._messages, self.state)
        return self._rest(parts, more)

    def drop_held(self) -> None:
        """Forget an image that waits for room: its series is over."""
        kernels.release(self._messages, self.state)

    def begin_slot(self) -> None:
        """The next image begins a new slot."""
        for entry in (codes.COUNT, codes.USED, codes.OPENED_NS):
            self.state[entry] = 0

    def _rest(self, parts: list[bytes], more: bool) -> list[bytes]:
        """Receive what follows of a message: it is all there, as ZeroMQ never delivers half of one."""
        while more:
            try:
                part = self._socket.recv()
            except zmq.Again:
                break
            if len(parts) < MAX_PARTS:
                parts.append(part)
            more = bool(self._socket.getsockopt(zmq.RCVMORE))
        return parts
