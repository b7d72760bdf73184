"""A bench that is up: clock, control API, live page, simulators and the pipeline as child processes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp

from fat.bench.access import Access
from fat.bench.child import Child
from fat.bench.clock import BenchClock
from fat.bench.control import control_app
from fat.bench.file import BenchFile
from fat.bench.order import Part, ready_to_start
from fat.bench.web_server import MadeWhenAsked, WebServer
from fat.errors import BenchBusy, BenchError, ChildFailed
from fat.files import write_json_atomically

SIMULATOR: Final = "sim.kernel.process"
PIPELINE: Final = "pipeline.process"
CLOCK_SAVE_PERIOD_S: Final = 1.0
LOCK_POLL_S: Final = 0.02
NS_PER_S: Final = 1_000_000_000
FIRST_TRAIN_ID: Final = 1_000_000_000
"""Of a bench in which nothing counts trains."""

Endpoints = dict[str, str | list[str]]


class Bench:
    """Brings a bench up and takes it down again.

    start_ns    where simulated time begins; None goes on after the last bench in this data folder
    patience_s  how long to wait for a bench in this data folder that is still going down
    """

    def __init__(self, file: BenchFile, *, start_ns: int | None = None, patience_s: float = 0.0) -> None:
        self._file, self._patience_s = file, patience_s
        self._data_dir = file.data_dir
        self._children: dict[str, Child] = {}
        self._access = Access(secrets.token_urlsafe(24))
        self._start_ns = start_ns
        self._part_of: dict[str, str] = {}
        """Which device a part with faults of its own belongs to."""
        self._servers: list[WebServer] = []
        self._saver: asyncio.Task[None] | None = None
        self._lock_fd: int | None = None
        self.endpoints: Endpoints = {}
        self.stop_requested = asyncio.Event()

    @property
    def token(self) -> str:
        """What a request that changes something must bear."""
        return self._access.token

    @property
    def notes(self) -> list[str]:
        """What a person has to read, such as a generated password."""
        return [note for child in self._children.values() for note in child.notes]

    async def start(self) -> Endpoints:
        """Start everything; return the endpoints when all is ready. Raises BenchError; stop() cleans up."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        await self._take_lock()
        clock_table = self._file.sim.clock
        start_ns = self._begin_ns()
        self._clock = BenchClock(clock_table.mode, start_ns=start_ns, speed=clock_table.speed)
        self._epoch_unix_ns = self._epoch(clock_table, start_ns)
        self._clock.start()
        await self._serve_control()
        await self._start_parts()
        self._appoint_faults(start_ns)
        self._saver = asyncio.create_task(self._save_clock(), name="clock saver")
        self._write_state()
        return self.endpoints

    async def stop(self) -> None:
        """Stop every child, then the servers and the clock. May be called twice, and after a failed start."""
        await asyncio.gather(*(child.stop() for child in reversed(self._children.values())))
        self._children.clear()
        if self._saver is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            self._saver = None
            write_json_atomically(self._data_dir / "clock.json", {"now_ns": self._clock.now})
            await self._clock.stop()
        for server in self._servers:
            await server.stop()
        self._servers.clear()
        if self._lock_fd is not None:
            (self._data_dir / "bench.json").unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    async def broken(self) -> ChildFailed:
        """Wait until a child ends by itself; say which and why."""
        waits = {
            asyncio.create_task(child.ended.wait(), name=name): child
            for name, child in self._children.items()
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return waits[done.pop()].why_it_ended()

    async def switch_fault(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Switch a fault of a device. Raises BenchError with the reason of a refusal."""
        name = str(request.get("device", ""))
        child = self._children.get(self._part_of.get(name, name))
        if child is None or name == "pipeline":
            simulated = ", ".join(sorted({*self._children, *self._part_of} - {"pipeline"}))
            raise BenchError(f"no simulated device {name!r} in this bench; there are: {simulated or 'none'}")
        return await child.ask(
            {
                "op": "fault",
                "device": name,
                "fault": str(request.get("fault", "")),
                "on": bool(request.get("on", True)),
                "times": request.get("times"),
                "parameters": request.get("parameters") or {},
            }
        )

    async def status(self) -> dict[str, Any]:
        """Clock, parts with process ids, faults and problems."""
        devices: dict[str, Any] = {}
        for name, child in self._children.items():
            with contextlib.suppress(BenchError):
                devices |= {} if name == "pipeline" else await child.ask({"op": "status"})
        return {
            "bench": self._file.bench.name,
            "clock": {"mode": self._clock.mode, "now_ns": self._clock.now},
            "participants": self._clock.participants(),
            "processes": {name: child.pid for name, child in self._children.items()},
            "devices": devices,
            "endpoints": self.endpoints,
        }

    async def _take_lock(self) -> None:
        fd = os.open(self._data_dir / "bench.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(fd)
                    raise BenchBusy(self._data_dir, _owner(self._data_dir)) from None
                await asyncio.sleep(LOCK_POLL_S)
            else:
                self._lock_fd = fd
                return

    def _begin_ns(self) -> int:
        """Where simulated time goes on: as told, else after the last bench in this folder, else at zero."""
        if self._start_ns is not None:
            return self._start_ns
        if self._file.sim.clock.epoch is None:
            return 0
        try:
            return int(json.loads((self._data_dir / "clock.json").read_text())["now_ns"])
        except (FileNotFoundError, ValueError, KeyError):
            return 0

    def _epoch(self, clock_table: Any, start_ns: int) -> int:
        if clock_table.epoch is not None:
            return round(float(clock_table.epoch.timestamp())) * NS_PER_S
        # The moment of `up` is simulated time `start_ns`.
        return time.time_ns() - start_ns

    def _live_page(self) -> ASGIApp:
        # A sixth of what a bench's process computes until it is up; most end without anybody having looked.
        from scheduler.web import make_app

        return make_app(self._data_dir / "fat", self.token)

    async def _serve_control(self) -> None:
        control = control_app(self, self._clock, self._epoch_unix_ns, self._access)
        table = self._file.bench
        server = WebServer("control", control, port=table.control_port)
        self._servers.append(server)
        address = await server.start()
        page = WebServer("web", MadeWhenAsked(self._live_page), port=table.web_port)
        self._servers.append(page)
        self.endpoints |= {
            "control": address,
            "clock": f"{address}/clock",
            "web": await page.start(),
            "data": str(self._data_dir),
        }

    async def _start_parts(self) -> None:
        parts = self._parts()
        running: set[str] = set()
        while parts:
            wave = ready_to_start(parts, running)
            # Every child of the wave is asked to finish its start before an error of one is raised.
            results = await asyncio.gather(*(self._start_part(name) for name in wave), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            for name in wave:
                running.add(name)
                del parts[name]

    def _parts(self) -> dict[str, Part]:
        kinds = {point.name: point for point in entry_points(group="stellwerk.devices")}
        parts = {}
        for name, table in self._file.sim.devices.items():
            address = getattr(table, "address", None)
            if address is not None:
                addresses = {"": address} if isinstance(address, str) else address
                self.endpoints |= {
                    f"{name}.{suffix}" if suffix else name: a for suffix, a in addresses.items()
                }
                continue
            kind = kinds[table.kind].load()
            if kind.parts is not None:
                self._part_of |= {kind.full_name(name, part): name for part in kind.parts(table)}
            parts[name] = Part(name, kind.needs, (name, f"{name}.", *(f"{f}." for f in kind.families)))
        if self._file.pipeline is not None:
            needs = ("caldb.", self._file.pipeline.control_sources.endpoint)
            parts["pipeline"] = Part("pipeline", needs, ("pipeline", "daq.", "bridge."))
        return parts

    async def _start_part(self, name: str) -> None:
        module = PIPELINE if name == "pipeline" else SIMULATOR
        child = self._children[name] = Child(name, module, self._data_dir / "log" / f"{name}.log")
        spec = self._pipeline_spec() if name == "pipeline" else self._simulator_spec(name)
        self.endpoints |= await child.start(spec)

    def _simulator_spec(self, name: str) -> dict[str, Any]:
        table = self._file.sim.devices[name]
        return {
            "devices": [
                {"name": name, "kind": table.kind, "table": table.model_dump(mode="json", exclude={"kind"})}
            ],
            "seed": self._file.bench.seed,
            "data_dir": str(self._data_dir),
            "clock": self.endpoints["clock"],
            "epoch_unix_ns": self._epoch_unix_ns,
            "endpoints": self.endpoints,
            "token": self.token,
        }

    def _pipeline_spec(self) -> dict[str, Any]:
        devices = self._file.sim.devices
        # Where the acceptance test names no device of this bench, whoever counts trains tells where they begin.
        named = devices.get(self._file.fat.detector)
        counting = [named, *devices.values()]
        first = next((d.first_train_id for d in counting if hasattr(d, "first_train_id")), FIRST_TRAIN_ID)
        return {
            "table": self._file.pipeline.model_dump(mode="json"),
            "data_dir": str(self._data_dir),
            "endpoints": self.endpoints,
            "token": self.token,
            "time": {
                "anchor_train_id": first,
                "anchor_unix_ns": self._epoch_unix_ns,
                "period_ns": NS_PER_S // 10,
            },
        }

    def _appoint_faults(self, start_ns: int) -> None:
        for fault in self._file.sim.faults:
            request = fault.model_dump(exclude={"at_s", "for_s"})
            self._appoint(start_ns + round(fault.at_s * NS_PER_S), request)
            if fault.for_s is not None:
                end_ns = start_ns + round((fault.at_s + fault.for_s) * NS_PER_S)
                self._appoint(end_ns, {**request, "on": not fault.on})

    def _appoint(self, at_ns: int, request: dict[str, Any]) -> None:
        async def act() -> None:
            await self.switch_fault(request)

        self._clock.appoint(at_ns, act)

    async def _save_clock(self) -> None:
        saved = -1
        while True:
            if (now := self._clock.now) != saved:
                write_json_atomically(self._data_dir / "clock.json", {"now_ns": now})
                saved = now
            await asyncio.sleep(CLOCK_SAVE_PERIOD_S)

    def _write_state(self) -> None:
        """What `down` and `status` need, readable by this user only, because the token stands in it."""
        state = {"pid": os.getpid(), "token": self.token, "endpoints": self.endpoints}
        write_json_atomically(self._data_dir / "bench.json", state, mode=0o600)


def _owner(data_dir: Path) -> int | None:
    try:
        return int(json.loads((data_dir / "bench.json").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None
