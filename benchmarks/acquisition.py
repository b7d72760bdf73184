"""What receiving and recording cost, beside the machine's own limits: `python benchmarks/acquisition.py`.

One module of four memory cells (1054208 bytes, 129 datagrams for each train) over loopback in one process; then sixteen
such modules written to files in the page cache. Each number is the best of several rounds.
"""

from __future__ import annotations

import socket
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.constants import AgipdConditions
from pipeline.daq.assembler import FrameAssembler
from pipeline.daq.packets import DATAGRAM_BYTES, END_OF_FRAME, PAYLOAD_BYTES, START_OF_FRAME
from pipeline.daq.receiver import ModuleLink, bind
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.slots import SlotPool
from pipeline.daq.xtdf import FORMATS, MAGIC_BEGIN, MAGIC_END, decode, layout
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

CELLS, MODULES, ROUNDS, TRAINS = 4, 16, 8, 8
AGIPD = FORMATS["AGIPD"]


def main() -> None:
    """Measure and print the table."""
    block = made_block()
    count = -(-len(block) // PAYLOAD_BYTES)
    limit = best(lambda: receive_bare(block)) / count
    ours = best(lambda: receive_assembled(block)) / count
    decoding = best(lambda: timed(lambda: decode(np.frombuffer(block, np.uint8), 0, AGIPD)))
    written = write_run(block)
    plain = best(lambda: write_plain(block))
    print(f"{'step':<44}{'cost':>12}{'limit':>12}{'ratio':>8}")
    print(
        f"{'receive and assemble, µs per datagram':<44}{ours * 1e6:>12.2f}{limit * 1e6:>12.2f}{ours / limit:>8.2f}"
    )
    print(f"{'decode, µs per module train':<44}{decoding * 1e6:>12.1f}")
    print(
        f"{'record 16 modules, ms per train':<44}{written * 1e3:>12.1f}{plain * 1e3:>12.1f}{written / plain:>8.2f}"
    )
    print("limits: recv_into one buffer; write() of the same bytes to one plain file")


def best(measure: Callable[[], float]) -> float:
    """The least of several measurements, in seconds."""
    return min(measure() for _ in range(ROUNDS))


def timed(work: Callable[[], object]) -> float:
    """Seconds of one piece of work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def made_block() -> bytes:
    """A train block of zeros with valid header, lists and trailer."""
    place = layout(AGIPD, CELLS)
    block = bytearray(place.total)
    block[:56] = MAGIC_BEGIN + struct.pack(
        "<IIQQQQII", 1, 0, 1_000_000_000, 0, 0, CELLS, AGIPD.detector_bytes, 0
    )
    block[place.length : place.length + 4 * CELLS] = struct.pack(f"<{CELLS}I", *[AGIPD.frame_bytes] * CELLS)
    block[-8:] = MAGIC_END
    return bytes(block)


def send(block: bytes, port: int, frame: int) -> None:
    """Send a block in datagrams."""
    last = -(-len(block) // PAYLOAD_BYTES) - 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        for number in range(last + 1):
            word = number | (0 if number else START_OF_FRAME) | (END_OF_FRAME if number == last else 0)
            part = block[number * PAYLOAD_BYTES : (number + 1) * PAYLOAD_BYTES]
            sender.sendmsg([part, struct.pack("<II", frame, word)])


def receive_bare(block: bytes) -> float:
    """Seconds to take the datagrams of a train out of the kernel and do nothing with them."""
    with bind("127.0.0.1", 0, 32 << 20) as sock:
        send(block, sock.getsockname()[1], 1)
        room = bytearray(DATAGRAM_BYTES)

        def drain() -> None:
            try:
                while True:
                    sock.recv_into(room)
            except BlockingIOError:
                return

        return timed(drain)


def receive_assembled(block: bytes) -> float:
    """Seconds to receive a train into its slot, with all bookkeeping."""
    pool = SlotPool(2, len(block))
    assembler = FrameAssembler(len(block), len(block), pool.take, 10**9)
    with bind("127.0.0.1", 0, 32 << 20) as sock:
        link = ModuleLink(0, sock, assembler)
        send(block, sock.getsockname()[1], 1)
        frames = []

        def drain() -> None:
            while (ended := link.receive(0)) is not None:
                frames.extend(ended)

        took = timed(drain)
    assert len(frames) == 1, "the kernel's receive buffer is too small for one train"
    return took


def write_run(block: bytes) -> float:
    """Seconds for each train of sixteen modules recorded, after a first one that creates the files."""
    train = decode(np.frombuffer(block, np.uint8), 0, AGIPD)
    conditions = AgipdConditions(CELLS, 1.1)
    plan = RecordingPlan(
        "SPB_DET_AGIPD1M-1", AGIPD, tuple(range(MODULES)), "SPB_IRU_AGIPD1M1", 1, 10**6, TrainClock(0, 0)
    )
    parts: dict[int, ModuleTrain] = dict.fromkeys(range(MODULES), train)
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(Path(folder) / "r0001", plan, 1, "", conditions)
        writer.write(Gathered(1, 0.0, parts))
        took = min(timed(lambda k=k: writer.write(Gathered(k, 0.0, parts))) for k in range(2, 2 + TRAINS))
        writer.close()
    return took


def write_plain(block: bytes) -> float:
    """Seconds to write as many bytes as sixteen modules send to one plain file."""
    with tempfile.TemporaryFile() as file:
        return timed(lambda: [file.write(block) for _ in range(MODULES)] and file.flush())


if __name__ == "__main__":
    main()
