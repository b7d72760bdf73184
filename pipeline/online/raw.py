"""The raw branch: one module's raw trains as they come, or all modules combined by train id, for live viewers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.config import PipelineTable
from pipeline.control.device import Device, Property
from pipeline.model import MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.bridge import BridgeServer
from pipeline.online.bridge_messages import (
    combined_raw_source,
    raw_source,
    serialize,
    train_metadata,
)
from pipeline.online.matcher import Matcher
from pipeline.online.output import OutputStage
from pipeline.online.output_device import output_device

MAX_WAITING: Final = 2
"""Raw trains that wait for modules hold receive slots: few may."""


class RawBranch:
    """From the splitter's raw output to the raw bridge."""

    def __init__(self, table: PipelineTable, train_clock: TrainClock, modules: int) -> None:
        self._table, self._train_clock, self._modules = table, train_clock, modules
        self.combined = table.bridge.raw_combined
        self.module = table.modules[0] if table.bridge.raw_module is None else table.bridge.raw_module
        self.bridge = BridgeServer("bridge.raw", table.bridge.mode, table.bridge.raw_port)
        matcher = Matcher[ModuleTrain](
            len(table.modules),
            table.matcher.min_modules,
            table.matcher.deadline_s,
            train_clock,
            MAX_WAITING,
        )
        matcher.mandatory = frozenset(table.matcher.mandatory_modules)
        self.output = OutputStage[ModuleTrain]("raw output", matcher, [self._serve_combined])

    def start(self) -> str:
        """Start; the bridge's address. Raises AddressInUse."""
        address = self.bridge.start()
        self.output.start()
        return address

    def stop(self) -> None:
        """Drain and stop; may be called twice."""
        self.output.stop()
        self.bridge.stop()

    @property
    def wants_parts(self) -> bool:
        """Whether parts of trains are combined."""
        return self.combined and self.output.running

    def look(self, train: ModuleTrain) -> None:
        """A module's train as it comes: serve it, if it is of the module that is wanted and somebody may take it."""
        if self.combined or train.module != self.module or not self.bridge.wanted:
            return
        name, content = raw_source(self._table.detector, train, self._table.bridge.raw_layout)
        metadata = train_metadata(name, train.train_id, self._train_clock.unix_ns(train.train_id))
        self.bridge.publish(serialize({name: content}, {name: metadata}, self._table.bridge.protocol))

    def submit(self, part: ModuleTrain) -> None:
        """Take a module's part of a train that is to be combined; releases it."""
        self.output.submit(part)

    def device(self, modules: Sequence[int]) -> Device:
        """What the control system sees: the RAW appender."""
        more = [
            Property("combined", "all modules, or one as it comes", lambda: self.combined, type=bool),
            Property("module", "the one", lambda: self.module, type=int),
            Property("bridge", "requests and trains", lambda: dict(self.bridge.counters), type=dict),
        ]
        return output_device("raw_appender", self.output, modules, more)

    def _serve_combined(self, train: MatchedTrain[ModuleTrain]) -> None:
        bridge = self._table.bridge
        name, content = combined_raw_source(
            self._table.detector,
            train,
            self._modules,
            online_axes=bridge.axes == "online",
            layout=bridge.raw_layout,
        )
        metadata = train_metadata(name, train.train_id, train.timestamp_ns)
        self.bridge.publish(serialize({name: content}, {name: metadata}, bridge.protocol))
