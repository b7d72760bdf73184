"""What malformed requests do to a control unit: `python benchmarks/dectris_fuzz.py [--quick] [--requests N]`.

A bench with one small control unit comes up; four connections send it requests that are wrong in every way that bytes,
HTTP, addresses, JSON and values can be. Then it must be in the state in which it was, with the memory that it had, and
take a series. The table says what it answered.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from fat.bench.owned import OwnedBench
from fat.testing.small_bench import write_bench_file

CONNECTIONS = 4
MODULES = ["detector", "stream", "filewriter", "monitor", "system", "camera", ""]
VERSIONS = ["1.8.0", "1.6.0", "1.8.0", "version", "9.9.9"]
TASKS = ["config", "status", "command", "images", "files", "keys", "x"]
KEYS = [
    *(
        "nimages",
        "count_time",
        "pixel_mask",
        "flatfield",
        "threshold/1/energy",
        "roi_mode",
        "element",
        "mode",
    ),
    *(
        "arm",
        "trigger",
        "initialize",
        "restart",
        "clear",
        "keys",
        "next",
        "1/2",
        "1/2/3/4",
        "",
        "/",
        "../..",
        "%00",
    ),
    *(
        "%ff%fe",
        "%2e%2e%2fetc%2fpasswd",
        "nimages/",
        "x" * 4000,
        "ä",
        "detector_translation",
        "header_appendix",
    ),
]
COMMANDS = ("arm", "trigger", "initialize", "restart", "clear", "command")
BODIES: list[bytes] = [
    *(
        b"{",
        b"[]",
        b"null",
        b'{"value"}',
        b'{"value": }',
        b'{"value": NaN}',
        b'{"value": 1e999}',
        b"\xff\xfe{}",
    ),
    *(b'{"value": "\\ud800"}', b'{"value": ' + b"9" * 5000 + b"}", b"[" * 5000, b'{"a":' * 5000, b"\0" * 100),
    *(b'{"value": {"__darray__": [1,0,0]}}', b'{"value": [null]}', b'{"value": {}}', b'{"value": [[[]]]}'),
    b'{"value": {"__darray__": [1,0,0], "type": "<u4", "shape": [9999999, 9999999], "filters": [], "data": ""}}',
    b'{"value": "' + b"x" * 100_000 + b'"}',
]


def request(draws: random.Random) -> bytes:
    """One malformed request as bytes."""
    path = f"/{draws.choice(MODULES)}/api/{draws.choice(VERSIONS)}/{draws.choice(TASKS)}/{draws.choice(KEYS)}"
    if draws.random() < 0.5:
        path = f"/{draws.choice(MODULES[:5])}/api/1.8.0/{draws.choice(TASKS[:3])}/{draws.choice(KEYS)}"
    if draws.random() < 0.05:
        path = "/" + draws.choice(["data", "docs", "logs", "data/x", "data/../../x", "triggers", "%"])
    method = draws.choice(["GET", "PUT", "PUT", "PUT", "DELETE", "POST", "BREW"])
    body = b"" if method == "GET" else draws.choice(BODIES)
    if draws.random() < 0.2:
        body = draws.randbytes(draws.randrange(1, 300))
    if not body and any(word in path for word in COMMANDS) and method == "PUT":
        body = b"{"
    whole = bytearray(
        f"{method} {path}?timeout=0 HTTP/1.1\r\nHost: dcu\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    if draws.random() < 0.1:
        for _ in range(draws.randrange(1, 4)):
            whole[draws.randrange(min(len(whole), 80))] = draws.randrange(256)
    return bytes(whole)


async def answer(reader: asyncio.StreamReader) -> str:
    """The code of the next answer; `closed` where there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    await reader.readexactly(length)
    return head[9:12].decode("ascii", "replace")


async def attack(host: str, port: int, seed: int, count: int) -> Counter[str]:
    """Send *count* malformed requests on one connection after another; codes of the answers."""
    draws, codes = random.Random(seed), Counter[str]()
    writer: asyncio.StreamWriter | None = None
    for _ in range(count):
        if writer is None:
            reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(request(draws))
            await writer.drain()
            async with asyncio.timeout(0.2):
                code = await answer(reader)
        except TimeoutError:
            code = "no answer yet"  # the unit waits for the rest of a request that was cut
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            code = "closed"
        codes[code] += 1
        if not code.isdecimal() or code == "400":
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    return codes


async def all_attacks(host: str, port: int, count: int) -> Counter[str]:
    """All connections side by side."""
    seeds = range(1, CONNECTIONS + 1)
    found = await asyncio.gather(*(attack(host, port, seed, count // CONNECTIONS) for seed in seeds))
    return sum(found, Counter[str]())


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="2000 requests")
    options = parser.parse_args()
    count = 2000 if options.quick else options.requests
    with tempfile.TemporaryDirectory() as folder:
        path = write_bench_file(Path(folder), ["dcu"], mode="wall", receiver_port=None)
        with OwnedBench(path, data_dir=Path(folder) / "run", log=Path(folder) / "bench.log") as bench:
            measure(bench, count)


def measure(bench: OwnedBench, count: int) -> None:
    """Attack the bench's unit, and say what became of it."""
    api = str(bench.endpoints["dcu.api"])
    pid = httpx.get(f"{bench.endpoints['control']}/status").json()["processes"]["dcu"]
    address = urlsplit(api)
    assert address.hostname is not None
    assert address.port is not None
    base = f"{api}/detector/api/1.8.0"

    def state() -> str:
        return str(httpx.get(f"{base}/status/state").json()["value"])

    # The first requests grow what every process keeps: buffers, caches, the transcript's lines.
    asyncio.run(all_attacks(address.hostname, address.port, min(count // 10, 5000)))
    before, memory = state(), memory_mb(pid)
    began = time.perf_counter()
    codes = asyncio.run(all_attacks(address.hostname, address.port, count))
    took = time.perf_counter() - began
    print(f"{sum(codes.values())} malformed requests in {took:.1f} s on {CONNECTIONS} connections")
    for code, times in codes.most_common():
        print(f"  {code:<16}{times:>9}")
    print(f"{'':<28}{'before':>10}{'after':>10}")
    print(f"{'state':<28}{before:>10}{state():>10}")
    print(f"{'resident memory, MB':<28}{memory:>10.1f}{memory_mb(pid):>10.1f}")
    for command in ("initialize", "arm", "abort"):
        taken = httpx.put(f"{base}/command/{command}", timeout=30)
        print(f"then {command:<23}{taken.status_code:>10}  {taken.text}")


if __name__ == "__main__":
    main()
