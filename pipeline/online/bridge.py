"""The bridge server: the newest train for live viewers. It never holds the pipeline up."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from typing import Any, Final, Literal

import zmq

from pipeline.errors import AddressInUse
from pipeline.online.bridge_messages import BAD_REQUEST

Mode = Literal["REP", "PUB", "PUSH"]
# A ROUTER is a REP that hears a request while another one waits, and is told when the one who asked has gone.
_SOCKETS: Final = {"REP": zmq.ROUTER, "PUB": zmq.PUB, "PUSH": zmq.PUSH}
Parts = list[Any]
MOST_REQUEST_BYTES: Final = 4096
BACKLOG: Final = 2
"""Trains that wait for somebody to take them: a client that takes every train needs a moment for each."""
MOST_ASKING: Final = 256
"""Requests that wait for a train. The oldest is refused when there is one more: most likely nobody waits for it."""
TOO_MANY: Final = b"Error: too many requests wait for a train"


class BridgeServer:
    """Serves trains on one socket from a thread of its own.

    REP   each request `next` is answered once, with a train that this server has not sent yet: at once if there is one
    PUB   every train to whoever listens
    PUSH  every train to one of the listeners; a train that nobody takes is dropped
    A newer train replaces the older of two that have not gone out: stale pictures are of no use. A client that does not
    read costs the memory of one train and what the kernel keeps for it, until it goes away. The train for a client that
    has gone is the next one's.
    """

    def __init__(self, name: str, mode: Mode, port: int) -> None:
        self._name, self._mode, self._port = name, mode, port
        self._context = zmq.Context()
        self._waiting: deque[Parts] = deque(maxlen=BACKLOG)
        self._asking: deque[list[bytes]] = deque()
        """The ways back to those who asked, oldest first."""
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
        if self._mode == "REP":
            self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            # A REQ is never owed more than one answer; the one before may not yet be counted as gone out.
            self._socket.sndhwm = 2
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

    def _put_back(self, parts: Parts) -> None:
        """Nobody is left who asked: the train waits again, unless two newer ones do."""
        with self._lock:
            if len(self._waiting) == BACKLOG:
                self.counters["trains_replaced"] += 1
            else:
                self._waiting.appendleft(parts)

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wake_there, zmq.POLLIN)
        # PUB and PUSH never have anything to read, but what is kept for a client that has gone is let go while polling.
        poller.register(self._socket, zmq.POLLIN)
        while not self._stopping:
            for ready, _ in poller.poll():
                if ready is self._wake_there:
                    self._wake_there.recv()
                else:
                    self._hear()
            self._give_what_waits()

    def _give_what_waits(self) -> None:
        """Send trains as long as there are some, and somebody to take them.

        A method of its own: a train that has gone out must not be kept by a name here until the next one comes.
        """
        while (self._asking or self._mode != "REP") and (parts := self._take()) is not None:
            if self._mode == "REP":
                self._answer(parts)
            else:
                self._send(parts)

    def _hear(self) -> None:
        """Take a request in. Anything but `next` is answered at once."""
        message = self._socket.recv_multipart()
        if b"" not in message[1:]:  # no request: a REP lets it fall, too
            self.counters["bad_requests"] += 1
            return
        cut = message.index(b"", 1) + 1
        back, request = message[:cut], message[cut:]
        if request != [b"next"]:
            self.counters["bad_requests"] += 1
            self._reply(back, [BAD_REQUEST + b" ".join(request)[:100]])
            return
        self.counters["requests"] += 1
        self._asking.append(back)
        if len(self._asking) > MOST_ASKING:
            self.counters["requests_refused"] += 1
            self._reply(self._asking.popleft(), [TOO_MANY])

    def _answer(self, parts: Parts) -> None:
        """Give a train to the first who asked and is still there."""
        while self._asking:
            if self._reply(self._asking.popleft(), parts):
                self.counters["trains_sent"] += 1
                return
        self._put_back(parts)

    def _reply(self, back: list[bytes], parts: Parts) -> bool:
        """Send to one who asked; whether it is there and has read what it was sent before."""
        try:
            self._socket.send_multipart([*back, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self.counters["requests_unread"] += 1
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.counters["requests_gone"] += 1
        else:
            return True
        return False

    def _send(self, parts: Parts) -> None:
        try:
            # Not copied: the parts belong to the message from now on, and nobody writes into them any more.
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
            self.counters["trains_sent"] += 1
        except zmq.Again:
            self.counters["trains_untaken"] += 1
