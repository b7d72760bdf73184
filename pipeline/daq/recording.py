"""A run being recorded: trains gathered from all modules, and sequence files that cover the same trains."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
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
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

log = structlog.get_logger()
CONTROL_DEADLINE_S: Final = 1.0
"""How long a train waits for what its control sources bring: they come another way, and may be later."""
UNWRITABLE: Final = (OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises where a disk is full, a file is gone, or a value has no place."""


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
        self._without_control: deque[tuple[int, int, float]] = deque()
        """Trains whose control data have not been written: id, time, and since when they wait."""
        self.control_problem = ""
        """Why the file of control data cannot be written; empty while it can."""
        self._plan, self._conditions, self._slow = plan, conditions, slow
        self._recorded = plan.modules if modules is None else tuple(modules)
        self._identity = RunIdentity(plan.proposal, run, run_type)
        self._modules: dict[int, ModuleFile] = {}
        self._control: ControlFile | None = None
        folder.mkdir(parents=True, exist_ok=False)

    def write(self, gathered: Gathered[ModuleTrain]) -> None:
        """Append one train to every file. Raises OSError when the disk refuses."""
        timestamp_ns = self._plan.train_clock.unix_ns(gathered.train_id)
        if self.trains_written % self._plan.sequence_trains == 0:
            self._begin_sequence(self.trains_written // self._plan.sequence_trains, timestamp_ns)
        for module, file in self._modules.items():
            if module not in self.failed:
                self._append(module, file, gathered, timestamp_ns)
        if len(self.failed) == len(self._recorded):
            raise OSError("; ".join(sorted(set(self.failed.values()))))
        self._without_control.append((gathered.train_id, timestamp_ns, time.monotonic()))
        self.settle()
        self.trains_written += 1

    def _append(
        self, module: int, file: ModuleFile, gathered: Gathered[ModuleTrain], timestamp_ns: int
    ) -> None:
        """Append to one module's file; a file that cannot be written is left alone from then on."""
        try:
            file.append(gathered.train_id, timestamp_ns, gathered.parts.get(module))
        except UNWRITABLE as error:
            self._fail(module, error)

    def _fail(self, module: int, error: Exception) -> None:
        self.failed[module] = f"its file cannot be written: {error}"
        log.error("aggregator stopped", module=module, run=self.run, reason=str(error))

    def settle(self) -> None:
        """Append control data of trains for which they have come, or which waited for long enough, in order."""
        while self._without_control:
            train_id, timestamp_ns, since = self._without_control[0]
            has_come = self._slow is None or self._slow.has(train_id)
            if not has_come and time.monotonic() - since < CONTROL_DEADLINE_S:
                return
            self._without_control.popleft()
            self._append_control(train_id, timestamp_ns)

    def _settle_all(self) -> None:
        """The same until none waits; takes CONTROL_DEADLINE_S at most."""
        pause = threading.Event()
        while self._without_control:
            self.settle()
            pause.wait(0.005 if self._without_control else 0)

    def _append_control(self, train_id: int, timestamp_ns: int) -> None:
        """Append to the file of control data; the modules' files do not depend on it."""
        if self._control is None:
            return
        slow = NOTHING if self._slow is None else self._slow.at(train_id)
        try:
            self._control.append(train_id, timestamp_ns, slow)
        except UNWRITABLE as error:
            self._fail_control(error)

    def _fail_control(self, error: Exception) -> None:
        control, self._control = self._control, None
        if control is not None:
            with contextlib.suppress(*UNWRITABLE):
                control.close()  # what was indexed before stays readable
        self.control_problem = f"the file of control data cannot be written: {error}"
        log.error("aggregator stopped", aggregator="DA01", run=self.run, reason=str(error))

    def _begin_sequence(self, sequence: int, begin_ns: int) -> None:
        self.close()
        plan = self._plan
        for module in (m for m in self._recorded if m not in self.failed):
            path = self._path(f"{plan.form.name}{module:02d}", sequence)
            try:
                self._modules[module] = ModuleFile(
                    path, plan.detector, module, plan.form, self._identity, sequence
                )
            except UNWRITABLE as error:
                self._fail(module, error)
        if not self.control_problem:
            self._begin_control(sequence, begin_ns)

    def _begin_control(self, sequence: int, begin_ns: int) -> None:
        try:
            self._control = ControlFile(
                self._path("DA01", sequence),
                control_values(self._plan.control_prefix, self._conditions),
                NOTHING if self._slow is None else self._slow.latest(),
                self._identity,
                sequence,
                begin_ns,
            )
        except UNWRITABLE as error:
            self._fail_control(error)

    def _path(self, aggregator: str, sequence: int) -> Path:
        return self.folder / f"RAW-R{self.run:04d}-{aggregator}-S{sequence:05d}.h5"

    def close(self) -> None:
        """Close all files; may be called twice."""
        self._settle_all()
        for module, file in self._modules.items():
            if module not in self.failed:
                file.close()
        self._modules = {}
        if self._control is not None:
            self._control.close()
            self._control = None
