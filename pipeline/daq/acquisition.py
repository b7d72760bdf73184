"""Data acquisition of one detector: sockets, assemblers and aggregators of all modules, and the recorder."""

from __future__ import annotations

import fnmatch
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

from pipeline.config import DaqTable
from pipeline.constants.conditions import Conditions
from pipeline.daq.assembler import Frame
from pipeline.daq.control_sources import ControlSources
from pipeline.daq.gatherer import Gatherer
from pipeline.daq.link_counters import losses
from pipeline.daq.links import open_link
from pipeline.daq.order import TrainOrder
from pipeline.daq.packets import packets_for
from pipeline.daq.queues import BoundedQueue, Policy
from pipeline.daq.rates import Rate
from pipeline.daq.receiver import ModuleLink, Receiver
from pipeline.daq.recorder import Recorder
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.slots import SharedRelease, SlotPool
from pipeline.daq.xtdf import decode, read_header
from pipeline.errors import NotInThisState, PipelineError, SettingRejected, TrainMalformed
from pipeline.model import UNUSABLE, ModuleTrain, TrainFlag

log = structlog.get_logger()
QUIET_TIMEOUT_S: Final = 2.0
CLOSE_TIMEOUT_S: Final = 60.0


class Aggregator(StrEnum):
    """What is done with the trains that come."""

    IGNORE = "IGNORE"
    MONITOR = "MONITOR"
    RECORD = "RECORD"
    ERROR = "ERROR"


