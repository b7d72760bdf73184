"""Sixteen optical modules at their consoles in real time: `python benchmarks/lab_real_time.py [--quick]`.

A laboratory on the wall's clock, laser at 100 Hz. A client for each module streams waveforms of 128 samples of both
photomultipliers over its socket and counts them. What has to come is what the laser gives: 16 modules x 2 channels x
100 Hz, and what the dark adds above the threshold. The table says how much of it came, and what the laboratory's
process took of one core.
"""

from __future__ import annotations

import argparse
import re
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.parse import urlparse

import httpx
import psutil
import zmq

from fat.bench.owned import OwnedBench

BENCH = """
[bench]
name = "lab"
seed = 5
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.lab]
kind = "lab"
modules = {{ count = {modules} }}
scpi = {{ laser_volts = 12.0, laser_on = true }}
"""
LASER_HZ = 100.0
PROMPT = b"\r\n> "
BLOCK = 66_000
"""Bytes that the public client asks for."""
SETTLED_S = 35.0
"""The high voltage ramps at 50 V/s."""
STRENGTHS = ((2, 1, 0.05, 300), (3, 1, 0.25, 700), (1, 1, 1.0, 2100))
"""Positions of the wheels, their strength, and counts above the baseline at which the measurement of linearity
triggers."""


class Console:
    """A client of one console."""

    def __init__(self, address: str) -> None:
        where = urlparse(address)
        self._socket = socket.create_connection((where.hostname, where.port), timeout=120)

    def ask(self, command: str, length: int | None = None) -> bytes:
        """The answer without its echo: up to the prompt, or so many bytes and the prompt."""
        line = f"{command}\r\n".encode()
        self._socket.sendall(line)
        got = bytearray()
        wanted = None if length is None else len(line) + length + len(PROMPT)
        while (len(got) < wanted) if wanted is not None else not got.endswith(PROMPT):
            more = self._socket.recv(1 << 17)
            if not more:
                raise ConnectionError(f"the console closed after {bytes(got[-80:])!r}")
            got += more
        return bytes(got[len(line) : -len(PROMPT)])

    def close(self) -> None:
        """Leave."""
        self._socket.close()


def records_in(block: bytes) -> int:
    """Waveforms in a block: each a word count and its words; a count of 0 ends it."""
    at = found = 0
    while at + 4 <= len(block) and (words := int.from_bytes(block[at : at + 4], "little")):
        at += 4 + 2 * words
        found += 1
    return found


def stream(console: Console, threshold: int, seconds: float) -> int:
    """Read blocks of both channels for a while; how many waveforms came."""
    baselines = [int(number) for number in BASELINES.get(console, (8000, 8000))]
    console.ask(f"{baselines[0] + threshold} {baselines[1] + threshold} 3 startDEggWfmStream")
    end, found = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        found += records_in(console.ask(f"{BLOCK} readDEggWfmBlock", BLOCK))
    console.ask("disableDEggTriggers")
    return found


BASELINES: dict[Console, tuple[int, int]] = {}


def prepare(console: Console) -> None:
    """High voltage and readout of both channels, and their baselines."""
    console.ask("65 30000 setDAC 66 30000 setDAC")
    for channel in (0, 1):
        console.ask(f"{channel} 1 128 setDEggConstReadout {channel} enableHV {channel} 1450 setDEggHV")
    found = []
    for channel in (0, 1):
        console.ask(f"{channel} 10 1 startDEggWfmStream")
        words = int.from_bytes(console.ask("readDEggWfmStream", 4), "little")
        record = console.ask("readDEggWfmStream", 2 * words)
        samples = sorted(int.from_bytes(record[at : at + 2], "little") >> 2 for at in range(24, 224, 2))
        found.append(samples[len(samples) // 2])
    BASELINES[console] = (found[0], found[1])


def set_light(endpoints: dict[str, str], positions: tuple[int, int]) -> None:
    """Laser at 100 Hz behind two wheels."""
    where = urlparse(endpoints["lab.function_generator"])
    with socket.create_connection((where.hostname, where.port), timeout=30) as line:
        line.sendall(b"SOUR1:FUNC SQU;FREQ 100\nSOUR1:VOLT:AMPL 3VPP\nOUTP1:STAT ON\n*OPC?\n")
        line.recv(10)
    for wheel, position in enumerate(positions):
        path = Path(endpoints[f"lab.filter_wheel_{wheel}"])
        with path.open("r+b", buffering=0) as port:
            port.write(f"pos={position}\rpos?\r".encode())
            answer = b""
            while not re.search(rb"pos\?\r\d\r> $", answer):
                answer += port.read(64)


def enable_hv(endpoints: dict[str, str]) -> None:
    """Give all groups permission for high voltage."""
    context = zmq.Context()
    for key, address in endpoints.items():
        if key.startswith("icm.") and key != "icm.11000":
            with context.socket(zmq.REQ) as port:
                port.connect(address)
                port.send_json({"command": "pmt_hv_enable"})
                assert port.recv_json()["status"] == "OK"
    context.term()


def main() -> None:
    """Bring the laboratory up, and measure at three strengths of light."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two modules, a few seconds")
    quick = parser.parse_args().quick
    modules, seconds = (2, 3.0) if quick else (16, 20.0)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lab.toml"
        file.write_text(BENCH.format(modules=modules))
        with OwnedBench(file, data_dir=Path(folder) / "data", log=Path(folder) / "bench.log") as bench:
            measure(bench, modules, seconds, 2.0 if quick else SETTLED_S)


def measure(bench: OwnedBench, modules: int, seconds: float, settled_s: float) -> None:
    """Print the table."""
    endpoints = {key: str(address) for key, address in bench.endpoints.items()}
    enable_hv(endpoints)
    status = httpx.get(f"{endpoints['control']}/status").json()
    process = psutil.Process(status["processes"]["lab"])
    consoles = [Console(endpoints[f"degg.{5000 + module}"]) for module in range(modules)]
    with ThreadPoolExecutor(modules) as clients:
        list(clients.map(prepare, consoles))
        time.sleep(settled_s)
        print(f"{modules} modules, 2 channels, laser at {LASER_HZ:g} Hz, {seconds:g} s for each row")
        print("strength  waveforms/s   of the laser's   core of the laboratory   waveforms/s and core")
        for first, second, strength, threshold in STRENGTHS:
            set_light(endpoints, (first, second))
            before, began = process.cpu_times(), time.monotonic()
            read = partial(stream, threshold=threshold, seconds=seconds)
            found = sum(clients.map(read, consoles))
            took, after = time.monotonic() - began, process.cpu_times()
            core = (after.user + after.system - before.user - before.system) / took
            rate = found / took
            expected = modules * 2 * LASER_HZ
            row = (
                f"{strength:>8.2f} {rate:>12.0f} {rate / expected:>15.0%} {core:>21.0%} {rate / core:>25.0f}"
            )
            print(row)
    for console in consoles:
        console.close()


if __name__ == "__main__":
    main()
