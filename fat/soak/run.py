"""Run a soak: trains in segments, faults by the script, a look every second, a ledger entry for each segment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from fat.bench.client import ControlClient
from fat.bench.file import load
from fat.bench.owned import OwnedBench
from fat.errors import BenchError
from fat.instruments.detector import DetectorControl
from fat.instruments.online_pipeline import OnlinePipeline
from fat.soak.ledger import Counted, Ledger, reasons_for
from fat.soak.script import Strike, draw_script
from fat.soak.verdict import Sample
from fat.soak.watch import counted, look, problems

SEGMENT_TRAINS: Final = 100
RING: Final = 3
"""Recorded runs that are kept; an older one is written over."""
LOOK_S: Final = 1.0
SETTLE_S: Final = 20.0
DETECTOR: Final = "agipd"
SOURCES: Final = "sources"

Tell = Callable[[float, Sample, Ledger, str], None]
"""Told the time so far, the newest sample, the ledger, and what strikes."""


@dataclass(slots=True)
class Soak:
    """What a soak collects."""

    seconds: float
    seed: int
    record: bool
    script: list[Strike] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    segments: list[dict[str, Any]] = field(default_factory=list)
    """What each segment sent, what came, and what struck: where a loss without a reason is looked for."""
    problems: list[str] = field(default_factory=list)
    """Stages that were in ERROR at the end of a segment, and why."""
    interrupted: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end early."""

    def run(self, bench_file: Path, data_dir: Path, tell: Tell) -> None:
        """Soak the bench of a file, with its data below *data_dir*. Raises BenchError."""
        devices = load(bench_file).sim.devices
        modules = devices[DETECTOR].modules
        count = modules if isinstance(modules, int) else len(modules)
        faults = {DETECTOR: known_faults("agipd")}
        if SOURCES in devices:
            faults[SOURCES] = known_faults("control_sources")
        self.script = draw_script(self.seed, self.seconds, faults, count)
        with OwnedBench(bench_file, data_dir=data_dir, log=data_dir / "soak-bench.log") as bench:
            control = ControlClient(bench.endpoints["control"], bench.token)
            detector = DetectorControl(bench.endpoints[f"{DETECTOR}.control"])
            pipeline = OnlinePipeline(bench.endpoints["pipeline"], bench.token)
            try:
                _Running(self, bench, control, detector, pipeline, count, data_dir, tell).go()
            finally:
                for peer in (control, detector, pipeline):
                    peer.close()


class _Running:
    """A soak under way."""

    def __init__(
        self,
        soak: Soak,
        bench: OwnedBench,
        control: ControlClient,
        detector: DetectorControl,
        pipeline: OnlinePipeline,
        modules: int,
        folder: Path,
        tell: Tell,
    ) -> None:
        self._soak, self._bench, self._control = soak, bench, control
        self._detector, self._pipeline = detector, pipeline
        self._modules, self._folder, self._tell = modules, folder, tell
        pids = control.status()["processes"]
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._to_strike = list(soak.script)
        self._striking = ""
        self._began = 0.0

    def go(self) -> None:
        """Load the constants, then send segments until the time is over."""
        self._load_constants()
        self._detector.configure(gain_mode="adaptive", illumination="spots")
        self._began = time.monotonic()
        number = 0
        while self._elapsed() < self._soak.seconds and not self._soak.stop.is_set():
            self._segment(number)
            number += 1
        self._soak.interrupted = self._soak.stop.is_set()

    def _load_constants(self) -> None:
        state = self._control.status()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        cells = int(self._detector.state()["conditions"]["Memory cells"])
        conditions = {"memory_cells": cells, "acquisition_rate_mhz": 1.1}
        assert state["processes"], "a bench that is up has processes"
        self._pipeline.call("correction", "load_constants", event_at=moment, conditions=conditions)

    def _segment(self, number: int) -> None:
        before, struck_before = counted(self._pipeline), self._struck()
        if self._soak.record:
            self._pipeline.call("daq", "record", run=number % RING + 1, run_type="soak", replace=True)
        elif number == 0:
            self._pipeline.call("daq", "monitor")
        left = max(1, round(10 * (self._soak.seconds - self._elapsed())))
        sent_before = int(self._detector.state()["trains_sent"])
        self._detector.start(min(SEGMENT_TRAINS, left))
        sent_trains = self._watch() - sent_before
        self._settle()
        if self._soak.record:
            self._pipeline.call("daq", "stop")
        gained = counted(self._pipeline).since(before)
        struck = {name: count - struck_before.get(name, 0) for name, count in self._struck().items()}
        self._enter(sent_trains * self._modules, gained, {name: n for name, n in struck.items() if n})

    def _enter(self, sent: int, gained: Counted, struck: dict[str, int]) -> None:
        """Balance both books, and note what stands in ERROR."""
        soak, reasons = self._soak, reasons_for(gained.unusable, struck)
        soak.ledger.acquisition.enter(sent, gained.received, reasons)
        dropped = {name: count for name, count in gained.dropped.items() if count}
        soak.ledger.correction.enter(gained.received, gained.came_out, dropped)
        segment = {"sent": sent, "received": gained.received, "came_out": gained.came_out, "struck": struck}
        soak.segments.append({**segment, "reasons": reasons, "dropped": dropped})
        soak.problems += [found for found in problems(self._pipeline) if found not in soak.problems]

    def _watch(self) -> int:
        """Look every second, and strike when it is time, until the detector is PASSIVE; trains it has sent in all."""
        while True:
            self._bench.raise_if_ended()
            self._strike_what_is_due()
            state = self._detector.state()
            sending = state["state"] != "PASSIVE"
            sample = look(self._elapsed(), self._pipeline, self._processes, self._folder, sending)
            self._soak.samples.append(sample)
            self._tell(self._elapsed(), sample, self._soak.ledger, self._striking)
            if not sending:
                return int(state["trains_sent"])
            if self._soak.stop.wait(LOOK_S):
                self._detector.stop()

    def _strike_what_is_due(self) -> None:
        while self._to_strike and self._to_strike[0].at_s <= self._elapsed():
            strike = self._to_strike.pop(0)
            self._control.switch_fault(strike.device, strike.fault, times=strike.times, **strike.parameters)
            self._striking = strike.fault

    def _settle(self) -> None:
        """Let what is under way come out; a train that waits for its confirmation is settled by the next."""
        deadline = time.monotonic() + SETTLE_S
        pause = threading.Event()
        while not self._pipeline.call("daq", "idle")["idle"]:
            if time.monotonic() > deadline:
                raise BenchError(f"the pipeline still has work {SETTLE_S:.0f} s after the last train")
            pause.wait(0.05)
        pause.wait(0.7)  # longer than the acquisition keeps a train that nothing has confirmed

    def _struck(self) -> dict[str, int]:
        devices = self._control.status()["devices"]
        return {name: int(count) for name, count in devices[DETECTOR].get("struck", {}).items()}

    def _elapsed(self) -> float:
        return time.monotonic() - self._began


def known_faults(kind: str) -> dict[str, dict[str, Any]]:
    """The faults that a kind of device can make, as its own command lists them."""
    command = [sys.executable, "-m", "fat", "sim", "kinds", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return {name: dict(fault["parameters"]) for name, fault in listed[kind]["faults"].items()}
