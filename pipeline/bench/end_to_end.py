"""The whole pipeline on this machine: simulated modules, UDP, assembling, correction, matching, a bridge client.

The simulator and the bridge client are processes of their own; the pipeline runs in this one, as it does in a bench.
Every train that was sent is accounted for: appended, shed, or lost.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from pipeline.bench import made_data
from pipeline.config import PipelineTable
from pipeline.errors import AddressInUse, PipelineError
from pipeline.model import CorrectedModule, MatchedTrain, TrainClock
from pipeline.online.assembly import OnlinePipeline

PERIOD_NS: Final = 100_000_000
FIRST_TRAIN_ID: Final = 1_000_000_000
WARM_UP_S: Final = 8.0
"""Trains of the first seconds are counted, and not measured: kernel and buffers are touched for the first time."""
DRAIN_S: Final = 10.0
PREBUILT: Final = 3
PARTS: Final = {
    "daq-receive": "receive and assemble",
    "correction": "correct",
    "output": "match and append",
    "bridge": "bridge",
    "ZMQ": "bridge",
    "preview": "preview",
    "MainThread": "watch",
}
"""Parts of the pipeline by the beginnings of their threads' names."""
SIMULATOR: Final = (sys.executable, "-m", "fat", "sim", "xtdf")
TAKER: Final = (sys.executable, "-m", "pipeline.bench.taker")


class BenchFailed(PipelineError):
    """A part that the measurement needs did not do its work: nothing was measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the pipeline is given to do."""

    frames: int = 26
    """Frames of each train, at ten trains in a second."""
    modules: int = 16
    seconds: float = 60.0
    bridge_every_nth: int = 10
    bridge_keys: tuple[str, ...] = ()
    client: bool = True
    overload: str = "block"

    @property
    def trains(self) -> int:
        """Trains that are sent, those of the warm-up included."""
        return round(10 * (self.seconds + WARM_UP_S))

    @property
    def images_per_s(self) -> float:
        """Module images sent in a second, in units of sixteen modules."""
        return 10 * self.frames * self.modules / 16


