"""Everything behind the splitter, put together: correction, matcher, appender, bridge, and their control devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pipeline.config import PipelineTable
from pipeline.constants import Catalogue, CatalogueRest, Conditions, ConstantSet, conditions_of
from pipeline.control.device import Device, Property, Slot, State
from pipeline.correct import recipe_of
from pipeline.errors import NotInThisState, SettingRejected
from pipeline.model import MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.appender import Appender
from pipeline.online.bridge import BridgeServer
from pipeline.online.bridge_messages import combined_source, serialize, train_metadata
from pipeline.online.correction import CorrectionStage
from pipeline.online.matcher import Matcher
from pipeline.online.output import OutputStage

MODULES_OF_DETECTOR: Final = 16
"""A combined AGIPD 1M source always has room for all sixteen."""


class CorrectedBranch:
    """From split module trains to corrected files and live viewers.

    folder  corrected runs are written below it
    """

    def __init__(
        self, table: PipelineTable, endpoints: Mapping[str, Any], train_clock: TrainClock, folder: Path
    ) -> None:
        self._table, self._endpoints = table, endpoints
        self.matcher = Matcher(
            len(table.modules), table.matcher.min_modules, table.matcher.deadline_s, train_clock
        )
        self.appender = Appender(
            table.detector,
            table.modules,
            table.proposal,
            table.appender.sequence_trains,
            lambda run: folder / f"r{run:04d}",
        )
        self.bridge = BridgeServer("bridge.corrected", table.bridge.mode, table.bridge.corrected_port)
        self.output = OutputStage(self.matcher, [self.appender.write, self._serve])
        self.correction = CorrectionStage(
            table.daq.online_queue_depth,
            table.daq.online_policy,
            table.correction.threads,
            self.output.submit,
        )
        self._every_nth = table.bridge.every_nth_train
        self._constants: ConstantSet | None = None

    def start(self) -> str:
        """Start the stages, last first; the bridge's address. Raises AddressInUse."""
        address = self.bridge.start()
        self.output.start()
        self.correction.start()
        return address

    def stop(self) -> None:
        """Drain and stop, first stage first; may be called twice."""
        self.correction.stop()
        self.output.stop()
        self.appender.stop_file()
        self.bridge.stop()

    def submit(self, part: ModuleTrain) -> None:
        """Take a module's split train."""
        self.correction.submit(part)

    @property
    def busy(self) -> bool:
        """Whether a stage has work; upstream first."""
        return self.correction.busy or self.output.busy

    def devices(self) -> list[Device]:
        """What the control system sees."""
        return [
            self._correction_device(),
            self._matcher_device(),
            self._appender_device(),
            self._bridge_device(),
        ]

    def load_constants(self, event_at: datetime, conditions: Conditions) -> ConstantSet:
        """Fetch and prepare what is in force at a moment. Raises ConstantMissing, CatalogueError and others."""
        for key in ("caldb.rest", "caldb.store"):
            if key not in self._endpoints:
                raise SettingRejected(
                    "endpoints", key, "the address of a catalogue; this pipeline was given none"
                )
        recipe = recipe_of(self._table.correction, conditions)
        rest = CatalogueRest(str(self._endpoints["caldb.rest"]))
        try:
            store = Path(str(self._endpoints["caldb.store"]))
            catalogue = Catalogue(rest, store, self._table.detector)
            found = catalogue.fetch(
                conditions, recipe.needed, self._table.modules, event_at, welcome=recipe.welcome
            )
        finally:
            rest.close()
        prepared = {m: recipe.prepare(m, found.module(m)) for m in self._table.modules}
        self.correction.load(recipe, prepared, self._table.memory_cells)
        self._constants = found
        return found

    def _serve(self, matched: MatchedTrain) -> None:
        if matched.train_id % self._every_nth:
            return
        online = self._table.bridge.axes == "online"
        name, content = combined_source(
            self._table.detector, matched, MODULES_OF_DETECTOR, online_axes=online
        )
        metadata = train_metadata(name, matched.train_id, matched.timestamp_ns)
        self.bridge.publish(serialize({name: content}, {name: metadata}))

    def _correction_device(self) -> Device:
        stage = self.correction

        def state() -> State:
            if stage.problem:
                return State.ERROR
            return State.ACTIVE if stage.loaded else State.PASSIVE

        def load_constants(event_at: str, conditions: dict[str, Any]) -> dict[str, Any]:
            try:
                moment = datetime.fromisoformat(event_at)
            except ValueError:
                raise SettingRejected("event_at", event_at, "a moment in ISO 8601") from None
            if moment.tzinfo is None:
                raise SettingRejected("event_at", event_at, "a moment with its time zone")
            found = self.load_constants(moment, conditions_of(self._table.type, conditions))
            return {"constants": found.begin_at(), "versions": len(found.versions())}

        def unload() -> dict[str, Any]:
            stage.unload()
            self._constants = None
            return {}

        return Device(
            "correction",
            state,
            [
                Property(
                    "steps",
                    "taken in their fixed order",
                    lambda: list(self._table.correction.steps_of(self._table.type)),
                ),
                Property("constants", "begin of each, by calibration and module", self._begins),
                Property("timing", "cost so far", stage.timing),
                Property("counters", "trains", lambda: dict(stage.counters)),
                Property("queue", "before the workers", stage.queue_counters),
                Property("problem", "why the state is ERROR", lambda: stage.problem),
            ],
            [
                Slot("load_constants", "fetch and use the constants in force at a moment", load_constants),
                Slot("unload", "forget the constants and stop correcting", unload),
            ],
        )

    def _begins(self) -> dict[str, dict[str, str]]:
        if self._constants is None:
            return {}
        return {
            name: {str(module): begin for module, begin in of_modules.items()}
            for name, of_modules in self._constants.begin_at().items()
        }

    def _matcher_device(self) -> Device:
        matcher = self.matcher

        def set_min(value: int) -> None:
            if not 1 <= value <= matcher.modules:
                raise SettingRejected("min_modules", value, f"from 1 to {matcher.modules}")
            matcher.min_modules = value

        def set_deadline(value: float) -> None:
            if not value > 0:
                raise SettingRejected("deadline_s", value, "more than 0")
            matcher.deadline_s = value

        return Device(
            "matcher",
            lambda: State.ACTIVE,
            [
                Property("min_modules", "least number of modules", lambda: matcher.min_modules, set_min, int),
                Property(
                    "deadline_s", "wait for the last modules", lambda: matcher.deadline_s, set_deadline, float
                ),
                Property("waiting", "trains that wait for modules", lambda: len(matcher)),
                Property("counters", "trains and dropped modules", lambda: dict(matcher.counters)),
                Property(
                    "time_of_flight_s",
                    "first corrected module to output, latest train",
                    lambda: self.output.time_of_flight_s,
                ),
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
                Property("trains", "written", lambda: appender.trains),
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

        return Device(
            "bridge",
            lambda: State.ACTIVE,
            [
                Property("every_nth_train", "trains served", lambda: self._every_nth, set_every, int),
                Property("axes", "order of the axes", lambda: self._table.bridge.axes),
                Property("counters", "requests and trains", lambda: dict(self.bridge.counters)),
            ],
        )
