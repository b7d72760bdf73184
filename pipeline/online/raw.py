"""The raw branch: one module's raw trains as they come, or all modules combined by train id, for live viewers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipeline.config import PipelineTable
from pipeline.control.device import Device, Property
from pipeline.errors import SettingRejected
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
from pipeline.online.preview import Preview
from pipeline.online.rooms import Rooms

MAX_WAITING: Final = 2
"""Raw trains that wait for modules hold receive slots: few may."""
REFRESH_TRAINS: Final = 10
"""While nobody takes what waits for a client, one train in ten replaces it: what a client gets is no more than two
seconds old, and a copy of each train for nobody is saved."""


class RawBranch:
    """From the splitter's raw output to the raw bridge."""

    def __init__(self, table: PipelineTable, train_clock: TrainClock, modules: int) -> None:
        self._table, self._train_clock, self._modules = table, train_clock, modules
        self.combined = table.bridge.raw_combined
        self.module = table.modules[0] if table.bridge.raw_module is None else table.bridge.raw_module
        self.axes, self.keys = table.bridge.axes, table.bridge.keys
        self._rooms = Rooms()
        self._offered = 0
        self.bridge = BridgeServer("bridge.raw", table.bridge.mode, table.bridge.raw_port)
        matcher = Matcher[ModuleTrain](
            len(table.modules),
            table.matcher.min_modules,
            table.matcher.deadline_s,
            train_clock,
            MAX_WAITING,
        )
        matcher.mandatory = frozenset(table.matcher.mandatory_modules)
        self.preview = Preview(table.detector, table.type, table.preview)
        self.output = OutputStage[ModuleTrain]("raw output", matcher, [self._serve_combined, self._show])

    def start(self) -> str:
        """Start; the bridge's address. Raises AddressInUse, SettingRejected."""
        if self.combined and self._table.preview.enabled:
            self.preview.prepare()
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
        if self.combined or train.module != self.module:
            return
        if not self.bridge.wanted and abs(train.train_id - self._offered) < REFRESH_TRAINS:
            return
        self._offered = train.train_id
        name, content = raw_source(
            self._table.detector,
            train,
            self._table.bridge.raw_layout,
            keys=self.keys,
            room_of=self._rooms.take,
        )
        self._publish(name, content, train.train_id, self._train_clock.unix_ns(train.train_id))

    def submit(self, part: ModuleTrain) -> None:
        """Take a module's part of a train that is to be combined; releases it."""
        self.output.submit(part)

    def device(self, modules: Sequence[int]) -> Device:
        """What the control system sees: the RAW appender."""

        def set_axes(value: str) -> None:
            if value not in ("file", "online"):
                raise SettingRejected("axes", value, "file or online")
            self.axes = "file" if value == "file" else "online"

        def set_keys(value: list[str]) -> None:
            self.keys = tuple(str(key) for key in value)

        more = [
            Property("combined", "all modules, or one as it comes", lambda: self.combined, type=bool),
            Property("module", "the one", lambda: self.module, type=int),
            Property("axes", "of all modules combined: file or online", lambda: self.axes, set_axes),
            Property("keys", "that are sent; none: all", lambda: list(self.keys), set_keys, list),
            Property("bridge", "requests and trains", lambda: dict(self.bridge.counters), type=dict),
        ]
        return output_device("raw_appender", self.output, modules, more)

    def _serve_combined(self, train: MatchedTrain[ModuleTrain]) -> None:
        name, content = combined_raw_source(
            self._table.detector,
            train,
            self._modules,
            online_axes=self.axes == "online",
            layout=self._table.bridge.raw_layout,
            keys=self.keys,
            room_of=self._rooms.take,
        )
        self._publish(name, content, train.train_id, train.timestamp_ns)

    def _show(self, train: MatchedTrain[ModuleTrain]) -> None:
        self.preview.take(train)

    def _publish(self, name: str, content: dict[str, Any], train_id: int, timestamp_ns: int) -> None:
        metadata = train_metadata(name, train_id, timestamp_ns)
        self.bridge.publish(serialize({name: content}, {name: metadata}, self._table.bridge.protocol))
