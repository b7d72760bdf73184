"""The bench process: in the foreground of a terminal, detached, or as the child of another process.

As a child (`python -m fat.bench.process`) it reads `{"bench": path, "data_dir": path or null, "start_ns": ns or null,
"patience_s": s}` from stdin, answers `{"ready": {"endpoints", "token", "notes"}}` or `{"failed", "exit"}`, and stops
when stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fat.bench.bench import Bench
from fat.bench.file import BenchFile, load
from fat.errors import FatError


async def run_bench(
    file: BenchFile,
    *,
    start_ns: int | None = None,
    patience_s: float = 0.0,
    on_ready: Callable[[Bench], None],
    until: asyncio.Event,
) -> FatError | None:
    """Bring a bench up, call *on_ready*, keep it until told to stop. Returns what broke it, if something did.

    Raises FatError when it cannot start. Everything is stopped on return, whatever happens.
    """
    bench = Bench(file, start_ns=start_ns, patience_s=patience_s)
    try:
        await bench.start()
        on_ready(bench)
        waits = [
            asyncio.create_task(until.wait()),
            asyncio.create_task(bench.stop_requested.wait()),
            asyncio.create_task(bench.broken()),
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        results = await asyncio.gather(*waits, return_exceptions=True)
        broken = results[2]
        return broken if isinstance(broken, FatError) and not until.is_set() else None
    finally:
        await bench.stop()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _serve_parent(say: Callable[[Mapping[str, Any]], None]) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    requests = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    spec = json.loads(await requests.readline())

    async def watch_parent() -> None:
        while line := await requests.readline():
            if json.loads(line).get("op") == "stop":
                break
        stop.set()

    watcher = asyncio.create_task(watch_parent(), name="parent")
    try:
        broken = await run_bench(
            load(Path(spec["bench"]), Path(spec["data_dir"]) if spec.get("data_dir") else None),
            start_ns=spec.get("start_ns"),
            patience_s=float(spec.get("patience_s", 0.0)),
            on_ready=lambda bench: say({"ready": _ready(bench)}),
            until=stop,
        )
    except FatError as error:
        say({"failed": str(error), "exit": error.exit_code})
        return error.exit_code
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
    if broken is not None:
        print(broken, file=sys.stderr)  # noqa: T201  # stderr is this child's log
        return broken.exit_code
    return 0


def _ready(bench: Bench) -> dict[str, Any]:
    return {"endpoints": bench.endpoints, "token": bench.token, "notes": bench.notes}


def main() -> int:
    """Serve as the child of the process at the other end of stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except BrokenPipeError:
            pass  # the parent has gone; its closed stdin stops this process

    return asyncio.run(_serve_parent(say))


if __name__ == "__main__":
    sys.exit(main())
