"""A run being recorded: trains gathered from all modules, and sequence files that cover the same trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from pipeline.constants.conditions import Conditions
from pipeline.daq.conditions import control_values
from pipeline.daq.control_sources import NOTHING, ControlSources
from pipeline.daq.controlfile import ControlFile
from pipeline.daq.growing import RunIdentity
from pipeline.daq.rawfile import ModuleFile
from pipeline.daq.xtdf import DetectorFormat
from pipeline.model import ModuleTrain, TrainClock

log = structlog.get_logger()


FAR_AHEAD: Final = 8
"""Trains by which modules of one train may be apart."""


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What does not change from run to run."""

    detector: str
    form: DetectorFormat
    modules: tuple[int, ...]
    control_prefix: str
    proposal: int
    sequence_trains: int
    train_clock: TrainClock


@dataclass(slots=True)
class GatheredTrain:
    """The modules of one train that have come."""

    train_id: int
    began_ns: int
    parts: dict[int, ModuleTrain] = field(default_factory=dict)
    left_out: list[ModuleTrain] = field(default_factory=list)
    """Parts that came and are not written."""


class Gatherer:
    """Collect module trains until a train is complete, too old, or too many wait: pure, with an explicit time.

    Trains come out in increasing order; what comes for a train that is out already is refused and counted.
    """

    def __init__(self, modules: int, deadline_ns: int, max_waiting: int) -> None:
        self._modules, self._deadline_ns, self._max_waiting = modules, deadline_ns, max_waiting
        self._waiting: dict[int, GatheredTrain] = {}
        self._last_out = 0
        self._arrivals: dict[int, tuple[int, int]] = {}
        self.counters: Final[Counter[str]] = Counter()

    def feed(self, train: ModuleTrain, now_ns: int) -> tuple[list[GatheredTrain], ModuleTrain | None]:
        """Trains that are ready now, and the part that was refused, if it was."""
        self._arrivals[train.module] = train.train_id, now_ns
        if train.train_id <= self._last_out:
            self.counters["modules_late"] += 1
            return self.due(now_ns), train
        gathered = self._waiting.setdefault(train.train_id, GatheredTrain(train.train_id, now_ns))
        if train.module in gathered.parts:
            self.counters["modules_repeated"] += 1
            return self.due(now_ns), train
        gathered.parts[train.module] = train
        return self.due(now_ns), None

    def due(self, now_ns: int) -> list[GatheredTrain]:
        """Trains that need not or cannot wait any more."""
        ready: list[GatheredTrain] = []
        for train_id in sorted(self._waiting, reverse=True):  # wrong ids must not push right ones out
            if len(self._waiting) > self._max_waiting and self._is_ahead(train_id, self._waiting[train_id]):
                ready.append(self._left_out(train_id))  # noqa: PERF401 - each that leaves changes the condition
        for train_id in sorted(self._waiting):
            gathered = self._waiting[train_id]
            complete = len(gathered.parts) == self._modules
            overdue = (
                now_ns - gathered.began_ns >= self._deadline_ns or len(self._waiting) > self._max_waiting
            )
            if not complete and not overdue:
                break  # later trains wait too: the order is by train id
            if not complete and self._is_ahead(train_id, gathered):
                ready.append(self._left_out(train_id))
            else:
                ready.append(self._out(train_id))
        return ready

    def _is_ahead(self, train_id: int, gathered: GatheredTrain) -> bool:
        """Whether the other modules went on with much lower ids since this train began: then its id is wrong.

        If such a train were written, all that the others bring up to its id would come too late.
        """
        others = [
            brought
            for module, (brought, at_ns) in self._arrivals.items()
            if module not in gathered.parts and at_ns > gathered.began_ns
        ]
        return bool(others) and all(brought + FAR_AHEAD < train_id for brought in others)

    def _left_out(self, train_id: int) -> GatheredTrain:
        """A train of which nothing is written."""
        gathered = self._waiting.pop(train_id)
        self.counters["modules_ahead"] += len(gathered.parts)
        gathered.left_out = list(gathered.parts.values())
        gathered.parts = {}
        return gathered

    def flush(self) -> list[GatheredTrain]:
        """All that wait, complete or not."""
        return [self._out(train_id) for train_id in sorted(self._waiting)]

    def _out(self, train_id: int) -> GatheredTrain:
        gathered = self._waiting.pop(train_id)
        self._compare(gathered)
        self._last_out = train_id
        missing = self._modules - len(gathered.parts)
        self.counters["modules_missing"] += missing
        self.counters["trains_incomplete" if missing else "trains_complete"] += 1
        return gathered

    def _compare(self, gathered: GatheredTrain) -> None:
        """Leave out modules with another number of frames than most: no reader can put such a train together."""
        counts = Counter(len(part.data) for part in gathered.parts.values())
        common = counts.most_common(1)[0][0]
        gathered.left_out = [part for part in gathered.parts.values() if len(part.data) != common]
        for part in gathered.left_out:
            del gathered.parts[part.module]
        self.counters["frame_counts_differ"] += len(gathered.left_out)
        pulses = Counter(part.pulse_id.tobytes() + part.cell_id.tobytes() for part in gathered.parts.values())
        self.counters["pulses_differ"] += len(gathered.parts) - pulses.most_common(1)[0][1]

    def __len__(self) -> int:
        return len(self._waiting)