@dataclass(slots=True)
class EndToEnd:
    """What came of it."""

    load: Load
    images_per_s: float
    """At the appender, in units of sixteen modules."""
    latency_ms: Mapping[str, float]
    """Train tick to appended train: p50, p99, max."""
    trains: Mapping[str, int]
    """sent, received, corrected, shed, lost."""
    client_trains: int
    cores: Mapping[str, float]
    """Core-seconds in each second, by part."""
    memory_mb: tuple[float, float]
    """Resident memory of this process after the warm-up and at the end."""
    problems: Mapping[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every train came through."""
        return self.trains["lost"] == 0 and self.trains["shed"] == 0

    @property
    def core_ms_per_image(self) -> dict[str, float]:
        """Core-milliseconds for each image of sixteen modules, by part."""
        return {part: 1e3 * cores / self.images_per_s for part, cores in self.cores.items()}


def measure(load: Load) -> EndToEnd:
    """Run a load. Raises BenchFailed when the simulator or the client does not start."""
    epoch_ns = time.time_ns() // PERIOD_NS * PERIOD_NS
    latencies: list[tuple[int, float]] = []

    def appended(train: MatchedTrain[CorrectedModule]) -> None:
        latencies.append((train.train_id, (time.time_ns() - train.timestamp_ns) / 1e6))

    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="stellwerk-bench-"))
        pipeline, addresses, first_port = _pipeline(load, TrainClock(FIRST_TRAIN_ID, epoch_ns), Path(folder))
        running.callback(pipeline.stop)
        pipeline.corrected.output.add(appended)
        pipeline.daq.monitor()
        if load.client:
            taker = running.enter_context(_process([*TAKER, addresses["bridge.corrected"]]))
        simulator = running.enter_context(_process(_simulator(load, first_port, epoch_ns)))
        _wait_for_first(pipeline, simulator)
        sampled = _sample(pipeline, simulator, load.seconds)
        sent = _sent(simulator)
        _drain(pipeline)
        client_trains = _taken(taker) if load.client else 0
        received = min(pipeline.daq.trains_received.values())
        counters = pipeline.corrected.output.counters
        problems = pipeline.daq.problems()
        shed = pipeline.corrected.gate.counters["shed"]
    gc.collect()  # a pipeline's memory is in circles of references, and the next measurement wants it
    measured = [ms for train_id, ms in latencies if train_id >= sent["first"] + round(10 * WARM_UP_S)]
    if not measured:
        raise BenchFailed("no train came through after the warm-up; the problems were: " + str(problems))
    p50, p99, most = np.percentile(measured, (50, 99, 100))
    return EndToEnd(
        load,
        sampled.trains_per_s * load.frames * load.modules / 16,
        {"p50": float(p50), "p99": float(p99), "max": float(most)},
        {
            "sent": sent["trains"],
            "received": received,
            "corrected": counters["trains_out"],
            "shed": shed,
            "lost": sent["trains"] - counters["trains_out"] - shed,
        },
        client_trains,
        sampled.cores,
        sampled.memory_mb,
        problems,
    )


def _pipeline(load: Load, clock: TrainClock, folder: Path) -> tuple[OnlinePipeline, dict[str, str], int]:
    """A started pipeline with made constants, its addresses, and the port of its first module."""
    channels = list(range(load.modules))
    for first_port in range(21_000 + os.getpid() % 7000, 60_000, 97):
        table = PipelineTable.model_validate(
            {
                "modules": channels,
                "memory_cells": load.frames,
                "daq": {"first_port": first_port, "slots_per_module": 6},
                "correction": {"overload": load.overload},
                "matcher": {"min_modules": load.modules},
                "bridge": {"every_nth_train": load.bridge_every_nth, "keys": list(load.bridge_keys)},
            }
        )
        try:
            pipeline = OnlinePipeline(table, folder, {}, clock, "bench without control")
        except AddressInUse:
            continue
        corrections = {number: made_data.module(load.frames, number) for number in channels}
        pipeline.corrected.correction.load(made_data.recipe(), corrections, load.frames)
        return pipeline, pipeline.start(), first_port
    raise BenchFailed(f"there are no {load.modules} free ports in a row")


def _simulator(load: Load, first_port: int, epoch_ns: int) -> list[str]:
    options = {
        "--to": f"udp://127.0.0.1:{first_port}",
        "--modules": load.modules,
        "--cells": load.frames,
        "--trains": load.trains,
        "--illumination": "spots",
        "--prebuilt": PREBUILT,
        "--pulse-step": 1,
        "--epoch-unix-ns": epoch_ns,
    }
    return [*SIMULATOR, "--json", *(str(part) for pair in options.items() for part in pair)]


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait_for_first(pipeline: OnlinePipeline, simulator: subprocess.Popen[str]) -> None:
    pause = threading.Event()
    while not pipeline.daq.last_train_id:
        if simulator.poll() is not None:
            raise BenchFailed("the simulator ended before its first train")
        pause.wait(0.02)
    pause.wait(WARM_UP_S)


@dataclass(slots=True)
class _Sampled:
    trains_per_s: float
    cores: Mapping[str, float]
    memory_mb: tuple[float, float]


def _sample(pipeline: OnlinePipeline, simulator: subprocess.Popen[str], seconds: float) -> _Sampled:
    """Watch cores, memory and trains for so long, or until the simulator ends."""
    me, other = psutil.Process(), psutil.Process(simulator.pid)
    began, memory = time.monotonic(), me.memory_info().rss / 2**20
    trains = pipeline.corrected.output.counters["trains_out"]
    before, other_before = seconds_by_part(me), _cpu_s(other)
    pause = threading.Event()
    while time.monotonic() - began < seconds - 1 and simulator.poll() is None:
        pause.wait(0.2)
        if simulator.poll() is None:
            other_after = _cpu_s(other)
    took = time.monotonic() - began
    cores = {part: (spent - before.get(part, 0)) / took for part, spent in seconds_by_part(me).items()}
    cores["simulator"] = (other_after - other_before) / took
    came = pipeline.corrected.output.counters["trains_out"] - trains
    return _Sampled(came / took, cores, (memory, me.memory_info().rss / 2**20))


def seconds_by_part(process: psutil.Process) -> dict[str, float]:
    """Core-seconds that the threads of this process have spent, by the part of the pipeline that they are."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    spent: dict[str, float] = {}
    for thread in process.threads():
        part = _part(names.get(thread.id, "libraries"))
        spent[part] = spent.get(part, 0.0) + thread.user_time + thread.system_time
    return spent


def _part(thread: str) -> str:
    for prefix, part in PARTS.items():
        if thread.startswith(prefix):
            return part
    return "other"


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _sent(simulator: subprocess.Popen[str]) -> dict[str, int]:
    """First train id and number of trains, as the simulator tells at its end."""
    answer, _ = simulator.communicate(timeout=60)
    try:
        said = json.loads(answer)
        return {"first": int(said["first_train_id"]), "trains": int(said["trains"])}
    except (ValueError, KeyError) as error:
        raise BenchFailed(f"the simulator did not say what it sent: {error}") from None


def _drain(pipeline: OnlinePipeline) -> None:
    """Let what is under way come out."""
    pause, deadline = threading.Event(), time.monotonic() + DRAIN_S
    while time.monotonic() < deadline and (not pipeline.daq.quiet() or pipeline.corrected.busy):
        pause.wait(0.05)
    pipeline.daq.end_run()
    while time.monotonic() < deadline and pipeline.corrected.busy:
        pause.wait(0.05)
    pipeline.corrected.output.flush()


def _taken(taker: subprocess.Popen[str]) -> int:
    """How many trains the client got."""
    answer, _ = taker.communicate(input="stop\n", timeout=30)
    try:
        return int(json.loads(answer)["trains"])
    except (ValueError, KeyError) as error:
        raise BenchFailed(f"the bridge client did not say what it got: {error}") from None
