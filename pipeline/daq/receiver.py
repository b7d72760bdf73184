"""Receive datagrams: one thread waits on the sockets of all modules and puts payloads straight into their slots."""

from __future__ import annotations

import array
import contextlib
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
from pipeline.daq.packets import (
    DATAGRAM_BYTES,
    PAYLOAD_BYTES,
    TOGETHER,
    TRAILER_BYTES,
    read_trailer,
)
from pipeline.daq.slots import Slot
from pipeline.errors import AddressInUse

SO_RCVBUFFORCE: Final = 33
"""Linux: sets a receive buffer beyond net.core.rmem_max; needs CAP_NET_ADMIN."""
SO_MEMINFO: Final = 55
"""Linux: nine u32 about a socket's memory (linux/sock_diag.h)."""
SK_MEMINFO_DROPS: Final = 8
UDP_GRO: Final = 104
"""Linux 5.0: datagrams of one sender and size may come in one piece, with their size beside it (linux/udp.h)."""
CONTROL_BYTES: Final = socket.CMSG_SPACE(4)
WORDS: Final = [struct.Struct(f"<{2 * count}I") for count in range(TOGETHER + 1)]
"""The trailers of so many datagrams."""
MSG_TRUNC: Final = int(socket.MSG_TRUNC)  # a plain number: its enumeration costs a microsecond each time
CALLS_AT_ONCE: Final = 64
"""After so many system calls for one module the others get their turn."""
EXPIRY_CHECK_S: Final = 0.05


def bind(host: str, port: int, buffer_bytes: int) -> socket.socket:
    """A bound datagram socket with as large a receive buffer as the system grants. Raises AddressInUse."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        with contextlib.suppress(OSError):  # a kernel without it hands datagrams over one by one
            sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
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
    """One module's socket and assembler, and the scatter buffers between them.

    Where the kernel hands several datagrams over in one piece (UDP_GRO), each payload still goes straight to its place
    in the slot: the buffers alternate between places of payloads and of trailers.
    """

    def __init__(self, module: int, sock: socket.socket, assembler: FrameAssembler) -> None:
        self.module, self.sock, self.assembler = module, sock, assembler
        self.counters: Final[Counter[str]] = Counter()
        self.last_data_ns = 0
        self._trailers = memoryview(bytearray(TRAILER_BYTES * TOGETHER))
        self._trailer_parts = [
            self._trailers[at : at + TRAILER_BYTES]
            for at in range(0, TRAILER_BYTES * TOGETHER, TRAILER_BYTES)
        ]
        self._scratch = memoryview(bytearray(DATAGRAM_BYTES * TOGETHER))

    @property
    def address(self) -> str:
        """The address to send to."""
        host, port = self.sock.getsockname()
        return f"udp://{host}:{port}"

    def receive(self, now_ns: int) -> list[Frame] | None:
        """Receive what the kernel hands over at once; the frames that it ended, or None when there is nothing."""
        place = self.assembler.predicted_room()
        try:
            if place is None:
                size, answer, flags, _ = self.sock.recvmsg_into([self._scratch], CONTROL_BYTES)
            else:
                size, answer, flags, _ = self.sock.recvmsg_into(self._buffers(*place), CONTROL_BYTES)
        except BlockingIOError:
            return None
        self.last_data_ns = now_ns
        each = _segment_bytes(answer) or size
        if flags & MSG_TRUNC or size <= TRAILER_BYTES:
            self.counters["malformed_datagrams"] += 1
            return []
        if place is not None and (each == DATAGRAM_BYTES or size == each < DATAGRAM_BYTES):
            count = -(-size // DATAGRAM_BYTES)
            last_bytes = size - (count - 1) * DATAGRAM_BYTES
            if last_bytes > TRAILER_BYTES:
                if last_bytes < DATAGRAM_BYTES:
                    self._gather_short(place, count, last_bytes)
                words = WORDS[count].unpack_from(self._trailers)
                frames = self.assembler.arrived_in_order(words, last_bytes, now_ns)
                if frames is not None:
                    return frames
        return self._one_by_one(place, size, each, now_ns)

    def _buffers(self, slot: Slot, start: int) -> list[memoryview]:
        view, buffers = slot.view, []
        for trailer in self._trailer_parts:
            end = start + PAYLOAD_BYTES
            buffers.append(view[start:end])
            buffers.append(trailer)
            start = end
        return buffers

    def _gather_short(self, place: tuple[Slot, int], count: int, last_bytes: int) -> None:
        """Put the trailer of a short last datagram where that of a full one is."""
        slot, start = place
        start += (count - 1) * PAYLOAD_BYTES
        here = self._trailer_parts[count - 1]
        behind = max(0, last_bytes - PAYLOAD_BYTES)  # bytes that spilled into the trailer's own place
        inside = slot.view[start + last_bytes - TRAILER_BYTES : start + min(last_bytes, PAYLOAD_BYTES)]
        here[:] = bytes(inside) + bytes(here[:behind])

    def _one_by_one(self, place: tuple[Slot, int] | None, size: int, each: int, now_ns: int) -> list[Frame]:
        """Datagrams that are not the next ones of the newest frame: take them out and put each in its place."""
        whole = self._joined(place, size)
        ended: list[Frame] = []
        for at in range(0, size, each):
            datagram = whole[at : at + each]
            packet = (
                read_trailer(datagram[-TRAILER_BYTES:], len(datagram))
                if len(datagram) > TRAILER_BYTES
                else None
            )
            if packet is None:
                self.counters["malformed_datagrams"] += 1
                continue
            ended += self.assembler.arrived(packet, datagram, now_ns)
        return ended

    def _joined(self, place: tuple[Slot, int] | None, size: int) -> memoryview:
        """A copy of what was received, as one piece."""
        if place is None:
            return memoryview(bytes(self._scratch[:size]))
        slot, start = place
        parts: list[bytes] = []
        count = -(-size // DATAGRAM_BYTES)
        for number in range(count):
            length = min(DATAGRAM_BYTES, size - number * DATAGRAM_BYTES)
            parts.append(bytes(slot.view[start : start + min(length, PAYLOAD_BYTES)]))
            if length == DATAGRAM_BYTES:
                parts.append(bytes(self._trailer_parts[number]))
            elif length > PAYLOAD_BYTES:
                # The tail of a short datagram was moved to the end of the trailer's place.
                parts.append(bytes(self._trailer_parts[number])[-(length - PAYLOAD_BYTES) :])
            start += PAYLOAD_BYTES
        return memoryview(b"".join(parts))

    def kernel_holds_data(self) -> bool:
        """Whether datagrams wait in the kernel."""
        return waiting_bytes(self.sock) > 0


def _segment_bytes(answer: Sequence[tuple[int, int, bytes]]) -> int:
    """Size of each of the datagrams that the kernel joined; 0 when it joined none."""
    for level, kind, data in answer:
        if level == socket.IPPROTO_UDP and kind == UDP_GRO and len(data) >= 2:
            return int.from_bytes(data[:4], "little")
    return 0


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
        for _ in range(CALLS_AT_ONCE):
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
