"""The device kind `dcu`: from a bench file's table to the two servers of a control unit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sim.dectris import profile
from sim.dectris.couplings import consequences
from sim.dectris.delivery import Delivery
from sim.dectris.frames import FileFrames, FrameSource, SyntheticFrames
from sim.dectris.keys import Key, Registry
from sim.dectris.old_unit import Answer, Behaviour, ControlUnit, Resolve
from sim.dectris.outbox import Outbox, Policy
from sim.dectris.refusal import Refused
from sim.dectris.rest import RestInterface
from sim.dectris.single_stream import StreamServer
from sim.errors import ConfigurationRejected
from sim.kernel import NS_PER_S, DeviceKind, FaultSpec, Problem, Server, Surroundings
from sim.kernel.clock import Attached
from sim.kernel.http import HttpServer


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SyntheticTable(_Table):
    """`frames = {source = "synthetic", …}`: deterministic diffraction-like pictures."""

    source: Literal["synthetic"] = "synthetic"
    width: Annotated[int, Field(ge=16, le=4150)] = 514
    height: Annotated[int, Field(ge=16, le=4371)] = 514
    bit_depth: Literal[8, 16, 32] = 16


class FilesTable(_Table):
    """`frames = {source = "files", …}`: recorded data files, replayed in order, again and again."""

    source: Literal["files"]
    files: Annotated[list[str], Field(min_length=1)]
    """Paths or glob patterns of `*_data_*.h5`; each pattern's files in the order of their names."""


class DcuTable(_Table):
    """`[sim.devices.NAME]` with `kind = "dcu"`: one DECTRIS control unit."""

    frames: Annotated[SyntheticTable | FilesTable, Field(discriminator="source")] = SyntheticTable()
    description: str = "Dectris EIGER2 Si 500K"
    serial: str = "E-08-0100"
    boot: Literal["idle", "na"] = "idle"
    """na: as hardware, nothing works before `initialize`. idle: initialized at start."""
    policy: Literal["block", "drop"] = "block"
    """When the queue is full: block holds the acquisition, drop loses images as hardware does."""
    queue: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Messages that wait for receivers."""
    api_port: Annotated[int, Field(ge=0, le=65535)] = 0
    stream_port: Annotated[int, Field(ge=0, le=65535)] = 0
    stream_mode: Literal["enabled", "disabled"] = "enabled"
    """Stream mode at start; the vendor's default is disabled."""
    initialize_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    arm_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    electrical_delay_s: Annotated[float, Field(ge=0, le=3600)] = 0.1
    """External trigger modes: from arm to the first electrical trigger."""
    electrical_period_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    config: dict[str, bool | int | float | str] = {}
    """Defaults of detector keys, e.g. `photon_energy = 12400.0`; they stand in the start message."""


FAULTS = (
    FaultSpec("drop_frame", "An image is made but its message is not sent.", "missing of the series summary"),
    FaultSpec("duplicate_frame", "An image's message is sent twice.", "duplicates of the series summary"),
    FaultSpec(
        "reorder_frames", "An image is sent after the one that follows it.", "reordered of the series summary"
    ),
    FaultSpec(
        "wrong_series",
        "An image carries another series number.",
        "wrong_series and missing of the series summary",
        {"offset": 1},
    ),
    FaultSpec("missing_end", "The end message is not sent.", "ended of the series summary is false"),
    FaultSpec(
        "late_end",
        "The end message comes late.",
        "end_delay_s of the series summary",
        {"delay_s": 2.0},
    ),
    FaultSpec(
        "early_end", "The series ends in place of an image.", "missing of the series summary, state idle"
    ),
    FaultSpec(
        "corrupt_blob",
        "16 bytes in the middle of an image's data are inverted.",
        "corrupt of the series summary",
    ),
    FaultSpec(
        "wrong_size",
        "The size that an image message tells is wrong.",
        "broken of the series summary",
        {"bytes": 1},
    ),
    FaultSpec(
        "http_error", "A request is answered with an error.", "CommandRefused at the client", {"status": 503}
    ),
    FaultSpec(
        "slow_http", "A request is answered late.", "ControlUnitUnreachable at the client", {"delay_s": 10.0}
    ),
)


