"""A client of a karabo bridge: a thread that takes trains in and hands each on."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

import structlog
import zmq

from pipeline.daq.bridge_messages import BridgeSource, parse_message
from pipeline.errors import BridgeMessageMalformed, SettingRejected

log = structlog.get_logger("pipeline.bridge_client")
Mode = Literal["SUB", "REQ", "PULL"]
_SOCKETS: Final = {"SUB": zmq.SUB, "REQ": zmq.REQ, "PULL": zmq.PULL}
WAIT_MS: Final = 100
ASK_AGAIN_S: Final = 5.0
"""A server that has not answered for so long may have been started anew: ask over a new connection."""


class BridgeClient:
    """Takes trains from *address* until stopped.

    on_train   called in this client's thread with the sources of each train
    most_bytes of one part of a message; a longer one ends the connection, and it is made again
    """

    def __init__(
        self,
        name: str,
        address: str,
        mode: Mode,
        on_train: Callable[[dict[str, BridgeSource]], None],
        most_bytes: int,
    ) -> None:
        self._address, self._mode, self._on_train, self._most_bytes = address, mode, on_train, most_bytes
        self._context = zmq.Context()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.counters: Final[Counter[str]] = Counter()
        self.problem = ""
        """What was wrong with the last message that could not be read."""
        self.last_train_s = 0.0
        """Monotonic time of the last train."""

    def start(self) -> None:
        """Connect and begin. Raises SettingRejected for an address that is none."""
        try:
            self._socket = self._connected()
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise SettingRejected("address", self._address, f"like tcp://127.0.0.1:4545 ({error})") from None
        self._thread.start()

    def stop(self) -> None:
        """End within moments; may be called twice, and before start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._context.closed:
            self._context.destroy(linger=0)

    def _connected(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(_SOCKETS[self._mode])
        socket.linger = 0
        socket.set_hwm(4)
        socket.setsockopt(zmq.MAXMSGSIZE, self._most_bytes)
        if self._mode == "SUB":
            socket.subscribe(b"")
        socket.connect(self._address)
        return socket

    def _run(self) -> None:
        asked_s = -ASK_AGAIN_S
        while not self._stopping.is_set():
            if self._mode == "REQ" and time.monotonic() - asked_s >= ASK_AGAIN_S:
                self._socket.close()
                self._socket = self._connected()
                self._socket.send(b"next")
                asked_s = time.monotonic()
            if not self._socket.poll(WAIT_MS):
                continue
            parts = self._socket.recv_multipart(copy=False)
            asked_s = -ASK_AGAIN_S if self._mode == "REQ" else asked_s
            self._take([part.buffer for part in parts])

    def _take(self, parts: list[memoryview]) -> None:
        try:
            sources = parse_message(parts)
            self.counters["trains"] += 1
            self.last_train_s = time.monotonic()
            self._on_train(sources)
        except BridgeMessageMalformed as error:
            self.counters["messages_malformed"] += 1
            self.problem = str(error)
        except Exception as error:  # a thread's border: no message of a stranger may end it
            log.exception("a message could not be used")
            self.counters["messages_failed"] += 1
            self.problem = f"{type(error).__name__}: {error}"
