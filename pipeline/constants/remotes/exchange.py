"""One request to one remote over a socket of its own, which notices at once when nobody is there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from pipeline.errors import RemoteFailed

MOST_FRAMES: Final = 4
SMALLEST_LIMIT: Final = 8 << 20
GONE: Final[dict[int, str]] = {
    int(zmq.EVENT_DISCONNECTED): "closed the connection",
    int(zmq.EVENT_CONNECT_RETRIED): "nobody listens there",
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "closed the connection",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "is no remote",
}


def exchange(
    context: zmq.Context[zmq.Socket[bytes]],
    address: str,
    frames: Sequence[bytes | memoryview],
    timeout_s: float,
    most_bytes: int,
) -> list[memoryview]:
    """Send a request and wait for its answer's frames. Raises RemoteFailed.

    most_bytes  a longer frame ends the connection before it fills the memory

    ZeroMQ alone would reconnect in silence to a remote that was killed, and wait for the whole time-out.
    """
    socket = context.socket(zmq.DEALER)
    try:
        socket.linger = 0
        socket.setsockopt(zmq.MAXMSGSIZE, max(most_bytes, SMALLEST_LIMIT))
        monitor = socket.get_monitor_socket(sum(GONE))
        try:
            socket.connect(address)
            # Copied: what ZeroMQ borrows it gives back in a thread that lives on with the process.
            socket.send_multipart(frames, copy=True)
            _wait(socket, monitor, address, timeout_s)
            received = socket.recv_multipart(zmq.NOBLOCK, copy=False)
        finally:
            socket.disable_monitor()
            monitor.close(linger=0)
    except zmq.ZMQError as error:
        raise RemoteFailed(address, f"cannot be reached ({error})") from None
    finally:
        socket.close(linger=0)
    if len(received) > MOST_FRAMES:
        raise RemoteFailed(address, f"answered with {len(received)} frames", wrong=True)
    return [frame.buffer for frame in received]


def _wait(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], address: str, timeout_s: float) -> None:
    """Return when an answer is there."""
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(monitor, zmq.POLLIN)
    give_up_at = time.monotonic() + timeout_s
    while (left_s := give_up_at - time.monotonic()) > 0:
        ready = dict(poller.poll(round(1000 * left_s) + 1))
        if socket in ready:
            return
        if monitor in ready:
            event = int(recv_monitor_message(monitor)["event"])
            if event in GONE and not socket.poll(0):
                raise RemoteFailed(address, GONE[event])
    raise RemoteFailed(address, f"did not answer within {timeout_s:g} s", silent=True)
