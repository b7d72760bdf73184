"""A control unit's REST interface with parts that only remember what they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from sim.dectris.api.app import Parts, RestInterface
from sim.dectris.api.ports import Answer, Resolve
from sim.dectris.configuration import (
    DetectorConfiguration,
    FilewriterSettings,
    MonitorSettings,
    StreamSettings,
    SystemSettings,
)
from sim.dectris.conformance import ConformanceLog
from sim.dectris.fault_specs import API_FAULTS
from sim.dectris.images.frames import Layout, Ring, Uploaded
from sim.dectris.models import Model, custom
from sim.dectris.refusal import Refused
from sim.kernel import FaultBoard
from sim.kernel.http import HttpServer
from sim.kernel.transcript import Transcript

SMALL = custom(64, 32, 16, "Dectris EIGER2 Si small", "E-00-0001")
EPOCH_NS = 1_700_000_000_000_000_000


class NoImages:
    """A source that has a mask of one dead pixel."""

    fixed: Layout | None = None

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:
        raise NotImplementedError

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        mask = np.zeros((layout.height, layout.width), np.uint32)
        mask[1, 2] = 2
        return mask

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        return np.ones((layout.height, layout.width), np.float32)


class FakeDetector:
    """Answers at once, except `trigger`, which the test answers through `triggered`."""

    def __init__(self, configuration: DetectorConfiguration) -> None:
        self.configuration = configuration
        self.state = "idle"
        self.unique_id = "0" * 26
        self.high_voltage = "READY"
        self.missed_triggers = 0
        self.commands: list[tuple[str, object]] = []
        self.triggered: asyncio.Queue[Resolve] = asyncio.Queue()
        """What answers each trigger."""
        self.number = 0

    def configure(self, name: str, value: object, resolve: Resolve) -> None:
        self._write(lambda: self.configuration.write(name, value), resolve)

    def configure_array(self, name: str, array: NDArray[Any] | None, resolve: Resolve) -> None:
        self._write(lambda: self.configuration.write_array(name, array), resolve)

    def _write(self, write: Callable[[], list[str]], resolve: Resolve) -> None:
        if self.state != "idle":
            resolve(Refused(404 if self.state == "na" else 409, f"not in state {self.state}"))
            return
        try:
            resolve(write())
        except Refused as refused:
            resolve(refused)

    def command(self, command: str, argument: object, resolve: Resolve) -> None:
        self.commands.append((command, argument))
        if command == "trigger":
            self.triggered.put_nowait(resolve)
            return
        if command == "arm":
            self.number += 1
        resolve({"sequence id": self.number} if command in ("arm", "disarm", "cancel", "abort") else {})

    def answer_later(self, delay_s: float, resolve: Resolve) -> None:
        resolve({})

    def restart(self, resolve: Resolve) -> None:
        self.commands.append(("restart", None))
        self.state = "na"
        resolve({})


class FakeStream:
    state = "ready"
    dropped = 0

    def __init__(self) -> None:
        self.told: list[str] = []

    def configured(self) -> None:
        self.told.append("configured")

    def initialize(self) -> None:
        self.told.append("initialize")


class FakeFiles:
    state = "ready"
    buffer_free = 1 << 30

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.error: Sequence[str] = []

    def names(self) -> Sequence[str]:
        return sorted(path.name for path in self._folder.glob("*.h5"))

    def path(self, name: str) -> Path | None:
        return self._folder / name if name in self.names() else None

    def delete(self, name: str) -> bool:
        path = self.path(name)
        if path is not None:
            path.unlink()
        return path is not None

    def clear(self) -> None:
        for name in self.names():
            self.delete(name)

    def initialize(self) -> None:
        self.error = []


class FakeMonitor:
    state = "normal"
    dropped = 0
    buffer_free = 1000

    def __init__(self) -> None:
        self.images: list[tuple[int, int, bytes]] = []
        self.arrived = asyncio.Event()
        self.told: list[str] = []

    def add(self, series: int, image: int, tiff: bytes) -> None:
        self.images.append((series, image, tiff))
        self.arrived.set()

    @property
    def fill_level(self) -> tuple[int, int]:
        return len(self.images), 100

    @property
    def next_image(self) -> tuple[int, int] | None:
        return self.images[0][:2] if self.images else None

    @property
    def newest_image(self) -> tuple[int, int] | None:
        return self.images[-1][:2] if self.images else None

    def listing(self) -> Sequence[tuple[int, Sequence[int]]]:
        series = sorted({image[0] for image in self.images})
        return [(number, [image[1] for image in self.images if image[0] == number]) for number in series]

    def newest(self) -> bytes | None:
        return self.images[-1][2] if self.images else None

    def take_next(self) -> bytes | None:
        return self.images.pop(0)[2] if self.images else None

    def get(self, series: int, image: int, threshold: int | None) -> bytes | None:
        found = [tiff for number, index, tiff in self.images if (number, index) == (series, image)]
        return found[0] if found and threshold in (None, 1) else None

    def configured(self) -> None:
        self.told.append("configured")

    def clear(self) -> None:
        self.images.clear()

    def initialize(self) -> None:
        self.clear()


class FakeUnit:
    """All of it. Build it where an event loop runs."""

    def __init__(self, folder: Path, model: Model) -> None:
        self.configuration = DetectorConfiguration(model, NoImages())
        self.detector = FakeDetector(self.configuration)
        self.stream, self.files, self.monitor = FakeStream(), FakeFiles(folder), FakeMonitor()
        self.settings = StreamSettings({"mode": "enabled"})
        self.filewriter, self.monitored = FilewriterSettings(), MonitorSettings()
        self.faults = FaultBoard("dcu", API_FAULTS)
        self.log = ConformanceLog(folder / "conformance.jsonl", lambda: EPOCH_NS)
        self.drop: Callable[[tuple[str, int]], None] = print
        parts = Parts(
            self.detector,
            self.configuration,
            self.stream,
            self.settings,
            self.files,
            self.filewriter,
            self.monitor,
            self.monitored,
            SystemSettings(model),
        )
        self.app = RestInterface(
            parts, self.faults, self.log, lambda: EPOCH_NS, ask, lambda client: self.drop(client)
        )


async def ask(request: Callable[[Resolve], None]) -> Answer:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    request(future.set_result)
    return await future


@pytest.fixture
async def make_unit(tmp_path: Path) -> AsyncIterator[Callable[[Model], FakeUnit]]:
    """Builds control units of any model; their logs are closed afterwards."""
    made: list[FakeUnit] = []

    def make(model: Model) -> FakeUnit:
        made.append(FakeUnit(tmp_path, model))
        return made[-1]

    yield make
    for unit in made:
        unit.log.close()


@pytest.fixture
async def unit(make_unit: Callable[[Model], FakeUnit]) -> FakeUnit:
    """A small one."""
    return make_unit(SMALL)


@pytest.fixture
async def client(unit: FakeUnit) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the small one, without a socket."""
    transport = httpx.ASGITransport(app=unit.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dcu") as client:
        yield client


@pytest.fixture
async def address(unit: FakeUnit) -> AsyncIterator[str]:
    """Where the small one serves on a real socket."""
    server = HttpServer("dcu", unit.app, transcript=Transcript(None, lambda: 0))
    unit.drop = server.drop
    yield await server.start()
    await server.stop()
