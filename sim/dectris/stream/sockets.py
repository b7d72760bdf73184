"""The streams' sockets: ZeroMQ PUSH, bound; and what their monitors tell of who comes and goes."""

from __future__ import annotations

import contextlib
import socket as plain_sockets
from collections import deque
from typing import Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from sim.errors import AddressTaken

_EVENTS: Final = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
UNKNOWN: Final = "(unknown)"
_FAILED: Final = (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)


class StreamSocket:
    """One bound PUSH socket. Used by one thread at a time."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], device: str, name: str, port: int, queue: int
    ) -> None:
        """Bind. *name* is what sentences call it; *queue* messages wait for each receiver. Raises AddressTaken."""
        self.name = name
        self.socket = context.socket(zmq.PUSH)
        # The high-water mark counts messages, and has no effect after bind.
        self.socket.set_hwm(queue)
        self.socket.setsockopt(zmq.LINGER, 0)
        self._monitor = self.socket.get_monitor_socket(_EVENTS)
        self._peers: dict[int, str] = {}
        self._fresh: deque[str] = deque(maxlen=64)
        try:
            self.socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        except zmq.ZMQError as error:
            self.close()
            if error.errno == zmq.EADDRINUSE:
                raise AddressTaken(device, "127.0.0.1", port) from None
            raise
        self.address = str(self.socket.getsockopt_string(zmq.LAST_ENDPOINT))

    @property
    def peers(self) -> int:
        """Clients that are connected, as far as `news` has told."""
        return len(self._peers)

    @property
    def monitor(self) -> zmq.Socket[bytes]:
        """Readable when there is news."""
        return self._monitor

    def news(self) -> list[tuple[str, str]]:
        """Who came and went since the last call: address, and a sentence's end."""
        told: list[tuple[str, str]] = []
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor, zmq.NOBLOCK)
            kind, handle = event["event"], int(event["value"])
            if kind == zmq.EVENT_ACCEPTED:
                self._peers[handle] = _peer(handle)
                self._fresh.append(self._peers[handle])
            elif kind == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                told.append((self._next_fresh(), f"receives {self.name}{self._shared()}"))
            elif kind in _FAILED:
                told.append((self._next_fresh(), f"connected to {self.name} and speaks no ZeroMQ"))
            elif kind == zmq.EVENT_DISCONNECTED and handle in self._peers:
                told.append((self._peers.pop(handle), f"left {self.name}"))
        return told

    def _next_fresh(self) -> str:
        """Who is meant by the news of a handshake, which does not tell: clients are greeted in the order they came."""
        return self._fresh.popleft() if self._fresh else UNKNOWN

    def _shared(self) -> str:
        if self.peers < 2:
            return ""
        return f"; {self.peers} clients are connected, each gets a part of the messages"

    def close(self) -> None:
        """Close the socket; messages that nobody took are lost."""
        with contextlib.suppress(zmq.ZMQError):
            self.socket.disable_monitor()
        self._monitor.close(0)
        self.socket.close(0)


def _peer(handle: int) -> str:
    """Address of the other side of a connection that ZeroMQ has accepted; a duplicate is asked."""
    try:
        with plain_sockets.fromfd(handle, plain_sockets.AF_INET, plain_sockets.SOCK_STREAM) as connection:
            host, port = connection.getpeername()[:2]
            return f"{host}:{port}"
    except OSError:
        return UNKNOWN
