"""Everything behind the splitter, put together: correction, matcher, appender, bridge, and their control devices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.config import PipelineTable
from pipeline.constants import Question, conditions_of
from pipeline.constants.model import begins_of
from pipeline.control.device import Device, Property, Slot, State
from pipeline.correct import recipe_of
from pipeline.daq.rates import Rate
from pipeline.errors import NotInThisState, SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.appender import Appender
from pipeline.online.bridge import BridgeServer, Rooms
from pipeline.online.bridge_messages import combined_source, serialize, train_metadata
from pipeline.online.constants_in_use import ConstantsInUse, Fetched
from pipeline.online.correction import CorrectionStage
from pipeline.online.gate import Gate
from pipeline.online.matcher import Matcher
from pipeline.online.output import OutputStage
from pipeline.online.output_device import output_device
from pipeline.online.preview import Preview
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
        self._table, self._splitter = table, splitter
        self.constants = ConstantsInUse(table, endpoints, data_dir)
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
        self.gate = Gate(correction.overload, correction.high_water_trains, correction.low_water_trains)
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
        self._every_nth = table.bridge.every_nth_train
        self._rooms = Rooms()
        self._axes, self._keys = table.bridge.axes, table.bridge.keys
        self._modules = 8 if "500K" in table.detector else 16

    def start(self) -> dict[str, str]:
        """Start the stages, last first; the addresses of the bridges. Raises AddressInUse, SettingRejected."""
        if self._table.preview.enabled:
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

    def devices(self) -> list[Device]:
        """What the control system sees."""
        return [
            self._correction_device(),
            output_device("matcher", self.output, self._table.modules),
            self._appender_device(),
            self._bridge_device(),
            self._preview_device(),
            self._pipeline_device(),
        ]

    def load_constants(self, question: Question) -> Fetched:
        """Fetch and prepare what is in force at a moment. Raises ConstantMissing, CatalogueError and others."""
        recipe = recipe_of(self._table.correction, question.conditions)
        fetched, prepared = self.constants.fetch(recipe, question)
        self.correction.load(recipe, prepared, self._table.memory_cells)
        self.constants.use(fetched)
        return fetched

    def _serve(self, matched: MatchedTrain[CorrectedModule]) -> None:
        if matched.train_id % self._every_nth:
            return
        first = next(iter(matched.modules.values()))
        name, content = combined_source(
            self._table.detector,
            matched,
            self._modules,
            online_axes=self._axes == "online",
            keys=self._keys,
            room=self._rooms.take((len(first.data), self._modules, *first.data.shape[1:])),
        )
        self._publish(self.bridge, name, content, matched)

    def _show(self, matched: MatchedTrain[CorrectedModule]) -> None:
        picture = self.preview.take(matched)
        if picture is not None:
            name = f"{self._table.detector}/CAL/PREVIEW"
            self._publish(self.preview_bridge, name, {"image.data": picture}, matched)

    def _publish(
        self, bridge: BridgeServer, name: str, content: dict[str, Any], train: MatchedTrain[CorrectedModule]
    ) -> None:
        metadata = train_metadata(name, train.train_id, train.timestamp_ns)
        bridge.publish(serialize({name: content}, {name: metadata}, self._table.bridge.protocol))

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

    def _correction_device(self) -> Device:
        stage = self.correction

        def state() -> State:
            if stage.problem:
                return State.ERROR
            return State.ACTIVE if stage.ready else State.PASSIVE

        def load_constants(
            event_at: str, conditions: dict[str, Any], selection: str = "", snapshot_at: str = ""
        ) -> dict[str, Any]:
            stated = conditions_of(self._table.type, conditions)
            used = self.load_constants(self.constants.question(stated, event_at, selection, snapshot_at))
            begins = begins_of(used.versions)
            return {"constants": begins, "versions": len(used.versions), "source": used.as_json()}

        def unload() -> dict[str, Any]:
            stage.unload()
            self.constants.forget()
            return {}

        return Device(
            "correction",
            state,
            [
                Property(
                    "steps",
                    "taken in their fixed order",
                    lambda: list(self._table.correction.steps_of(self._table.type)),
                    type=list,
                ),
                *self.constants.properties(),
                Property("timing", "cost so far", stage.timing, type=dict),
                Property(
                    "module_images_per_s", "over five seconds", lambda: stage.images.per_second, type=float
                ),
                Property("counters", "trains", lambda: dict(stage.counters), type=dict),
                Property("queue", "before the workers", stage.queue_counters, type=dict),
                Property("problem", "why the state is ERROR", lambda: stage.problem),
            ],
            [
                Slot("load_constants", "fetch and use the constants in force at a moment", load_constants),
                *self.constants.slots(),
                Slot("unload", "forget the constants and stop correcting", unload),
                Slot("start", "take trains in", lambda: _after(stage.resume, state)),
                Slot(
                    "stop",
                    "take nothing in any more; what is queued comes out",
                    lambda: _after(stage.pause, state),
                ),
                Slot("reset", "forget the problem", lambda: _after(stage.reset, state)),
            ],
        )

    def _appender_device(self) -> Device:
        appender = self.appender

        def state() -> State:
            if appender.problem:
                return State.ERROR
            return State.ACTIVE if appender.writing else State.PASSIVE

        def start_file(run: int, replace: bool = False) -> dict[str, Any]:
            if not self.correction.loaded:
                raise NotInThisState(
                    "correction", "start_file", "without constants", "loaded; call load_constants"
                )
            return {"folder": str(appender.start_file(run, replace))}

        def stop_file() -> dict[str, Any]:
            self.output.flush()
            return {"trains": appender.stop_file(), "folder": str(appender.folder or "")}

        return Device(
            "appender",
            state,
            [
                Property("folder", "of the run", lambda: str(appender.folder or "")),
                Property("trains", "written", lambda: appender.trains, type=int),
                Property("problem", "why the state is ERROR", lambda: appender.problem),
            ],
            [
                Slot("start_file", "open a corrected run", start_file),
                Slot("stop_file", "settle waiting trains and close the run", stop_file),
            ],
        )

    def _bridge_device(self) -> Device:
        def set_every(value: int) -> None:
            if value < 1:
                raise SettingRejected("every_nth_train", value, "at least 1")
            self._every_nth = value

        def set_axes(value: str) -> None:
            if value not in ("file", "online"):
                raise SettingRejected("axes", value, "file or online")
            self._axes = "file" if value == "file" else "online"

        def set_keys(value: list[str]) -> None:
            self._keys = tuple(str(key) for key in value)

        return Device(
            "bridge",
            lambda: State.ACTIVE,
            [
                Property("every_nth_train", "trains served", lambda: self._every_nth, set_every, int),
                Property("axes", "order of the axes: file or online", lambda: self._axes, set_axes),
                Property("keys", "that are sent; none: all", lambda: list(self._keys), set_keys, list),
                Property("protocol", "of the bridge", lambda: self._table.bridge.protocol),
                Property("counters", "requests and trains", lambda: dict(self.bridge.counters), type=dict),
            ],
        )

    def _preview_device(self) -> Device:
        preview = self.preview

        def set_every(value: int) -> None:
            if value < 1:
                raise SettingRejected("every_nth_train", value, "at least 1")
            preview.every_nth_train = value

        return Device(
            "preview",
            lambda: State.ACTIVE if self._table.preview.enabled else State.PASSIVE,
            [
                Property("every_nth_train", "trains shown", lambda: preview.every_nth_train, set_every, int),
                Property("frame", "that is shown, or mean or max", lambda: str(preview.frame)),
                Property("pictures", "made so far", lambda: preview.pictures, type=int),
            ],
        )

    def _pipeline_device(self) -> Device:
        gate = self.gate

        def set_policy(value: str) -> None:
            if value not in ("block", "shed"):
                raise SettingRejected("overload", value, "block or shed")
            gate.policy = "shed" if value == "shed" else "block"

        return Device(
            "pipeline",
            lambda: State.ACTIVE,
            [
                Property("status", "coupled, or why not and what to do", self.status),
                Property("decoupled", "more comes than is worked off", lambda: gate.decoupled, type=bool),
                Property(
                    "accounting", "every train that came, by what became of it", self.accounting, type=dict
                ),
                Property("in_work", "trains", lambda: gate.in_work, type=int),
                Property("parts_in_work", "module parts", lambda: gate.parts_in_work, type=int),
                Property("overload", "block or shed", lambda: gate.policy, set_policy),
            ],
        )


def _after(call: Callable[[], None], state: Callable[[], State]) -> dict[str, str]:
    call()
    return {"state": state().value}
