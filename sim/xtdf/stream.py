"""Record datagrams as they come, and send recorded ones again."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sim.errors import SimError
from sim.xtdf.link import UdpLink, parse_address
from sim.xtdf.stream_file import Datagram, StreamDamaged, StreamWriter, read_stream

BUFFER_BYTES: Final = 64 << 20
SO_RCVBUFFORCE: Final = 33
"""Linux: a receive buffer beyond the system's limit; needs CAP_NET_ADMIN."""
LARGEST: Final = 65_535
WAIT_S: Final = 0.1


def record(
    addresses: Sequence[str],
    out: Path,
    stop: threading.Event,
    bound: Callable[[list[str]], None] = lambda _: None,
) -> int:
    """Write every datagram that arrives at *addresses* until *stop*; how many.

    bound  told the addresses when all are bound; port 0 has become a number
    Raises SimError when an address cannot be listened at.
    """
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
        for number, address in enumerate(addresses):
            sock = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            _bind(sock, address)
            selector.register(sock, selectors.EVENT_READ, number)
        names = ["udp://{}:{}".format(*key.fileobj.getsockname()) for key in selector.get_map().values()]  # type: ignore[union-attr]
        writer = StreamWriter(out)
        opened.callback(writer.close)
        bound(names)
        began_ns: int | None = None
        while not stop.is_set():
            for key, _ in selector.select(WAIT_S):
                payload = key.fileobj.recv(LARGEST)  # type: ignore[union-attr]
                now_ns = time.monotonic_ns()
                began_ns = now_ns if began_ns is None else began_ns
                writer.write(Datagram(now_ns - began_ns, key.data, payload))
        return writer.datagrams


def _bind(sock: socket.socket, address: str) -> None:
    text = address if not address.endswith(":0") else address[:-1] + "1"
    host, port = parse_address(text)
    try:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        sock.bind((host, 0 if text is not address else port))
    except OSError as error:
        raise SimError(f"cannot listen at {address}: {error.strerror}; choose another port") from None


def replay(
    path: Path, to: Sequence[str], speed: float | None = 1.0, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Send a recorded stream again, receiver k to the k-th address, with the same spacing; how many datagrams.

    speed  how many times faster; None: as fast as the receivers read
    Raises SimError, and StreamDamaged after what is good has been sent.
    """
    links = [UdpLink(address) for address in to]
    sent, began = 0, time.monotonic()
    try:
        for datagram in read_stream(path):
            if datagram.receiver >= len(links):
                raise SimError(
                    f"{path} has a receiver {datagram.receiver}, but {len(links)} addresses are given"
                )
            if speed is not None:
                wait_s = datagram.at_ns / 1e9 / speed - (time.monotonic() - began)
                if wait_s > 0:
                    time.sleep(wait_s)  # the spacing of the recording
            _send_whole(links[datagram.receiver], datagram.payload)
            sent += 1
            progress(sent)
    finally:
        for link in links:
            link.close()
    return sent


def _send_whole(link: UdpLink, payload: bytes) -> None:
    """Send a recorded datagram; one that is too long for this protocol is left out, as no receiver takes it."""
    with contextlib.suppress(ValueError):
        link.send([(payload,)])


__all__ = ["StreamDamaged", "record", "replay"]