class Acquisition:
    """Receive, assemble, check, record, and pass on.

    run_folder   tells the folder of a run's raw files
    on_train     gets every usable train while monitoring or recording, in the receiving thread; releases it
    slow         where control data come from

    Raises AddressInUse when a port is taken.
    """

    def __init__(
        self,
        plan: RecordingPlan,
        memory_cells: int,
        table: DaqTable,
        run_folder: Callable[[int], Path],
        on_train: Callable[[ModuleTrain], None],
        host: str = "127.0.0.1",
        slow: ControlSources | None = None,
    ) -> None:
        self.slow = slow
        self._plan, self._table, self._run_folder, self._on_train = plan, table, run_folder, on_train
        self._lock = threading.RLock()  # orders and dispatch: the receiving thread, and who ends a run
        self._aggregator = Aggregator.IGNORE
        self._deselected: frozenset[int] = frozenset()
        self._stride = table.train_stride
        self._last_seen_ns = dict.fromkeys(plan.modules, 0)
        self._recorder: Recorder | None = None
        self._record_queue: BoundedQueue[ModuleTrain] | None = None
        hold_ns = round(table.frame_timeout_s * 1e9)
        self._orders = {m: TrainOrder(table.train_stride, hold_ns) for m in plan.modules}
        self.last_train_id = 0
        self.last_train_of: Final[dict[int, int]] = dict.fromkeys(plan.modules, 0)
        """Train id of each module's latest usable train."""
        self.rates: Final = {module: Rate() for module in plan.modules}
        """Usable trains by module."""
        self.trains_received: Final[Counter[int]] = Counter(dict.fromkeys(plan.modules, 0))
        self.flags: Final[dict[int, Counter[str]]] = {m: Counter() for m in plan.modules}
        self.counters: Final[Counter[str]] = Counter()
        self.unusable = Rate()
        """Module trains that came and could not be used, over the last seconds."""
        self.usable = Rate()
        self._before: Counter[str] = Counter()
        self._pools: dict[int, SlotPool] = {}
        self.links: list[ModuleLink] = []
        try:
            for position, module in enumerate(plan.modules):
                link, pool = open_link(table, plan.form, module, position, memory_cells, host)
                self._pools[module] = pool
                self.links.append(link)
        except PipelineError:
            for link in self.links:
                link.sock.close()
            raise
        self._receiver = Receiver(self.links, self._on_frame, self._on_pass)

    @property
    def addresses(self) -> dict[int, str]:
        """Where each module's data are expected."""
        return {link.module: link.address for link in self.links}

    @property
    def aggregator(self) -> Aggregator:
        """What is done with the trains that come; ERROR when the recording cannot be written."""
        if self._recorder is not None and self._recorder.problem is not None:
            return Aggregator.ERROR
        return self._aggregator

    @property
    def problem(self) -> str:
        """Why the state is ERROR; empty when it is not."""
        return (self._recorder.problem or "") if self._recorder is not None else ""

    @property
    def recorder(self) -> Recorder | None:
        """The recording under way, or the last one."""
        return self._recorder

    def module_state(self, module: int) -> Aggregator:
        """What one module's aggregator does."""
        if self.module_problem(module):
            return Aggregator.ERROR
        return Aggregator.IGNORE if module in self._deselected else self.aggregator

    def module_problem(self, module: int) -> str:
        """Why one module's aggregator is in ERROR; empty when it is not."""
        return "" if self._recorder is None else self._recorder.writer.failed.get(module, "")

    @property
    def control_state(self) -> Aggregator:
        """What the aggregator of control data does."""
        if self.control_problem:
            return Aggregator.ERROR
        return self.aggregator if self.slow is not None or self._recorder is not None else Aggregator.IGNORE

    @property
    def control_problem(self) -> str:
        """Why the file of control data is not written; empty when it is."""
        return "" if self._recorder is None else self._recorder.writer.control_problem

    def aggregator_name(self, module: int) -> str:
        """Name of a module's aggregator, as files bear it, e.g. AGIPD00."""
        return f"{self._plan.form.name}{module:02d}"

    def source_name(self, module: int) -> str:
        """The data source that a module's aggregator writes."""
        return f"{self._plan.detector}/DET/{module}CH0:xtdf"

    def select(self, patterns: Sequence[str]) -> list[str]:
        """Choose the data sources that are taken in, by shell patterns; the aggregators of the others ignore.

        The names of the chosen module sources. Raises SettingRejected when none is left, and NotInThisState while
        recording.
        """
        self._refuse_while_recording("select")
        names = {module: self.source_name(module) for module in self._plan.modules}
        chosen = {m for m, name in names.items() if any(fnmatch.fnmatchcase(name, p) for p in patterns)}
        if not chosen:
            known = f"{names[self._plan.modules[0]]} and so on"
            raise SettingRejected("sources", list(patterns), f"patterns that match at least one of {known}")
        self._deselected = frozenset(self._plan.modules) - chosen
        if self.slow is not None:
            self.slow.wanted = tuple(patterns)
        return [names[module] for module in sorted(chosen)]

    def ignore(self, module: int, ignored: bool) -> None:
        """Let one module's aggregator ignore what comes, or take it in again. Raises NotInThisState while recording."""
        self._refuse_while_recording("ignore")
        self._deselected = self._deselected | {module} if ignored else self._deselected - {module}

    @property
    def active_modules(self) -> tuple[int, ...]:
        """Modules whose aggregators do not ignore."""
        return tuple(module for module in self._plan.modules if module not in self._deselected)

    @property
    def train_stride(self) -> int:
        """Trains are taken in whose id is a multiple of this."""
        return self._stride

    @train_stride.setter
    def train_stride(self, value: int) -> None:
        if not 1 <= value <= 1000:
            raise SettingRejected("train_stride", value, "from 1 to 1000")
        self._refuse_while_recording("train_stride")
        with self._lock:
            self._stride = value
            hold_ns = round(self._table.frame_timeout_s * 1e9)
            self._orders = {m: TrainOrder(value, hold_ns) for m in self._plan.modules}

    def seconds_since_data(self, module: int) -> float:
        """Seconds since a module's last usable train; −1 before the first."""
        seen = self._last_seen_ns[module]
        return round((time.monotonic_ns() - seen) / 1e9, 1) if seen else -1.0

    def start(self) -> None:
        """Start to receive; what comes is ignored until `monitor` or `record`."""
        self._receiver.start()

    def stop(self) -> None:
        """End the recording, stop receiving, close the sockets; may be called twice."""
        if self._aggregator is Aggregator.RECORD:
            self.end_run()
        self._aggregator = Aggregator.IGNORE
        self._receiver.stop()

    def monitor(self) -> None:
        """Pass trains on without recording them. Raises NotInThisState while recording."""
        self._refuse_while_recording("monitor")
        self._forget_order()
        self._aggregator = Aggregator.MONITOR

    def record(self, run: int, run_type: str, conditions: Conditions, replace: bool) -> Path:
        """Record a run from the next train on; its folder. Raises NotInThisState, SettingRejected.

        replace   whether an earlier recording of the same number is deleted; else it is an error
        """
        self._refuse_while_recording("record")
        if not 1 <= run <= 9999:
            raise SettingRejected("run", run, "a number from 1 to 9999")
        folder = self._run_folder(run)
        if folder.exists():
            if not replace:
                raise SettingRejected(
                    "run", run, f"a new number, {folder} exists (replace=true overwrites it)"
                )
            shutil.rmtree(folder)
        queue = BoundedQueue[ModuleTrain](
            "record", self._table.record_queue_depth, Policy(self._table.record_policy), lambda t: t.release()
        )
        gatherer = Gatherer(
            len(self.active_modules),
            self._table.train_deadline_s,
            max(1, self._table.slots_per_module // 2),
        )
        writer = RunWriter(folder, self._plan, run, run_type, conditions, self.slow, self.active_modules)
        self._recorder = Recorder(queue, gatherer, writer)
        self._forget_order()
        self._record_queue = queue
        self._aggregator = Aggregator.RECORD
        return folder

    def end_run(self) -> int:
        """Take in what the kernel holds, close the recording if there is one, then ignore; trains written."""
        self._wait_quiet()
        with self._lock:
            for order in self._orders.values():
                self._onward(order.flush())
        self._aggregator = Aggregator.IGNORE
        queue, self._record_queue = self._record_queue, None
        recorder = self._recorder
        if queue is None or recorder is None:
            return 0
        if not recorder.finish(CLOSE_TIMEOUT_S):
            log.error("recording did not close in time", timeout_s=CLOSE_TIMEOUT_S)
        return recorder.writer.trains_written

    def quiet(self) -> bool:
        """Whether kernel, assemblers and recorder have no work.

        A train that waits for its confirmation is no work: only the next train, or the end of the run, settles it.
        """
        recording = self._record_queue is not None and self._recorder is not None and self._recorder.busy
        return self._receiver.quiet() and not recording

    def free_slots(self) -> dict[int, int]:
        """How many receive slots of each module are not lent out."""
        return {module: len(pool.free) for module, pool in self._pools.items()}

    def _wait_quiet(self) -> None:
        done = threading.Event()
        for _ in range(round(QUIET_TIMEOUT_S / 0.01)):
            if self._receiver.quiet():
                return
            done.wait(0.01)

    def _forget_order(self) -> None:
        with self._lock:
            self.last_train_id = 0
            self._before = self._faults()
            for order in self._orders.values():
                held = order.forget()
                if held is not None:
                    held.release()

    def _refuse_while_recording(self, slot: str) -> None:
        if self._aggregator is Aggregator.RECORD:
            raise NotInThisState("daq", slot, "recording", "IGNORE or MONITOR; call stop first")

    def _on_frame(self, module: int, frame: Frame) -> None:
        with self._lock:
            train = self._train_of(module, frame)
            if train is None:
                frame.slot.release()
                return
            train.release = frame.slot.release
            if train.train_id % self._stride:
                self.counters["trains_off_stride"] += 1
                train.release()
                return
            if train.flags & UNUSABLE:
                self._let_go(train)
                return
            ordered = self._orders[module].feed(train, time.monotonic_ns())
            if ordered.wrong is not None:
                self._let_go(ordered.wrong)
            for each in ordered.onward:
                self._onward(each)

    def _on_pass(self) -> None:
        with self._lock:
            for order in self._orders.values():
                if order.holds:
                    self._onward(order.expire(time.monotonic_ns()))

    def _train_of(self, module: int, frame: Frame) -> ModuleTrain | None:
        """Decode a frame; None when it is no train or not wanted."""
        if self._aggregator is Aggregator.IGNORE or module in self._deselected:
            self.counters["trains_ignored"] += 1
            return None
        block = frame.slot.bytes[: frame.block_bytes]
        if frame.flags & TrainFlag.INCOMPLETE:
            self._count(module, frame.flags)
            self._note_unusable()
            if frame.has_first:
                self._orders[module].lost(read_header(block).train_id)
            return None
        try:
            return decode(block, module, self._plan.form, frame.flags)
        except TrainMalformed:
            self.counters["malformed_frames"] += 1
            return None

    def _note_unusable(self) -> None:
        self.counters["trains_unusable"] += 1
        self.unusable.add()

    def _let_go(self, train: ModuleTrain) -> None:
        self._count(train.module, train.flags)
        self._note_unusable()
        train.release()

    def _onward(self, train: ModuleTrain | None) -> None:
        """Give a train to the recorder and to the next stage."""
        if train is None:
            return
        if train.flags & UNUSABLE:
            self._let_go(train)
            return
        self._count(train.module, train.flags)
        self.trains_received[train.module] += 1
        self._last_seen_ns[train.module] = time.monotonic_ns()
        self.usable.add()
        self.rates[train.module].add()
        self.last_train_of[train.module] = train.train_id
        self.last_train_id = max(self.last_train_id, train.train_id)
        queue = self._record_queue
        if queue is not None:
            train.release = SharedRelease(train.release, 2)
            queue.put(train)
        self._on_train(train)

    def _count(self, module: int, flags: TrainFlag) -> None:
        for flag in flags:
            self.flags[module][flag.name or "?"] += 1

    def problems(self) -> dict[str, int]:
        """What went wrong since the last `monitor` or `record`, all modules together; empty when nothing did."""
        found = self._faults() - self._before
        if self._recorder is not None and self._aggregator is not Aggregator.MONITOR:
            found += Counter(
                {name: n for name, n in self._recorder.counters.items() if name != "trains_complete"}
            )
        return dict(sorted((+found).items()))

    def _faults(self) -> Counter[str]:
        return losses(self.links, self.flags.values())

    def queue_counters(self) -> dict[str, Any]:
        """What the recording queue counted."""
        queue = self._record_queue
        return {} if queue is None else {"length": len(queue), "policy": queue.policy.value, **queue.counters}

    @property
    def packets_per_train(self) -> int:
        """Datagrams of one module's train at the configured number of memory cells."""
        return packets_for(next(iter(self._pools.values())).capacity_bytes)
