"""Receive datagrams: one thread waits on the sockets of all modules and puts payloads straight into their slots."""

from __future__ import annotations

import array
import fcntl
import selectors
import socket
import struct
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.daq.assembler import Frame, FrameAssembler
from pipeline.daq.packets import DATAGRAM_BYTES, PAYLOAD_BYTES, read_trailer
from pipeline.errors import AddressInUse

SO_RCVBUFFORCE: Final = 33
"""Linux: sets a receive buffer beyond net.core.rmem_max; needs CAP_NET_ADMIN."""
SO_MEMINFO: Final = 55
"""Linux: nine u32 about a socket's memory (linux/sock_diag.h)."""
SK_MEMINFO_DROPS: Final = 8
MSG_TRUNC: Final = int(socket.MSG_TRUNC)  # a plain number: its enumeration costs a microsecond each time
DATAGRAMS_AT_ONCE: Final = 256
"""After so many datagrams of one module the others get their turn."""
EXPIRY_CHECK_S: Final = 0.05


def bind(host: str, port: int, buffer_bytes: int) -> socket.socket:
    """A bound datagram socket with as large a receive buffer as the system grants. Raises AddressInUse."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise AddressInUse(
            "the receiver of module data", f"udp://{host}:{port}", str(error.strerror)
        ) from error
    return sock


def waiting_bytes(sock: socket.socket) -> int:
    """Size of the next datagram in the kernel's receive queue; 0 when it is empty."""
    answer = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), termios.FIONREAD, answer)
    return answer[0]


def receive_buffer_bytes(sock: socket.socket) -> int:
    """Size of the kernel's receive buffer; 0 of a closed socket. The kernel counts its own overhead in it."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) if sock.fileno() >= 0 else 0


def dropped_datagrams(sock: socket.socket) -> int:
    """Datagrams that the kernel threw away because the receive buffer was full; 0 of a closed socket."""
    if sock.fileno() < 0:
        return 0
    memory = struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    return int(memory[SK_MEMINFO_DROPS])


class ModuleLink:
    """One module's socket and assembler, and the scatter buffers between them."""

    def __init__(self, module: int, sock: socket.socket, assembler: FrameAssembler) -> None:
        self.module, self.sock, self.assembler = module, sock, assembler
        self.counters: Final[Counter[str]] = Counter()
        self.last_data_ns = 0
        self._trailer = memoryview(bytearray(8))
        self._scratch = memoryview(bytearray(DATAGRAM_BYTES))

    @property
    def address(self) -> str:
        """The address to send to."""
        host, port = self.sock.getsockname()
        return f"udp://{host}:{port}"

    def receive(self, now_ns: int) -> list[Frame] | None:
        """Receive one datagram; the frames that it ended, or None when there is no datagram."""
        place = self.assembler.predicted()
        if place is None:
            target = self._scratch[:PAYLOAD_BYTES]
            room = self._scratch
        else:
            slot, start = place
            target = slot.view[start : start + PAYLOAD_BYTES]
            room = target
        try:
            size, _, flags, _ = self.sock.recvmsg_into([target, self._trailer])
        except BlockingIOError:
            return None
        trailer: memoryview = self._trailer
        if size < DATAGRAM_BYTES:
            trailer = self._short_trailer(target, size)
        packet = None if flags & MSG_TRUNC else read_trailer(trailer, size) if size > 8 else None
        if packet is None:
            self.counters["malformed_datagrams"] += 1
            return []
        self.last_data_ns = now_ns
        return self.assembler.arrived(packet, room, now_ns)

    def _short_trailer(self, target: memoryview, size: int) -> memoryview:
        """The eight bytes at the end of a datagram that did not fill the scatter buffers."""
        first = min(size, PAYLOAD_BYTES)
        return memoryview(bytes(target[max(0, size - 8) : first]) + bytes(self._trailer[: size - first]))

    def kernel_holds_data(self) -> bool:
        """Whether datagrams wait in the kernel."""
        return waiting_bytes(self.sock) > 0


class Receiver:
    """The thread that receives.

    on_frame   called in this thread with module and frame; owns the frame's slot from then on
    on_pass    called in this thread after each look at the sockets, at least every 50 ms
    """

    def __init__(
        self,
        links: Sequence[ModuleLink],
        on_frame: Callable[[int, Frame], None],
        on_pass: Callable[[], None],
    ) -> None:
        self._links, self._on_frame, self._on_pass = links, on_frame, on_pass
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="daq-receive", daemon=True)
        self._stopping = threading.Event()
        self._passes = 0

    def start(self) -> None:
        """Start to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Stop receiving and close the sockets; may be called twice."""
        self._stopping.set()
        if self._waker.fileno() >= 0:
            self._waker.send(b"x")
        if self._thread.is_alive():
            self._thread.join()
        for link in self._links:
            link.sock.close()
        self._wake.close()
        self._waker.close()

    def quiet(self) -> bool:
        """Whether neither kernel nor assemblers hold data of a train."""
        before = self._passes
        empty = not any(link.kernel_holds_data() or link.assembler.open_frames for link in self._links)
        # A datagram taken from the kernel and not yet in an assembler would be seen by neither look.
        return empty and before == self._passes and before % 2 == 0

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ, None)
            for link in self._links:
                selector.register(link.sock, selectors.EVENT_READ, link)
            while not self._stopping.is_set():
                ready = selector.select(EXPIRY_CHECK_S)
                self._passes += 1
                for key, _ in ready:
                    if key.data is not None:
                        self._drain(key.data)
                self._expire()
                self._on_pass()
                self._passes += 1

    def _drain(self, link: ModuleLink) -> None:
        now_ns = time.monotonic_ns()
        for _ in range(DATAGRAMS_AT_ONCE):
            frames = link.receive(now_ns)
            if frames is None:
                return
            for frame in frames:
                self._on_frame(link.module, frame)

    def _expire(self) -> None:
        now_ns = time.monotonic_ns()
        for link in self._links:
            # Data that wait behind a busy receiver are not late: only an empty kernel queue lets a frame expire.
            if link.assembler.open_frames and not link.kernel_holds_data():
                for frame in link.assembler.expire(now_ns):
                    self._on_frame(link.module, frame)
