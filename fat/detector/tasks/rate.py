"""Data loss and latency: trains at the nominal rate for a while, nothing written, everything counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from fat.detector.analyses.delivery import Delivery, Latency, delivery, latency_of
from fat.detector.devices import modules
from fat.detector.judging import Taken, judged
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
MATCHED: Final = Measurement("trains_matched", "1", "Trains of which all modules came, over those sent")
LATENCY: Final = (
    Measurement("latency_p50", "ms", "From a train's time to the matched train, median"),
    Measurement("latency_p99", "ms", "From a train's time to the matched train, 99th percentile"),
)
HANDLING: Final = (
    Measurement("handling_p50", "ms", "A train made, sent and taken in, wall time, median"),
    Measurement("handling_p99", "ms", "A train made, sent and taken in, wall time, 99th percentile"),
)
"""Where the clock skips, time stands still while data are on their way: there is no latency, only what a train costs."""


def measure(context: TaskContext) -> TaskResult:
    """Send trains, and balance what was sent against what came, module by module."""
    here = TaskSurroundings(context)
    wanted = here.parameters["rate"]
    trains = int(wanted["trains"])
    with here.pipeline() as pipeline, here.detector() as detector:
        detector.configure(gain_mode="adaptive", illumination=wanted["illumination"])
        pipeline.call("daq", "monitor")
        before, matched_before = pipeline.device("daq")["properties"], _matched(pipeline)
        first_tick_ns = (context.clock.now_ns() // TRAIN_PERIOD_NS + 1) * TRAIN_PERIOD_NS
        frames = int(detector.state()["frames"])
        detector.start(trains)
        took_s = []
        for number in range(trains):
            began = time.monotonic()
            context.clock.wait_until(first_tick_ns + number * TRAIN_PERIOD_NS + TRAIN_PERIOD_NS // 2)
            pipeline.wait_idle()
            took_s.append(time.monotonic() - began)
            context.progress(number + 1, trains, "trains")
        # Trains that a late module still holds leave behind the last one.
        pipeline.wait_idle()
        after, matched = pipeline.device("daq")["properties"], _matched(pipeline)
        pipeline.call("daq", "stop")
        real = None if _skips(here) else _latency(pipeline)
    whole = packets_for(layout(FORMATS[str(here.parameters["type"])], frames).total)
    taken, named = [], {}
    for module, device in modules(here.parameters):
        came = _delivery(str(module), trains, whole, before, after)
        taken += _of_module(device, came)
        named[device] = list(came.named)
        for sentence in came.named:
            context.note(f"{device}: {sentence}")
    detector_name = str(here.parameters["type"])
    if matched is not None and matched_before is not None:
        taken.append(Taken(detector_name, MATCHED, (matched - matched_before) / trains))
    shown, measurements = (latency_of(took_s), HANDLING) if real is None else (real, LATENCY)
    for measurement, value_s in zip(measurements, (shown.p50, shown.p99), strict=True):
        taken.append(Taken(detector_name, measurement, 1e3 * value_s))
    data.save(context.run_dir, "rate", took_ms=1e3 * np.array(took_s), skips=np.array(real is None))
    return judged(context, taken, {"trains": trains, "named": named})


def _of_module(device: str, came: Delivery) -> list[Taken]:
    why = f"{FLAWED.about}: {', '.join(came.named)}" if came.named else FLAWED.about
    return [
        Taken(device, RECEIVED, came.received),
        Taken(device, LOST, came.datagrams_lost),
        Taken(device, LATE, came.late),
        Taken(device, Measurement(FLAWED.name, FLAWED.unit, why), came.flawed),
    ]


def _delivery(
    module: str, trains: int, whole: int, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Delivery:
    def gained(table: str, name: str | None = None) -> int:
        was, now = (properties[table].get(module, 0) for properties in (before, after))
        return int(now - was if name is None else now.get(name, 0) - was.get(name, 0))

    flags = {name: gained("flags", name) for name in after["flags"].get(module, {})}
    different = gained("links", "datagrams") - gained("links", "duplicate_datagrams")
    return delivery(trains, whole, gained("trains_received"), different, flags)


def _matched(pipeline: OnlinePipeline) -> int | None:
    """Complete trains behind the raw matcher; None where the pipeline has none."""
    device = pipeline.devices().get("raw_appender")
    if device is None or "counters" not in device["properties"]:
        return None
    return int(device["properties"]["counters"].get("trains_complete", 0))


def _latency(pipeline: OnlinePipeline) -> Latency | None:
    device = pipeline.devices().get("raw_appender")
    found = {} if device is None else device["properties"].get("latency_ms", {})
    return Latency(*(found[q] / 1e3 for q in ("p50", "p99", "max"))) if found else None


def _skips(here: TaskSurroundings) -> bool:
    with JsonPeer("the bench's clock", here.address("control")) as control:
        return str(control.request("GET", "/clock")["mode"]) != "wall"
