"""Everything behind the splitter, put together: correction, matcher, appender, bridge, preview."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import PipelineTable
from pipeline.constants import Question
from pipeline.correct import recipe_of
from pipeline.daq.rates import Rate
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.appender import Appender
from pipeline.online.bridge import BridgeServer
from pipeline.online.bridge_messages import combined_source, serialize, train_metadata
from pipeline.online.constants_in_use import ConstantsInUse, Fetched
from pipeline.online.correction import CorrectionStage
from pipeline.online.gate import Gate
from pipeline.online.matcher import Matcher
from pipeline.online.output import OutputStage
from pipeline.online.preview import Preview
from pipeline.online.rooms import Rooms
from pipeline.online.splitter import Splitter


class CorrectedBranch:
    """From split module trains to corrected files and live viewers.

    folder    corrected runs are written below it
    splitter  is before this branch: what it lets through is told when it is too much
    data_dir  holds the constants' cache and log
    """

    def __init__(
        self,
        table: PipelineTable,
        endpoints: Mapping[str, Any],
        train_clock: TrainClock,
        folder: Path,
        splitter: Splitter,
        data_dir: Path,
    ) -> None:
        self.table, self._splitter = table, splitter
        self.arriving = Rate()
        """Module images that the splitter lets through."""
        self.matcher = Matcher[CorrectedModule](
            len(table.modules), table.matcher.min_modules, table.matcher.deadline_s, train_clock
        )
        self.appender = Appender(
            table.type,
            table.detector,
            table.modules,
            table.proposal,
            table.appender.sequence_trains,
            lambda run: folder / f"r{run:04d}",
        )
        self.bridge = BridgeServer("bridge.corrected", table.bridge.mode, table.bridge.corrected_port)
        self.matcher.mandatory = frozenset(table.matcher.mandatory_modules)
        correction = table.correction
        self.gate = Gate(
            correction.overload,
            correction.high_water_trains,
            correction.low_water_trains,
            lambda: len(self.matcher),
        )
        self.preview = Preview(table.detector, table.type, table.preview)
        self.preview_bridge = BridgeServer("bridge.preview", table.bridge.mode, table.bridge.preview_port)
        self.output = OutputStage[CorrectedModule](
            "output", self.matcher, [self.appender.write, self._serve, self._show], self.gate.begin_anew
        )
        depth = table.daq.online_queue_depth
        if correction.overload == "shed":  # the gate decides, before a queue is full
            depth = max(depth, correction.high_water_trains * len(table.modules))
        self.correction = CorrectionStage(
            depth,
            table.daq.online_policy,
            correction.threads,
            self._match,
            lambda train: self.gate.left(train.train_id),
        )
        self.every_nth_train = table.bridge.every_nth_train
        self._rooms = Rooms()
        self.axes, self.keys = table.bridge.axes, table.bridge.keys
        self._modules = 8 if "500K" in table.detector else 16
        self.settings = table.correction
        """What the next `load_constants` makes a recipe of."""
        self.serving = True
        """Whether trains go to the bridge."""
        self.showing = table.preview.enabled
        """Whether pictures are made."""
        self.constants = ConstantsInUse(table, endpoints, data_dir, lambda: self.settings)

    def start(self) -> dict[str, str]:
        """Start the stages, last first; the addresses of the bridges. Raises AddressInUse, SettingRejected."""
        if self.table.preview.enabled:
            self.preview.prepare()
        addresses = {
            "bridge.corrected": self.bridge.start(),
            "bridge.preview": self.preview_bridge.start(),
        }
        self.output.start()
        self.correction.start()
        return addresses

    def stop(self) -> None:
        """Drain and stop, first stage first; may be called twice."""
        self.correction.stop()
        self.output.stop()
        self.appender.stop_file()
        self.bridge.stop()
        self.preview_bridge.stop()

    def submit(self, part: ModuleTrain) -> None:
        """Take a module's split train; the gate decides whether its train goes on."""
        self.arriving.add(len(part.data))
        if not self.gate.admit(part.train_id):
            part.release()
            return
        self.correction.submit(part)

    def _match(self, part: CorrectedModule) -> None:
        """Give a corrected part to the matcher; when its memory is given back, it has left, whatever became of it."""
        give_back = part.release

        def leave() -> None:
            give_back()
            self.gate.left(part.train_id)

        part.release = leave
        self.output.submit(part)

    @property
    def busy(self) -> bool:
        """Whether a stage has work; upstream first."""
        return self.correction.busy or self.output.busy

    def load_constants(self, question: Question) -> Fetched:
        """Fetch and prepare what is in force at a moment. Raises ConstantMissing, CatalogueError and others."""
        recipe = recipe_of(self.settings, question.conditions)
        fetched, prepared = self.constants.fetch(recipe, question)
        self.correction.load(recipe, prepared, self.table.memory_cells)
        self.constants.use(fetched)
        return fetched

    def _serve(self, matched: MatchedTrain[CorrectedModule]) -> None:
        if not self.serving or matched.train_id % self.every_nth_train:
            return
        first = next(iter(matched.modules.values()))
        name, content = combined_source(
            self.table.detector,
            matched,
            self._modules,
            online_axes=self.axes == "online",
            keys=self.keys,
            room=self._rooms.take((len(first.data), self._modules, *first.data.shape[1:])),
        )
        self._publish(self.bridge, name, content, matched)

    def _show(self, matched: MatchedTrain[CorrectedModule]) -> None:
        picture = self.preview.take(matched) if self.showing else None
        if picture is not None:
            name = f"{self.table.detector}/CAL/PREVIEW"
            self._publish(self.preview_bridge, name, {"image.data": picture}, matched)

    def _publish(
        self, bridge: BridgeServer, name: str, content: dict[str, Any], train: MatchedTrain[CorrectedModule]
    ) -> None:
        metadata = train_metadata(name, train.train_id, train.timestamp_ns)
        bridge.publish(serialize({name: content}, {name: metadata}, self.table.bridge.protocol))

    def accounting(self) -> dict[str, int]:
        """Trains by what became of them, and module parts; see `Gate.accounting`.

        corrected  trains that were handed on, complete or not
        lost       trains that were admitted and left without being handed on; counters of stages say why
        """
        gate, out = self.gate.accounting(), self.output.counters["trains_out"]
        in_work = gate.pop("in_work")
        return {**gate, "corrected": out, "lost": max(0, gate["admitted"] - in_work - out)}

    def status(self) -> str:
        """One sentence: coupled, or what is asked for, what is held, and what to do."""
        if not self.gate.decoupled:
            return "coupled"
        comes, holds = self.arriving.per_second, self.correction.images.per_second
        times = max(2, math.ceil(comes / holds)) if holds else 2
        splitter = self._splitter
        frames = max(1, splitter.frames_passed // times)
        return (
            f"decoupled: {self.gate.in_work} trains in work, the oldest for {self.gate.oldest_s:.1f} s; "
            f"{comes:.0f} module images/s come and the correction holds {holds:.0f}. Let fewer through the splitter: "
            f"every_nth_train = {splitter.every_nth_train * times} or pulse_filter = range({frames})"
        )
