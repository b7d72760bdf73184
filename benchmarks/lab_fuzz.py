"""What hostile bytes do to a laboratory: `python benchmarks/lab_fuzz.py [--quick] [--strings N] [BENCH.toml]`.

Every port gets random byte strings: noise, valid commands with bytes flipped, cut, doubled or inserted, giant lines,
all of it split and merged at random, read back or not. After each burst the port must answer a good command of its
protocol, and at the end the simulator has the memory and the open files that it had. The bench of the file is started
on a skipping clock; `--endpoints FILE --pid N` takes a laboratory that is up (and may leave it switched about).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import select
import socket
import sys
import tempfile
import time
import tty
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import zmq
from hostile_bytes import strings

BURST = 250
PATIENCE_S = 30.0
TRY_S = 3.0
STALL_S = 2.0
MAX_GROWTH_MIB = 64.0
MAX_MORE_FILES = 8


@dataclass(frozen=True)
class Protocol:
    """How a port is asked well, and what the beginnings of good commands are."""

    names: str
    """Pattern of the endpoint's name, without the device."""
    good: bytes
    expected: bytes
    """Pattern in the answer."""
    seeds: tuple[bytes, ...]


SCPI = (
    b"*IDN?\n",
    b"SOUR1:FREQ 100;:OUTP ON\n",
    b"VOLT 12;CURR 0.5\n",
    b"SYST:ERR?\n",
    b"*RST;*CLS\n",
    b"APPL P25V,1,1\n",
)
JSON = (
    b'{"command": "devlist"}',
    b'{"command": "read", "device": "0", "register": "CTRL2"}',
    b'{"command": "write", "device": "8", "register": "0xed", "value": "0x50"}',
    b'{"command": "rapcal_all"}',
    b'{"command": "pmt_hv_enable", "device": "3"}',
)
WHEEL = (b"pos?\r", b"pos=3\r", b"speed?\r", b"sensors=0\r", b"*idn?\r", b">\r", b"pcount=12\r")
CONSOLE = (
    b"fpgaVersion .s drop\r\n",
    b"7 sloAdcReadChannel\r\n",
    b"1 2 3 swap drop .s\r\n",
    b's" degg_fw_v0x110.rbf" flashConfigureFPGA\r\n',
    b"0 100 8100 setDEggADCTriggerThreshold\r\n",
    b"14 0 0 readDEggChargeBlock\r\n",
    b"boot\r\n",
)
HTTP = (
    b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n",
    b"POST /fault HTTP/1.1\r\nHost: lab\r\nContent-Length: 2\r\n\r\n{}",
)
PROTOCOLS = (
    Protocol("function_generator", b"\n*IDN?\n", rb"TEKTRONIX,AFG", SCPI),
    Protocol("gpib", b"\n++ver\n", rb"Prologix", (b"++addr 10\n", b"++read eoi\n", b"++auto 1\n", *SCPI)),
    Protocol("power_supply.*", b"\n*IDN?\n", rb"HEWLETT-PACKARD,E3631A", SCPI),
    Protocol("filter_wheel_.", b"\rpos?\r", rb"[1-9]\r> ?", WHEEL),
    Protocol("thermometer", b"", rb"\x024[1-4]0[12][01][0-3][0-9]{8}\r", (b"?\r",)),
    Protocol("chamber", b"\nIDEN?\n", rb"3800", (b"PVAR1?\n", b"SETP1,-40\n", b"RUNM\n", b"STOP\n")),
    Protocol("lake_shore", b"\n*IDN?\n", rb"LSCI", (b"CRDG? 1\n", b"KRDG? 0\r\n")),
    Protocol("freezer_pins", b"\nC0 1\n", rb"OK", (b"C1 1\n", b"C2 1\n", b"C2 0\n", b"C0?\n")),
    Protocol("page|freezer_camera", b"", rb"HTTP/1.1 200", HTTP),
    Protocol(r"degg\..*", b"\r\nboot\r\nsdrop\r\ngetBoardType .s drop\r\n", rb"<1> 113", CONSOLE),
    Protocol(r"icm\..*", b'{"command": "version"}', rb'"status": "OK"', JSON),
)


