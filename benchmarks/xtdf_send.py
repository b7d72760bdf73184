"""What the AGIPD simulator costs: making images, and sending them to a receiver that only reads.

    python benchmarks/xtdf_send.py [modules] [cells] [trains]

Prints a table: milliseconds of one module's train, core-milliseconds of one image, images each second of one core.
"""

from __future__ import annotations

import multiprocessing
import resource
import socket
import sys
import time
from multiprocessing.connection import Connection

import numpy as np

from sim.kernel import FaultBoard
from sim.xtdf.build import make_detector
from sim.xtdf.config import AgipdTable
from sim.xtdf.device import Agipd
from sim.xtdf.fault_specs import FAULTS
from sim.xtdf.kernels import PIXELS
from sim.xtdf.packets import plan

FIRST = 1_000_000_000


def receive(pipe: Connection, modules: int) -> None:
    """Read datagrams of all modules until the other end closes; answers with their number when asked."""
    import selectors

    selector = selectors.DefaultSelector()
    sockets = []
    for _ in range(modules):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)
        sockets.append(sock)
    pipe.send([sock.getsockname()[1] for sock in sockets])
    selector.register(pipe, selectors.EVENT_READ)
    buffer, count = bytearray(9000), 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is pipe:
                if pipe.recv() is None:
                    return
                time.sleep(0.2)
                pipe.send(count)
                continue
            try:
                while True:
                    key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
                    count += 1
            except BlockingIOError:
                continue


def cpu_s() -> float:
    """CPU time of this process, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def row(what: str, wall_s: float, core_s: float, module_trains: int, cells: int) -> None:
    """One line of the table."""
    images = module_trains * cells
    print(
        f"{what:28s} {wall_s / module_trains * 1e3:10.2f} {core_s / images * 1e3:12.3f} {images / core_s:12.0f}"
    )


def measure(detector: Agipd, trains: int, light: str, *, send: bool) -> tuple[float, float]:
    """Wall and CPU seconds of *trains* trains of all modules."""
    images = np.zeros((detector.table.frames, 2 * PIXELS), np.uint16)
    wall, core = time.perf_counter(), cpu_s()
    for train in range(trains):
        for module in detector.modules:
            if send:
                module.send_train(FIRST + train, "adaptive", light)  # type: ignore[arg-type]
            else:
                module.model.make_images(images, FIRST + train, "adaptive", light)  # type: ignore[arg-type]
    return time.perf_counter() - wall, cpu_s() - core


def main() -> None:
    """Measure and print."""
    modules, cells, trains = (int(a) for a in [*sys.argv[1:], *("16", "4", "30")[len(sys.argv) - 1 :]])
    ours, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.Process(target=receive, args=(theirs, modules), daemon=True)
    receiver.start()
    endpoints = {f"daq.{channel}": f"udp://127.0.0.1:{port}" for channel, port in enumerate(ours.recv())}
    table = AgipdTable(modules=modules, memory_cells=cells)
    detector = make_detector("agipd", table, 1, endpoints, FaultBoard("agipd", FAULTS))
    measure(detector, 1, "rings", send=False)
    print(f"{modules} modules, {cells} cells, {trains} trains")
    print(f"{'':28s} {'ms/module':>10s} {'core-ms/img':>12s} {'images/s':>12s}")
    sent = 0
    for send in (False, True):
        for light in ("dark", "flat", "rings"):
            wall, core = measure(detector, trains, light, send=send)
            row(f"{'make and send' if send else 'make'}, {light}", wall, core, trains * modules, cells)
            if send:
                sent += trains * modules * len(plan(detector.modules[0].block_bytes))
    ours.send("count")
    print(f"datagrams sent {sent}, received {ours.recv()}")
    ours.send(None)
    receiver.join()
    detector.close()


if __name__ == "__main__":
    main()
