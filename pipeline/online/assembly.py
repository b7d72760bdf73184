"""The online pipeline put together: acquisition, splitter and what follows, and the control devices over them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pipeline.config import PipelineTable
from pipeline.constants import Conditions
from pipeline.control.app import control_app
from pipeline.control.device import Registry
from pipeline.control.server import ControlServer
from pipeline.daq.acquisition import Acquisition
from pipeline.daq.conditions import table_conditions
from pipeline.daq.control_sources import ControlSources
from pipeline.daq.recording import RecordingPlan
from pipeline.daq.slots import SharedRelease
from pipeline.daq.xtdf import FORMATS
from pipeline.model import ModuleTrain, TrainClock
from pipeline.online.corrected import CorrectedBranch
from pipeline.online.corrected_devices import corrected_devices
from pipeline.online.daq_device import daq_devices
from pipeline.online.feed import Feed
from pipeline.online.raw import RawBranch
from pipeline.online.splitter import Splitter
from pipeline.online.splitter_device import splitter_device

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
            table.memory_cells,
            table.splitter.pulse_filter,
            table.splitter.every_nth_train,
            table.conditions.acquisition_rate_mhz,
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
        self.slow = _control_sources(table, endpoints)
        self.daq = Acquisition(
            plan, table.memory_cells, table.daq, self._raw_folder, self._on_train, slow=self.slow
        )
        self.corrected = CorrectedBranch(
            table, endpoints, train_clock, self._proposal_folder / "proc", self.splitter, data_dir
        )
        self.raw = RawBranch(table, train_clock, 8 if "500K" in table.detector else 16)
        self.raw_splitter = Splitter(
            table.memory_cells, table.splitter.raw_pulse_filter, table.splitter.raw_every_nth_train
        )
        self.feed = (
            Feed(table.feed, table.detector, FORMATS[table.type], table.modules, self._on_train)
            if table.feed.address
            else None
        )
        devices = [
            *daq_devices(self.daq, self._conditions, self._idle, self._let_correction_finish),
            splitter_device("splitter", self.splitter, self._data_status, self._feed_counters),
            splitter_device("raw_splitter", self.raw_splitter, self.raw_splitter.status),
            self.raw.device(table.modules),
            *corrected_devices(self.corrected),
        ]
        self.registry = Registry(devices)
        self._control = ControlServer(
            control_app(self.registry, token, self.corrected.preview.png, self.raw.preview.png),
            port=table.control_port,
        )

    def start(self) -> dict[str, str]:
        """Start all stages, the last ones first; endpoints by name."""
        bridges = {**self.corrected.start(), "bridge.raw": self.raw.start()}
        if self.slow is not None:
            self.slow.start()
        self.daq.start()
        addresses = {f"daq.{module}": address for module, address in self.daq.addresses.items()}
        addresses["pipeline"] = self._control.start()
        if self.feed is not None:
            self.feed.start()
        return addresses | bridges

    def stop(self) -> None:
        """Drain and stop all stages, first stage first; may be called twice."""
        if self.feed is not None:
            self.feed.stop()
        self.daq.stop()
        if self.slow is not None:
            self.slow.stop()
        self.corrected.stop()
        self.raw.stop()
        self._control.stop()

    def _raw_folder(self, run: int) -> Path:
        return self._proposal_folder / "raw" / f"r{run:04d}"

    def _on_train(self, train: ModuleTrain) -> None:
        self.raw.look(train)
        to_raw = self.raw.wants_parts and self.raw_splitter.wants(train)
        if to_raw:
            # A copy of the container, not of the arrays: the recording may hold the train itself, and counts on the
            # release that it was given. One that changed under its hands would never give the slot back.
            train = replace(train, release=SharedRelease(train.release, 2))
            self._submit_raw(train)
        part = self.splitter.split(train)
        if part is not None:
            self.corrected.submit(part)

    def _submit_raw(self, train: ModuleTrain) -> None:
        part = self.raw_splitter.split(train)
        if part is not None:
            self.raw.submit(part)

    def _conditions(self, given: Mapping[str, Any]) -> Conditions:
        return table_conditions(self._table, given)

    def _idle(self) -> dict[str, Any]:
        received = {str(module): count for module, count in self.daq.trains_received.items()}
        # Upstream first: what leaves one stage is in the next before it is gone from the first.
        is_idle = self.daq.quiet() and not self.corrected.busy
        return {"idle": is_idle, "last_train_id": self.daq.last_train_id, "trains_received": received}

    def _let_correction_finish(self) -> None:
        """The end of a run can set free a train that was held back: it belongs to the corrected run too."""
        pause = threading.Event()
        for _ in range(round(CORRECTION_TIMEOUT_S / CORRECTION_POLL_S)):
            if not self.corrected.busy:
                return
            pause.wait(CORRECTION_POLL_S)

    def _feed_counters(self) -> dict[str, int]:
        return {} if self.feed is None else self.feed.describe()

    def _data_status(self) -> str:
        """One sentence: good, or whether data are malformed or the detector is not set as the table says."""
        bad, good = self.daq.unusable.per_second, self.daq.usable.per_second
        if bad:
            share = 100 * bad / (bad + good)
            return (
                f"{share:.0f} % of the module trains of the last five seconds are malformed; see daq.problems"
            )
        return self.splitter.status()


def _control_sources(table: PipelineTable, endpoints: Mapping[str, Any]) -> ControlSources | None:
    """Control sources where the bench has their endpoint, or the table an address of its own."""
    named = table.control_sources.endpoint
    address = named if named.startswith("tcp://") else endpoints.get(named)
    return ControlSources(str(address), table.control_sources.mode) if address else None
