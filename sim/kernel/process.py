"""The process that hosts simulated devices: `python -m sim.kernel.process`.

Speaks the child protocol of docs/architecture.md on stdin and stdout. When stdin ends, the parent is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from pydantic import BaseModel, ValidationError

from sim.errors import AddressTaken, ConfigurationRejected, SimError
from sim.kernel.bench_time import BenchTime, ClockLost
from sim.kernel.clock import SimClock, wall_clock
from sim.kernel.device import DeviceKind, Server, Surroundings, Telling
from sim.kernel.faults import FaultBoard
from sim.kernel.installed import find_kind
from sim.kernel.transcript import Transcript

EXIT_USAGE: Final = 2
EXIT_BENCH: Final = 3
EXIT_BUG: Final = 4
STOP_TIMEOUT_S: Final = 4.0


def _validated(kind: DeviceKind, device: Mapping[str, Any]) -> BaseModel:
    """The device's table. Raises ConfigurationRejected."""
    try:
        return kind.config.model_validate_json(json.dumps(device["table"]))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationRejected(device["name"], f"{where}: {first['msg']}") from None


class Host:
    """Builds, starts and stops the devices of one process, and answers its parent."""

    def __init__(self, spec: Mapping[str, Any], say: TextIO) -> None:
        self._spec, self._say = spec, say
        self._data_dir = Path(spec["data_dir"])
        self._boards: dict[str, FaultBoard] = {}
        self._servers: dict[str, tuple[str, Server]] = {}
        self._transcripts: list[Transcript] = []
        self._clock = self._make_clock()

    def _make_clock(self) -> SimClock:
        if self._spec.get("clock") is None:
            return wall_clock(self._spec.get("epoch_unix_ns"))
        name = "+".join(device["name"] for device in self._spec["devices"])
        return SimClock(BenchTime(self._spec["clock"], name), self._spec["epoch_unix_ns"])

    def tell(self, message: Mapping[str, Any]) -> None:
        """Write one line to the parent. A parent that is gone is noticed at stdin."""
        with contextlib.suppress(BrokenPipeError):
            self._say.write(json.dumps(message) + "\n")
            self._say.flush()

    async def start(self) -> dict[str, str | list[str]]:
        """Join the clock, build every device, bind every address."""
        await self._clock.start()
        for device in self._spec["devices"]:
            self._build(device)
        endpoints: dict[str, str | list[str]] = {}
        for key, (_, server) in self._servers.items():
            endpoints[key] = await server.start()
        return endpoints

    def notes(self) -> list[str]:
        """What the servers have to tell once, after the start."""
        telling = (server for _, server in self._servers.values() if isinstance(server, Telling))
        return [note for server in telling for note in server.notes()]

    def _build(self, device: Mapping[str, Any]) -> None:
        name, kind = device["name"], find_kind(device["kind"])
        transcript = Transcript(self._data_dir / "transcripts" / f"{name}.txt", lambda: self._clock.now)
        self._transcripts.append(transcript)
        table = _validated(kind, device)
        board = self._boards[name] = FaultBoard(name, kind.faults)
        named = {} if kind.parts is None else kind.parts(table)
        parts = {kind.full_name(name, part): specs for part, specs in named.items()}
        boards = {part: FaultBoard(part, specs) for part, specs in parts.items()}
        self._boards |= boards
        surroundings = Surroundings(
            name=name,
            seed=self._spec["seed"],
            data_dir=self._data_dir,
            clock=self._clock,
            endpoints=self._spec["endpoints"],
            faults=board,
            transcript=transcript,
            token=self._spec.get("token", ""),
            parts=boards,
        )
        for suffix, server in kind.build(surroundings, table).items():
            self._servers[kind.full_name(name, suffix)] = (name, server)

    async def stop(self) -> None:
        """Stop servers in reverse order, then the clock."""
        for _, server in reversed(self._servers.values()):
            await server.stop()
        await self._clock.stop()
        for transcript in self._transcripts:
            transcript.close()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one request of the parent. Never raises for a request that cannot be carried out."""
        number = request.get("id")
        try:
            if request["op"] == "fault":
                return {"id": number, "ok": self._switch(request)}
            if request["op"] == "status":
                return {"id": number, "ok": self._status()}
        except KeyError as error:
            return {"id": number, "refused": f"the request lacks the key {error}"}
        except (SimError, TypeError) as error:
            return {"id": number, "refused": str(error)}
        return {
            "id": number,
            "refused": f"no such request: {request['op']!r}; there are: fault, status, stop",
        }

    def _switch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        board = self._boards.get(request["device"])
        if board is None:
            raise SimError(f"no device {request['device']!r} here; there are: {', '.join(self._boards)}")
        if request["on"]:
            board.switch_on(request["fault"], times=request.get("times"), **request.get("parameters", {}))
        else:
            board.switch_off(request["fault"])
        return {"active": board.active()}

    def _status(self) -> dict[str, Any]:
        problems: dict[str, Sequence[dict[str, Any]]] = {}
        for name, server in self._servers.values():
            problems[name] = [*problems.get(name, []), *(asdict(p) for p in server.problems())]
        return {
            name: {"faults": board.active(), "struck": board.struck(), "problems": problems.get(name, [])}
            for name, board in self._boards.items()
        }

    async def serve(self, requests: asyncio.StreamReader) -> None:
        """Answer the parent until it says stop or is gone."""
        async for line in requests:
            try:
                request = json.loads(line)
            except ValueError as error:
                self.tell({"id": None, "refused": f"this line is no JSON: {error}"})
                continue
            if not isinstance(request, dict):
                self.tell({"id": None, "refused": "a request is a JSON object"})
            elif request.get("op") == "stop":
                return
            else:
                if request.get("op") == "fault":
                    await self._clock.catch_up()
                self.tell(self.answer(request))

    async def ended(self) -> None:
        """Wait until the clock ends: the bench is gone, or a device broke."""
        await self._clock.died()


async def _requests() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def _host(say: TextIO) -> int:
    requests = await _requests()
    first = await requests.readline()
    if not first:
        return EXIT_USAGE
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host = Host(json.loads(first), say)
    try:
        try:
            endpoints = await host.start()
            gc.freeze()  # what was built stays: no collection need look at it again
            host.tell({"ready": endpoints, "notes": host.notes()})
        except (AddressTaken, ConfigurationRejected) as error:
            host.tell({"failed": str(error), "exit": EXIT_USAGE})
            return EXIT_USAGE
        except SimError as error:
            host.tell({"failed": str(error), "exit": EXIT_BENCH})
            return EXIT_BENCH
        return await _until_stopped(host, requests, stop)
    finally:
        await asyncio.wait_for(host.stop(), STOP_TIMEOUT_S)


async def _until_stopped(host: Host, requests: asyncio.StreamReader, stop: asyncio.Event) -> int:
    waits = [
        asyncio.ensure_future(host.serve(requests)),
        asyncio.ensure_future(stop.wait()),
        asyncio.ensure_future(host.ended()),
    ]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for wait in done:
        error = wait.exception()
        if error is not None and not isinstance(error, ClockLost):
            raise error
    return 0


def main() -> int:
    """Host devices until the parent says stop."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C in a terminal reaches the whole group; the parent decides
    say = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return asyncio.run(_host(say))


if __name__ == "__main__":
    sys.exit(main())