class Wire:
    """A TCP connection or a serial port, never blocking."""

    def __init__(self, address: str) -> None:
        self._socket: socket.socket | None = None
        if "://" in address:
            parts = urlsplit(address)
            self._socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)
            self._socket.setblocking(False)
            self._fd = self._socket.fileno()
        else:
            self._fd = os.open(address, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._fd)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close() if self._socket is not None else os.close(self._fd)

    def send(self, data: bytes, *, read: bool, chunk: int) -> None:
        """Send all, until the far end closes, or stops taking bytes for a while."""
        sent, moved = 0, time.monotonic()
        while sent < len(data) and time.monotonic() - moved < STALL_S:
            readable, writable, _ = select.select([self._fd] if read else [], [self._fd], [], STALL_S)
            with contextlib.suppress(BlockingIOError):
                if readable and not os.read(self._fd, 1 << 16):
                    return
                if writable:
                    sent += os.write(self._fd, data[sent : sent + chunk])
                    moved = time.monotonic()

    def end(self) -> None:
        """Say that nothing follows, and hear all answers, so that nothing of it is left unread at the far end."""
        if self._socket is None:
            return
        self._socket.shutdown(socket.SHUT_WR)
        while select.select([self._fd], [], [], STALL_S)[0] and os.read(self._fd, 1 << 16):
            pass

    def answers(self, good: bytes, expected: bytes) -> bool:
        """Whether a good command is answered well."""
        if good:
            self.send(good, read=False, chunk=len(good))
        heard, end = b"", time.monotonic() + TRY_S
        while time.monotonic() < end:
            if select.select([self._fd], [], [], 0.5)[0]:
                data = os.read(self._fd, 1 << 16)
                if not data:
                    return False
                heard = (heard + data)[-(1 << 18) :]
                if re.search(expected, heard):
                    return True
        return False


