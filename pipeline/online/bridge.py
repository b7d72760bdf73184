"""The bridge server: the newest train for live viewers. It never holds the pipeline up."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from typing import Any, Final, Literal

import zmq

from pipeline.errors import AddressInUse
from pipeline.online.bridge_messages import BAD_REQUEST
from pipeline.online.rooms import Rooms as Rooms

Mode = Literal["REP", "PUB", "PUSH"]
_SOCKETS: Final = {"REP": zmq.REP, "PUB": zmq.PUB, "PUSH": zmq.PUSH}
Parts = list[Any]
MOST_REQUEST_BYTES: Final = 4096
BACKLOG: Final = 2
"""Trains that wait for somebody to take them: a client that takes every train needs a moment for each."""


class BridgeServer:
    """Serves trains on one socket from a thread of its own.

    REP   each request `next` is answered once, with a train that this server has not sent yet: at once if there is one
    PUB   every train to whoever listens
    PUSH  every train to one of the listeners; a train that nobody takes is dropped
    A newer train replaces the older of two that have not gone out: stale pictures are of no use.
    """

    def __init__(self, name: str, mode: Mode, port: int) -> None:
        self._name, self._mode, self._port = name, mode, port
        self._context = zmq.Context()
        self._waiting: deque[Parts] = deque(maxlen=BACKLOG)
        self._lock = threading.Lock()
        self._wake_here = self._context.socket(zmq.PAIR)
        self._wake_there = self._context.socket(zmq.PAIR)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name=f"bridge {name}")
        self.counters: Final[Counter[str]] = Counter()

    def start(self) -> str:
        """Bind and serve; the address. Raises AddressInUse."""
        self._wake_there.bind(f"inproc://{self._name}")
        self._wake_here.connect(f"inproc://{self._name}")
        self._socket = self._context.socket(_SOCKETS[self._mode])
        self._socket.set_hwm(1)
        self._socket.linger = 0
        # Clients send `next` or subscriptions; nobody may fill our memory with a request.
        self._socket.setsockopt(zmq.MAXMSGSIZE, MOST_REQUEST_BYTES)
        try:
            self._socket.bind(f"tcp://127.0.0.1:{self._port or '*'}")
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            raise AddressInUse(self._name, f"tcp://127.0.0.1:{self._port}", "it is in use") from None
        address: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._thread.start()
        return address

    def stop(self) -> None:
        """Close within moments; may be called twice."""
        if self._stopping:
            return
        self._stopping = True
        if self._thread.is_alive():
            self._wake_here.send(b"")
            self._thread.join()
            self._socket.close()
        self._wake_here.close(linger=0)
        self._wake_there.close(linger=0)
        self._context.term()

    @property
    def wanted(self) -> bool:
        """Whether a train given now would replace none that still waits."""
        with self._lock:
            return len(self._waiting) < BACKLOG

    def publish(self, parts: Parts) -> None:
        """Offer a train. Returns at once."""
        with self._lock:
            if len(self._waiting) == BACKLOG:
                self.counters["trains_replaced"] += 1
            self._waiting.append(parts)
        self.counters["trains_offered"] += 1
        with contextlib.suppress(zmq.Again):  # so many wake-ups are under way that one more is not needed
            self._wake_here.send(b"", zmq.NOBLOCK)

    def _take(self) -> Parts | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wake_there, zmq.POLLIN)
        asked = self._mode != "REP"
        if not asked:
            poller.register(self._socket, zmq.POLLIN)
        while not self._stopping:
            for ready, _ in poller.poll():
                if ready is self._wake_there:
                    self._wake_there.recv()
                elif not asked:
                    asked = self._hear()
            while asked and (parts := self._take()) is not None:
                self._send(parts)
                asked = self._mode != "REP"

    def _hear(self) -> bool:
        """Take a request in; whether a train is to be sent. Anything but `next` is answered at once."""
        request = self._socket.recv_multipart()
        if request == [b"next"]:
            self.counters["requests"] += 1
            return True
        self.counters["bad_requests"] += 1
        self._socket.send(BAD_REQUEST + b" ".join(request)[:100])
        return False

    def _send(self, parts: Parts) -> None:
        try:
            # Not copied: the parts belong to the message from now on, and nobody writes into them any more.
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
            self.counters["trains_sent"] += 1
        except zmq.Again:
            self.counters["trains_untaken"] += 1
