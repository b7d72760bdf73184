"""Data loss and latency: trains at the nominal rate for a while, nothing written, everything counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from fat.detector.analyses.delivery import Delivery, behind, delivery, latency_of, taken_in_at
from fat.detector.devices import modules
from fat.detector.judging import Taken, judged
from fat.errors import BenchError
from fat.instruments.detector import DetectorControl
from fat.instruments.http import JsonPeer
from fat.instruments.online_pipeline import OnlinePipeline
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.acquisition import TRAIN_PERIOD_NS
from fat.tasks.surroundings import TaskSurroundings
from pipeline.daq.packets import packets_for
from pipeline.daq.xtdf import FORMATS, layout
from scheduler import TaskContext, TaskResult

RECEIVED: Final = Measurement("trains_received", "1", "Whole trains received, over those sent")
LOST: Final = Measurement("datagrams_lost", "1", "Datagrams lost, over those expected")
LATE: Final = Measurement("trains_late", "1", "Trains that came after their followers")
FLAWED: Final = Measurement("trains_flawed", "1", "Flaws of trains that came")
LATENCY: Final = (
    Measurement("latency_p50", "ms", "From a train's time until all its parts are taken in, median"),
    Measurement("latency_p99", "ms", "From a train's time until all its parts are taken in, 99th percentile"),
)
HANDLING: Final = (
    Measurement("handling_p50", "ms", "A train made, sent and taken in, wall time, median"),
    Measurement("handling_p99", "ms", "A train made, sent and taken in, wall time, 99th percentile"),
)
"""Where the clock skips, time stands still while data are under way: no latency, only what a train costs."""
NS_PER_S: Final = 1_000_000_000
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.001


def measure(context: TaskContext) -> TaskResult:
    """Send trains, and balance what was sent against what came, module by module."""
    here = TaskSurroundings(context)
    wanted, kind = here.parameters["rate"], str(here.parameters["type"])
    trains, skips = int(wanted["trains"]), _skips(here)
    with here.pipeline() as pipeline, here.detector() as detector:
        detector.configure(gain_mode="adaptive", illumination=wanted["illumination"])
        pipeline.call("daq", "monitor")
        before = pipeline.device("daq")["properties"]
        frames = int(detector.state()["frames"])
        seen = (_handle if skips else _follow)(context, detector, pipeline, trains)
        # Trains that a late module still holds leave behind the last one.
        pipeline.wait_idle()
        after = pipeline.device("daq")["properties"]
        pipeline.call("daq", "stop")
    final = [after["trains_received"][name] - came for name, came in before["trains_received"].items()]
    late = dict(zip(before["trains_received"], behind(seen.looks, final), strict=True))
    whole = packets_for(layout(FORMATS[kind], frames).total)
    taken, named = [], {}
    for module, device in modules(here.parameters):
        came = _delivery(str(module), trains, whole, before, after, late[str(module)])
        taken += _of_module(device, came)
        named[device] = list(came.named)
        for sentence in came.named:
            context.note(f"{device}: {sentence}")
    shown = latency_of(seen.took_s)
    for measurement, value_s in zip(HANDLING if skips else LATENCY, (shown.p50, shown.p99), strict=True):
        taken.append(Taken(kind, measurement, 1e3 * value_s))
    data.save(context.run_dir, "rate", took_ms=1e3 * np.array(seen.took_s), skips=np.array(skips))
    return judged(context, taken, {"trains": trains, "named": named})


def _ticks(context: TaskContext, trains: int) -> range:
    """Times of the trains that are about to be ordered, simulated ns."""
    first = (context.clock.now_ns() // TRAIN_PERIOD_NS + 1) * TRAIN_PERIOD_NS
    return range(first, first + trains * TRAIN_PERIOD_NS, TRAIN_PERIOD_NS)


@dataclass(slots=True)
class Seen:
    """What was seen of the trains while they came."""

    looks: list[tuple[float, list[int]]] = field(default_factory=list)
    """Wall time, and how many trains of each module had come."""
    took_s: list[float] = field(default_factory=list)
    """How long each train took."""


def _handle(context: TaskContext, detector: DetectorControl, pipeline: OnlinePipeline, trains: int) -> Seen:
    """Where the clock skips: wall time that each train takes, from the clock's jump until nothing is left to do."""
    before = pipeline.call("daq", "idle")["trains_received"]
    ticks, seen = _ticks(context, trains), Seen()
    detector.start(trains)
    for number, tick_ns in enumerate(ticks, start=1):
        began = time.monotonic()
        context.clock.wait_until(tick_ns + TRAIN_PERIOD_NS // 2)
        came = pipeline.wait_idle()["trains_received"]
        now = time.monotonic()
        seen.took_s.append(now - began)
        seen.looks.append((now, _gained(came, before)))
        context.progress(number, trains, "trains")
    return seen


def _follow(context: TaskContext, detector: DetectorControl, pipeline: OnlinePipeline, trains: int) -> Seen:
    """In real time: from each train's tick until all its parts are taken in. Nothing waits for a train that is lost."""
    before = pipeline.call("daq", "idle")["trains_received"]
    ticks, pause, seen = _ticks(context, trains), threading.Event(), Seen()
    # Simulated time is wall time here, but for where it begins.
    zero_s = time.monotonic() - context.clock.now_ns() / NS_PER_S
    detector.start(trains)
    last_s = zero_s + ticks[-1] / NS_PER_S
    while True:
        answer = pipeline.call("daq", "idle")
        now_s, counts = time.monotonic(), _gained(answer["trains_received"], before)
        if not seen.looks or seen.looks[-1][1] != counts:
            seen.looks.append((now_s, counts))
            context.progress(min(counts), trains, "trains")
        if min(counts) >= trains or (now_s > last_s and answer["idle"] and _sent(detector)):
            break
        if now_s > last_s + PATIENCE_S:
            raise BenchError(f"the detector still sends {PATIENCE_S:.0f} s after its last train was due")
        pause.wait(LOOK_S)
    due_s = [zero_s + tick_ns / NS_PER_S for tick_ns in ticks]
    seen.took_s = [at - due for at, due in zip(taken_in_at(seen.looks, trains), due_s, strict=False)]
    return seen


def _gained(now: Mapping[str, int], before: Mapping[str, int]) -> list[int]:
    return [now[module] - count for module, count in before.items()]


def _sent(detector: DetectorControl) -> bool:
    return str(detector.state()["state"]) == "PASSIVE"


def _of_module(device: str, came: Delivery) -> list[Taken]:
    why = f"{FLAWED.about}: {', '.join(came.named)}" if came.named else FLAWED.about
    return [
        Taken(device, RECEIVED, came.received),
        Taken(device, LOST, came.datagrams_lost),
        Taken(device, LATE, came.late),
        Taken(device, Measurement(FLAWED.name, FLAWED.unit, why), came.flawed),
    ]


def _delivery(
    module: str, trains: int, whole: int, before: Mapping[str, Any], after: Mapping[str, Any], late: int
) -> Delivery:
    def gained(table: str, name: str | None = None) -> int:
        was, now = (properties[table].get(module, 0) for properties in (before, after))
        return int(now - was if name is None else now.get(name, 0) - was.get(name, 0))

    flags = {name: gained("flags", name) for name in after["flags"].get(module, {})}
    different = gained("links", "datagrams") - gained("links", "duplicate_datagrams")
    return delivery(trains, whole, gained("trains_received"), different, flags, late)


def _skips(here: TaskSurroundings) -> bool:
    with JsonPeer("the bench's clock", here.address("control")) as control:
        return str(control.request("GET", "/clock")["mode"]) != "wall"
