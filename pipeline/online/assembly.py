"""The online pipeline put together: acquisition, splitter and what follows, and the control devices over them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pipeline.config import PipelineTable
from pipeline.constants import AgipdConditions
from pipeline.control.app import control_app
from pipeline.control.device import Device, Property, Registry, Slot, State
from pipeline.control.server import ControlServer
from pipeline.daq.acquisition import Acquisition, Aggregator
from pipeline.daq.rawfile import OperatingConditions
from pipeline.daq.recording import RecordingPlan
from pipeline.daq.xtdf import FORMATS
from pipeline.errors import SettingRejected
from pipeline.model import ModuleTrain, TrainClock
from pipeline.online.bridge import BridgeServer
from pipeline.online.bridge_messages import raw_source, serialize, train_metadata
from pipeline.online.corrected import CorrectedBranch
from pipeline.online.splitter import Splitter

CORRECTION_TIMEOUT_S: Final = 10.0
CORRECTION_POLL_S: Final = 0.005


class OnlinePipeline:
    """All stages of one detector, from the sockets to the outputs.

    data_dir    folder of the bench; runs are written below it
    endpoints   addresses of others, e.g. `caldb.rest`
    token       what a request for a change must bear

    Raises AddressInUse when an address is taken.
    """

    def __init__(
        self,
        table: PipelineTable,
        data_dir: Path,
        endpoints: Mapping[str, Any],
        train_clock: TrainClock,
        token: str,
    ) -> None:
        self._table, self._train_clock = table, train_clock
        self._proposal_folder = data_dir / table.instrument / table.cycle / f"p{table.proposal:06d}"
        self.splitter = Splitter(
            table.memory_cells, table.splitter.pulse_filter, table.splitter.every_nth_train
        )
        plan = RecordingPlan(
            detector=table.detector,
            form=FORMATS[table.type],
            modules=table.modules,
            control_prefix=table.control_prefix,
            proposal=table.proposal,
            sequence_trains=table.daq.sequence_trains,
            train_clock=train_clock,
        )
        self.daq = Acquisition(plan, table.memory_cells, table.daq, self._raw_folder, self._on_train)
        self.corrected = CorrectedBranch(table, endpoints, train_clock, self._proposal_folder / "proc")
        self.raw_bridge = BridgeServer("bridge.raw", table.bridge.mode, table.bridge.raw_port)
        devices = [self._daq_device(), self._splitter_device(), *self.corrected.devices()]
        self.registry = Registry(devices)
        self._control = ControlServer(control_app(self.registry, token), port=table.control_port)

    def start(self) -> dict[str, str]:
        """Start all stages, the last ones first; endpoints by name."""
        bridges = {"bridge.corrected": self.corrected.start(), "bridge.raw": self.raw_bridge.start()}
        self.daq.start()
        addresses = {f"daq.{module}": address for module, address in self.daq.addresses.items()}
        addresses["pipeline"] = self._control.start()
        return addresses | bridges

    def stop(self) -> None:
        """Drain and stop all stages, first stage first; may be called twice."""
        self.daq.stop()
        self.corrected.stop()
        self.raw_bridge.stop()
        self._control.stop()

    def _raw_folder(self, run: int) -> Path:
        return self._proposal_folder / "raw" / f"r{run:04d}"

    def _on_train(self, train: ModuleTrain) -> None:
        if train.module == self._table.modules[0] and self.raw_bridge.wanted:
            name, content = raw_source(self._table.detector, train)
            metadata = train_metadata(name, train.train_id, self._train_clock.unix_ns(train.train_id))
            self.raw_bridge.publish(serialize({name: content}, {name: metadata}))
        part = self.splitter.split(train)
        if part is not None:
            self.corrected.submit(part)

    def _let_correction_finish(self) -> None:
        """The end of a run can set free a train that was held back: it belongs to the corrected run too."""
        pause = threading.Event()
        for _ in range(round(CORRECTION_TIMEOUT_S / CORRECTION_POLL_S)):
            if not self.corrected.busy:
                return
            pause.wait(CORRECTION_POLL_S)

    def _daq_device(self) -> Device:
        daq, table = self.daq, self._table

        def state() -> State:
            match daq.aggregator:
                case Aggregator.IGNORE:
                    return State.PASSIVE
                case Aggregator.ERROR:
                    return State.ERROR
            return State.ACTIVE

        def record(
            run: int, run_type: str = "", conditions: dict[str, Any] | None = None, replace: bool = False
        ) -> dict[str, str]:
            folder = daq.record(run, run_type, operating_conditions(table, conditions or {}), replace)
            return {"folder": str(folder)}

        def monitor() -> dict[str, str]:
            daq.monitor()
            return {"aggregator": daq.aggregator.value}

        def stop() -> dict[str, int]:
            trains = daq.end_run()
            self._let_correction_finish()
            return {"trains": trains}

        def idle() -> dict[str, Any]:
            received = {str(module): count for module, count in daq.trains_received.items()}
            # Upstream first: what leaves one stage is in the next before it is gone from the first.
            is_idle = daq.quiet() and not self.corrected.busy
            return {"idle": is_idle, "last_train_id": daq.last_train_id, "trains_received": received}

        return Device(
            "daq",
            state,
            [
                Property("aggregator", "IGNORE, MONITOR, RECORD or ERROR", lambda: daq.aggregator.value),
                Property("problem", "why the state is ERROR", lambda: daq.problem),
                Property("problems", "what went wrong since monitor or record", daq.problems),
                Property("last_train_id", "highest usable train id", lambda: daq.last_train_id),
                Property("trains_received", "by module", lambda: _by_text(daq.trains_received)),
                Property("flags", "what was wrong with trains, by module", lambda: _by_text(daq.flags)),
                Property("counters", "of all modules together", lambda: dict(daq.counters)),
                Property("links", "datagram counters by module", lambda: _by_text(daq.counters_by_module())),
                Property(
                    "free_slots", "receive slots not in use, by module", lambda: _by_text(daq.free_slots())
                ),
                Property("record_queue", "between receiver and writer", daq.queue_counters),
                Property("recording", "the recording under way, or the last one", lambda: recording(daq)),
            ],
            [
                Slot("monitor", "pass trains on without recording", monitor),
                Slot("record", "record a run", record),
                Slot("stop", "end the recording and ignore what comes", stop),
                Slot("idle", "whether all that was sent has been taken in", idle, exclusive=False),
            ],
        )

    def _splitter_device(self) -> Device:
        splitter = self.splitter

        def set_filter(text: str) -> None:
            splitter.pulse_filter = text

        def set_stride(value: int) -> None:
            splitter.every_nth_train = value

        return Device(
            "splitter",
            lambda: State.ACTIVE,
            [
                Property("pulse_filter", "frames that go on", lambda: splitter.pulse_filter, set_filter),
                Property(
                    "every_nth_train", "trains that go on", lambda: splitter.every_nth_train, set_stride, int
                ),
                Property("status", "whether the data fit the settings", splitter.status),
                Property("counters", "trains passed and not", splitter.describe),
            ],
        )


def operating_conditions(table: PipelineTable, given: Mapping[str, Any]) -> OperatingConditions:
    """Conditions of the table, replaced by those that are given. Raises SettingRejected on a name that is none."""
    values: dict[str, Any] = {
        **asdict(
            AgipdConditions.from_properties(
                {"acquisition_rate_mhz": 1.1, **table.conditions.given, "memory_cells": table.memory_cells}
            )
        )
    }
    del values["source_energy_kev"]
    for name, value in given.items():
        if name not in values:
            raise SettingRejected("conditions", name, f"one of {', '.join(values)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingRejected(f"conditions.{name}", value, "a number")
        values[name] = type(values[name])(value)
    return OperatingConditions(**values)


def recording(daq: Acquisition) -> dict[str, Any]:
    """The recording under way, or the last one: folder, trains written, what was missing."""
    recorder = daq.recorder
    if recorder is None:
        return {}
    writer = recorder.writer
    return {
        "run": writer.run,
        "folder": str(writer.folder),
        "trains": writer.trains_written,
        **recorder.counters,
    }


def _by_text(values: Mapping[int, Any]) -> dict[str, Any]:
    """JSON objects have texts as keys."""
    return {str(key): dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