class ApiServer:
    """The REST address; brings the unit onto the clock when it starts."""

    def __init__(self, around: Surroundings, unit: ControlUnit, port: int) -> None:
        self._around, self._unit, self._port = around, unit, port
        self._attached: Attached | None = None
        self._http: HttpServer | None = None
        self._open: set[asyncio.Future[Answer]] = set()

    def serve(self, interface: RestInterface) -> None:
        """Set what answers; before start."""
        self._http = HttpServer(
            self._around.name, interface.app(), port=self._port, transcript=self._around.transcript
        )

    async def start(self) -> str:
        """Bind; from now on simulated time passes for the unit. Raises AddressTaken."""
        assert self._http is not None, "started before serve"
        self._attached = self._around.clock.attach(self._unit)
        return await self._http.start()

    async def stop(self) -> None:
        """Answer what waits, and close."""
        for future in list(self._open):
            _settle(future, Refused(503, "the control unit is being switched off"))
        if self._http is not None:
            await self._http.stop()

    def problems(self) -> Sequence[Problem]:
        """Whatever goes wrong is answered to the client that caused it."""
        return ()

    async def ask(self, request: Callable[[Resolve], None]) -> Answer:
        """Put a request to the unit now, and wait for its answer."""
        assert self._attached is not None
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open.add(future)
        try:
            self._unit.submit(lambda: request(lambda answer: _settle(future, answer)))
            await self._attached.poke()
            return await future
        finally:
            self._open.discard(future)

    async def room_made(self) -> None:
        """Let the unit go on when it waits for room in the outbox."""
        if self._attached is not None and self._unit.waits_for_room:
            await self._attached.poke()


def _settle(future: asyncio.Future[Answer], answer: Answer) -> None:
    # The client may have gone away, and its request with it.
    if not future.done():
        future.set_result(answer)


def _source(around: Surroundings, table: DcuTable) -> FrameSource:
    if isinstance(table.frames, FilesTable):
        return FileFrames(around.name, table.frames.files)
    shape = (table.frames.height, table.frames.width)
    return SyntheticFrames(shape, np.dtype(f"u{table.frames.bit_depth // 8}"), around.seed, table.serial)


def _configured(around: Surroundings, table: DcuTable, keys: list[Key]) -> list[Key]:
    """The keys with the table's defaults and what follows from them. Raises ConfigurationRejected."""
    known = Registry(keys)
    for name, value in table.config.items():
        try:
            known.update(consequences(name, known.check(name, value), known.values()))
        except Refused as refused:
            raise ConfigurationRejected(around.name, f"config: {refused.reason}") from None
    return [replace(key, default=known[key.name]) for key in keys]


def build(around: Surroundings, table: DcuTable) -> Mapping[str, Server]:
    """The control unit's servers: `stream` and `api`."""
    source = _source(around, table)
    model = profile.Model(
        description=table.description,
        serial=table.serial,
        width=source.shape[1],
        height=source.shape[0],
        bit_depth=source.dtype.itemsize * 8,
        compression=source.compression,
        excluded_pixels=int(source.gaps.sum()),
    )
    config = Registry(_configured(around, table, profile.detector_config(model)))
    stream_config = Registry(profile.stream_config(table.stream_mode))
    outbox = Outbox(Policy(table.policy), table.queue)
    delivery = Delivery(outbox, source, stream_config, around.faults)
    behaviour = Behaviour(
        seed=around.seed,
        serial=table.serial,
        epoch_unix_ns=around.clock.epoch_unix_ns,
        starts_idle=table.boot == "idle",
        initialize_ns=round(table.initialize_s * NS_PER_S),
        arm_ns=round(table.arm_s * NS_PER_S),
        electrical_delay_ns=round(table.electrical_delay_s * NS_PER_S),
        electrical_period_ns=round(table.electrical_period_s * NS_PER_S),
    )
    unit = ControlUnit(behaviour, config, delivery, around.faults)
    api = ApiServer(around, unit, table.api_port)
    registries = {
        ("detector", "config"): config,
        ("detector", "status"): Registry(profile.detector_status()),
        ("stream", "config"): stream_config,
        ("stream", "status"): Registry(profile.stream_status()),
    }
    api.serve(
        RestInterface(
            unit,
            registries,
            delivery.arrays,
            around.faults,
            dropped=lambda: outbox.dropped,
            unix_ns=around.clock.unix_ns,
            ask=api.ask,
        )
    )
    stream = StreamServer(
        around.name, outbox, port=table.stream_port, transcript=around.transcript, room_made=api.room_made
    )
    return {"stream": stream, "api": api}


KIND = DeviceKind(
    name="dcu",
    about="DECTRIS detector control unit: SIMPLON REST 1.8.0 and the legacy ZeroMQ stream",
    config=DcuTable,
    faults=FAULTS,
    build=build,
)