class RunWriter:
    """Write one run below *folder*; a new sequence begins after so many trains, in all files at once.

    slow     where control data come from, beside the conditions
    modules  those that are recorded; by default all of the plan
    """

    def __init__(
        self,
        folder: Path,
        plan: RecordingPlan,
        run: int,
        run_type: str,
        conditions: Conditions,
        slow: ControlSources | None = None,
        modules: Sequence[int] | None = None,
    ) -> None:
        self.folder, self.run = folder, run
        self.trains_written = 0
        self.failed: Final[dict[int, str]] = {}
        """Modules whose file cannot be written, and why."""
        self._plan, self._conditions, self._slow = plan, conditions, slow
        self._recorded = plan.modules if modules is None else tuple(modules)
        self._identity = RunIdentity(plan.proposal, run, run_type)
        self._modules: dict[int, ModuleFile] = {}
        self._control: ControlFile | None = None
        folder.mkdir(parents=True, exist_ok=False)

    def write(self, gathered: GatheredTrain) -> None:
        """Append one train to every file. Raises OSError when the disk refuses."""
        timestamp_ns = self._plan.train_clock.unix_ns(gathered.train_id)
        if self.trains_written % self._plan.sequence_trains == 0:
            self._begin_sequence(self.trains_written // self._plan.sequence_trains, timestamp_ns)
        for module, file in self._modules.items():
            if module not in self.failed:
                self._append(module, file, gathered, timestamp_ns)
        if len(self.failed) == len(self._modules):
            raise OSError("; ".join(sorted(set(self.failed.values()))))
        if self._control is not None:
            slow = NOTHING if self._slow is None else self._slow.at(gathered.train_id)
            self._control.append(gathered.train_id, timestamp_ns, slow)
        self.trains_written += 1

    def _append(self, module: int, file: ModuleFile, gathered: GatheredTrain, timestamp_ns: int) -> None:
        """Append to one module's file; a file that cannot be written is left alone from then on."""
        try:
            file.append(gathered.train_id, timestamp_ns, gathered.parts.get(module))
        except (OSError, RuntimeError, ValueError) as error:  # h5py reports a full disk as any of these
            self.failed[module] = f"its file cannot be written: {error}"
            log.error("aggregator stopped", module=module, run=self.run, reason=str(error))

    def _begin_sequence(self, sequence: int, begin_ns: int) -> None:
        self.close()
        plan = self._plan
        for module in self._recorded:
            path = self._path(f"{plan.form.name}{module:02d}", sequence)
            self._modules[module] = ModuleFile(
                path, plan.detector, module, plan.form, self._identity, sequence
            )
        self._control = ControlFile(
            self._path("DA01", sequence),
            control_values(plan.control_prefix, self._conditions),
            NOTHING if self._slow is None else self._slow.latest(),
            self._identity,
            sequence,
            begin_ns,
        )

    def _path(self, aggregator: str, sequence: int) -> Path:
        return self.folder / f"RAW-R{self.run:04d}-{aggregator}-S{sequence:05d}.h5"

    def close(self) -> None:
        """Close all files; may be called twice."""
        for module, file in self._modules.items():
            if module not in self.failed:
                file.close()
        self._modules = {}
        if self._control is not None:
            self._control.close()
            self._control = None