def burst(address: str, protocol: Protocol, rng: random.Random, count: int) -> None:
    """One connection's worth of hostile strings."""
    made = list(strings(rng, protocol.seeds, count))
    if protocol.names.startswith("icm"):
        request_burst(address, made[: len(made) // 2], rng)
        made = [
            (b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00NULL" if rng.random() < 0.5 else b"") + one for one in made
        ]
        made = made[len(made) // 2 :]
        for one in made[:4]:  # noise before, in and after a ZeroMQ greeting: each ends its connection
            spoken(address, one, rng)
        return
    spoken(address, b"".join(made), rng)


def spoken(address: str, data: bytes, rng: random.Random) -> None:
    """Bytes over a wire that is closed, or cut, afterwards."""
    if "://" not in address:
        data = data[:40_000]
    read, chunk = rng.random() < 0.9, 1 << 16 if len(data) > 5000 else rng.choice((1, 7, 100, 4096))
    with contextlib.suppress(OSError), Wire(address) as wire:
        wire.send(data, read=read, chunk=chunk)
        if read:
            wire.end()


def request_burst(address: str, made: Sequence[bytes], rng: random.Random) -> None:
    """Messages to a port of requests: with and without an envelope, whole and in parts."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.connect(address)
        due = 0
        for one in made:
            parts = [one[: len(one) // 2], one[len(one) // 2 :]] if rng.random() < 0.1 else [one]
            envelope = rng.random() < 0.9
            client.send_multipart([b"", *parts] if envelope else parts)
            due += envelope and len(one) <= 1 << 16
        while due and client.poll(1000):
            client.recv_multipart()
            due -= 1


def well(address: str, protocol: Protocol) -> bool:
    """Whether the next good command works. It is tried again for a while: what meets a full buffer is lost."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError, zmq.Again):
            if protocol.names.startswith("icm"):
                with zmq.Context() as context, context.socket(zmq.REQ) as client:
                    client.setsockopt(zmq.LINGER, 0)
                    client.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * 1000))
                    client.connect(address)
                    client.send(protocol.good)
                    return re.search(protocol.expected, client.recv()) is not None
            good = protocol.good
            if address.startswith("http"):
                parts = urlsplit(address)
                good = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
            with Wire(address) as wire:
                if wire.answers(good, protocol.expected):
                    return True
        time.sleep(0.05)
    return False


def targets(endpoints: dict[str, object], device: str) -> Iterator[tuple[str, str, Protocol]]:
    """Ports of a laboratory with their protocols."""
    for key, address in endpoints.items():
        name = key.removeprefix(f"{device}.")
        found = [protocol for protocol in PROTOCOLS if re.fullmatch(protocol.names, name)]
        if found and isinstance(address, str):
            yield name, address, found[0]


def chosen(endpoints: dict[str, object], pattern: str) -> dict[str, object]:
    """The endpoints that somebody asked for."""
    return {key: address for key, address in endpoints.items() if re.search(pattern, key)}


def host_of(pid: int, device: str) -> psutil.Process:
    """The process that simulates, below a bench's."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    hosts = [process for process in family if "sim.kernel.process" in process.cmdline()]
    if not hosts:
        sys.exit(f"process {pid} has no child that simulates {device}")
    return hosts[0]


def run(endpoints: dict[str, object], host: psutil.Process, per_port: int, seed: int, device: str) -> int:
    """Fuzz, print the table, and return how much went wrong."""
    ports = list(targets(endpoints, device))
    wrong, resident, files = 0, 0, 0
    print(f"{'port':22} {'strings':>8} {'s':>7} {'strings/s':>10}  next good command")
    for warm, share in ((True, max(BURST, per_port // 10)), (False, per_port)):
        for name, address, protocol in ports:
            rng = random.Random(f"{seed}/{name}/{warm}")
            begun, sent, failed = time.monotonic(), 0, 0
            while sent < share:
                burst(address, protocol, rng, min(BURST, share - sent))
                sent += min(BURST, share - sent)
                failed += not well(address, protocol)
            took = time.monotonic() - begun
            wrong += failed
            if not warm or failed:
                verdict = "always" if not failed else f"failed {failed} times"
                print(f"{name:22} {sent:8} {took:7.1f} {sent / took:10.0f}  {verdict}", flush=True)
        if warm:
            resident, files = host.memory_info().rss, host.num_fds()
    growth, more = (host.memory_info().rss - resident) / 2**20, host.num_fds() - files
    print(f"memory {resident / 2**20:.0f} MiB, {growth:+.1f} MiB; open files {files}, {more:+d}")
    return wrong + (growth > MAX_GROWTH_MIB) + (more > MAX_MORE_FILES)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", nargs="?", type=Path, default=Path("configs/lab.toml"))
    parser.add_argument("--device", default="lab")
    parser.add_argument("--strings", type=int, default=100_000, help="for each port")
    parser.add_argument("--quick", action="store_true", help="500 strings for each port")
    parser.add_argument("--ports", default=".*", help="pattern of the ports' names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--endpoints", type=Path, help="of a laboratory that is up")
    parser.add_argument("--pid", type=int, help="of its bench, or of its process")
    given = parser.parse_args()
    per_port = 500 if given.quick else given.strings
    if given.endpoints is not None:
        if given.pid is None:
            sys.exit("--endpoints needs --pid, to look at its memory")
        endpoints = chosen(json.loads(given.endpoints.read_text()), given.ports)
        sys.exit(
            1 if run(endpoints, host_of(given.pid, given.device), per_port, given.seed, given.device) else 0
        )
    from fat.bench.owned import OwnedBench

    with tempfile.TemporaryDirectory() as folder:
        bench_file = Path(folder) / "bench.toml"
        text = given.bench.read_text(encoding="utf-8")
        bench_file.write_text(re.sub(r'(?m)^mode = "wall".*$', 'mode = "skip"', text), encoding="utf-8")
        with OwnedBench(bench_file, data_dir=Path(folder) / "data", log=Path(folder) / "log") as bench:
            host = host_of(os.getpid(), given.device)
            wrong = run(chosen(bench.endpoints, given.ports), host, per_port, given.seed, given.device)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
