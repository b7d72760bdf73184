"""From a bench file's table to the addresses of a control unit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sim.dectris.api.app import Parts, RestInterface
from sim.dectris.building import configured, detector_model, sensor_of
from sim.dectris.configuration import FilewriterSettings, MonitorSettings, StreamSettings, SystemSettings
from sim.dectris.conformance import ConformanceLog
from sim.dectris.door import Door
from sim.dectris.fault_specs import UNIT_FAULTS
from sim.dectris.filewriter import FileWriterSink
from sim.dectris.images.tables import image_source
from sim.dectris.monitor import MonitorSink
from sim.dectris.rendering import Renderer
from sim.dectris.stream import Policy, StreamOptions, StreamSink
from sim.dectris.table import DcuTable, ExternalTable
from sim.dectris.unit.control import ControlUnit
from sim.dectris.unit.delivery import Delivery
from sim.dectris.unit.pulses import ExternalLine, Generator, PulsesRefused
from sim.dectris.unit.surroundings import Behaviour
from sim.dectris.unit.trigger_line import Pull, PulsesWanted, TriggerServer
from sim.dectris.unit.trigger_rest import TriggerRest
from sim.dectris.unit.truth_files import TruthFiles
from sim.kernel import NS_PER_S, Problem, Server, Surroundings
from sim.kernel.http import HttpServer

_AT_ONCE: Final = frozenset(fault.name for fault in UNIT_FAULTS) - {"early_end"}


class ApiServer:
    """The REST address. Brings the unit onto the clock when it starts, and ends what has no address of its own."""

    def __init__(
        self,
        http: HttpServer,
        door: Door,
        unit: ControlUnit,
        closes: Sequence[Callable[[], None]],
        problems: Callable[[], Sequence[Problem]],
    ) -> None:
        self._http, self._door, self._unit, self._closes, self._problems = http, door, unit, closes, problems

    async def start(self) -> str:
        """Bind; from now on simulated time passes for the unit. Raises AddressTaken."""
        self._door.open(self._unit)
        return await self._http.start()

    async def stop(self) -> None:
        """Answer what waits, and close."""
        await self._door.close()
        await self._http.stop()
        await asyncio.gather(*(asyncio.to_thread(close) for close in self._closes))

    def problems(self) -> Sequence[Problem]:
        """Those of the parts without an address."""
        return self._problems()


class _Builder:
    """Puts one control unit together."""

    def __init__(self, around: Surroundings, table: DcuTable) -> None:
        self._around, self._table = around, table
        self._door = Door(around.clock)
        self._own_folder: Path = around.data_dir / around.name
        model = detector_model(around.name, table)
        self._source = image_source(
            around.name, table.frames, sensor_of(model), seed=around.seed, serial=model.serial
        )
        self._config = configured(around.name, model, self._source, table)
        self._model = self._config.model
        self._stream_settings = StreamSettings({"mode": table.stream_mode, "format": table.stream_format})
        self._filewriter_settings, self._monitor_settings = FilewriterSettings(), MonitorSettings()
        self._log = ConformanceLog(self._own_folder / "conformance.jsonl", around.clock.unix_ns)
        self._stream = StreamSink(
            around.name,
            self._stream_settings,
            around.faults,
            around.transcript,
            room_made=self._door.soon,
            options=StreamOptions(Policy(table.policy), table.queue, table.stream_port, table.stream2_port),
            note=lambda peer, what: self._door.in_loop(lambda: self._log.note(peer, what)),
            now=self._now,
        )
        self._files = FileWriterSink(
            around.name,
            self._own_folder / "files",
            self._filewriter_settings.registry.values,
            around.faults,
            self._now,
            buffer_bytes=table.file_buffer_bytes,
        )
        self._monitor = MonitorSink(self._monitor_settings.registry.values)
        self._truth = TruthFiles(around.name, self._own_folder / "truth", self._now)

    def servers(self) -> Mapping[str, Server]:
        """The addresses; `api` last, with which the unit begins to live."""
        around, table = self._around, self._table
        line: ExternalLine | Generator
        if isinstance(table.triggers, ExternalTable):
            line = ExternalLine()
        else:
            line = Generator(table.triggers.rhythm(), around.seed, self._model.serial)
        unit = self._unit(line)
        pull = self._pull_of(line)
        trigger = TriggerServer(
            around.name,
            pull,
            lambda: " ".join(f"{name}={number}" for name, number in _counters(unit).items()),
            port=table.trigger_port,
            transcript=around.transcript,
        )
        return {**self._stream.servers(), "trigger": trigger, "api": self._api(unit, pull)}

    def _unit(self, line: ExternalLine | Generator) -> ControlUnit:
        around, table = self._around, self._table
        behaviour = Behaviour(
            seed=around.seed,
            serial=self._model.serial,
            epoch_unix_ns=around.clock.epoch_unix_ns,
            starts_idle=table.boot == "idle",
            initialize_ns=round(table.initialize_s * NS_PER_S),
            arm_ns=round(table.arm_s * NS_PER_S),
            has_high_voltage=bool(self._model.high_voltage),
        )
        render = Renderer(
            self._config,
            self._source,
            in_thread=around.clock.follows_wall,
            later=self._door.soon,
        )
        delivery = Delivery((self._stream, self._files, self._monitor, self._truth))
        unit = ControlUnit(
            behaviour, self._config, render, delivery, line, around.faults, forget=self._forget
        )
        # These do not wait for something that happens anyway: they are what happens.
        around.faults.watch(lambda name: self._door.soon(_nothing) if name in _AT_ONCE else None)
        return unit

    def _api(self, unit: ControlUnit, pull: Pull) -> ApiServer:
        around = self._around
        parts = Parts(
            detector=unit,
            configuration=self._config,
            stream=self._stream,
            stream_settings=self._stream_settings,
            files=self._files,
            filewriter_settings=self._filewriter_settings,
            monitor=self._monitor,
            monitor_settings=self._monitor_settings,
            system_settings=SystemSettings(self._model),
        )
        self._rest = RestInterface(
            parts,
            around.faults,
            self._log,
            around.clock.unix_ns,
            self._door.ask,
            lambda client: http.drop(client),
        )
        app = TriggerRest(self._rest, pull, lambda: _counters(unit))
        http = HttpServer(around.name, app, port=self._table.api_port, transcript=around.transcript)
        closes = (self._files.close, self._truth.close, self._log.close)

        def problems() -> Sequence[Problem]:
            own = (Problem(around.name, at, text) for at, text in unit.problems)
            return (*own, *self._files.problems(), *self._truth.problems())

        return ApiServer(http, self._door, unit, closes, problems)

    def _pull_of(self, line: ExternalLine | Generator) -> Pull:
        async def pull(wanted: PulsesWanted) -> None:
            if isinstance(line, Generator):
                raise PulsesRefused(
                    'this unit\'s triggers come from its generator; write triggers = { source = "external" }'
                )
            await self._door.do(lambda now: line.add(wanted.train(now)))

        return pull

    def _forget(self) -> None:
        """At a restart of the service nothing more leaves, no end message either."""
        self._stream.forget()
        self._rest.forget()

    def _now(self) -> int:
        return self._around.clock.now


def _counters(unit: ControlUnit) -> dict[str, int]:
    return {"missed": unit.all_missed_triggers, "ignored": unit.ignored_triggers}


def _nothing() -> None:
    """Advancing is all that is wanted."""


def build_unit(around: Surroundings, table: DcuTable) -> Mapping[str, Server]:
    """The control unit's servers: `stream`, `stream2`, `trigger` and `api`. Raises ConfigurationRejected."""
    return _Builder(around, table).servers()
