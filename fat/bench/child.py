"""One child process of the bench, by the child protocol of docs/architecture.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from fat.errors import BenchError, ChildFailed

READY_TIMEOUT_S: Final = 180.0
"""A simulator may compile its kernels the first time: up to half a minute of a core, which others may use as well."""
STOP_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0


class Child:
    """Starts a process, waits until it is ready, asks it things, stops it."""

    def __init__(self, name: str, module: str, log: Path) -> None:
        self.name, self._module, self._log = name, module, log
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ids = count(1)
        self._reader: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._stopping = False
        self.ended = asyncio.Event()
        self.notes: Sequence[str] = ()
        """What a person has to read once the process is ready; never written to a file."""

    @property
    def pid(self) -> int | None:
        """Process id, or None before the start."""
        return None if self._process is None else self._process.pid

    async def start(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Start the process and return the endpoints that it answers. Raises ChildFailed."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=1 << 22,
            )
        self._ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name=f"child {self.name}")
        await self._write(spec)
        try:
            ready = await asyncio.wait_for(asyncio.shield(self._ready), READY_TIMEOUT_S)
        except TimeoutError:
            raise ChildFailed(self.name, f"not ready after {READY_TIMEOUT_S:.0f} s", self._log) from None
        if "failed" in ready:
            raise ChildFailed(self.name, ready["failed"], self._log, int(ready.get("exit", 3)))
        self.notes = ready.get("notes", ())
        return dict(ready["ready"])

    async def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request; return its answer. Raises BenchError with the child's sentence when it refuses."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._write({"id": number, **request})
            body = await asyncio.wait_for(answer, ANSWER_TIMEOUT_S)
        except TimeoutError:
            raise BenchError(f"{self.name} did not answer within {ANSWER_TIMEOUT_S:.0f} s") from None
        finally:
            self._answers.pop(number, None)
        if "refused" in body:
            raise BenchError(body["refused"])
        return dict(body["ok"])

    async def stop(self) -> None:
        """Ask it to stop, then close its pipe, then end it by force; bounded. May be called twice."""
        process = self._process
        if process is None:
            return
        self._stopping = True
        with contextlib.suppress(ChildFailed):
            await self._write({"op": "stop"})
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    def why_it_ended(self) -> ChildFailed:
        """The error to show for a child that ended by itself."""
        code = None if self._process is None else self._process.returncode
        return ChildFailed(self.name, f"ended by itself with exit code {code}", self._log)

    async def _write(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ChildFailed(self.name, "its pipe is closed", self._log) from None

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._ready is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message or "failed" in message:
                if not self._ready.done():
                    self._ready.set_result(message)
            elif (answer := self._answers.get(message.get("id"))) is not None and not answer.done():
                answer.set_result(message)
        await self._process.wait()
        if not self._ready.done():
            self._ready.set_exception(self.why_it_ended())
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(self.why_it_ended())
        if not self._stopping:
            self.ended.set()
