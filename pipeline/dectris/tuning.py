"""From start messages and the engine's measurements to facts and probes that the choice of sizes understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.dectris.engine import Measured, SeriesStart
from pipeline.dectris.tune import Choice, Facts, Probe

EXTERNAL_WAIT = ("exte", "extg", "inte", "eies")
"""Modes whose images come when somebody triggers each: the frame time tells nothing of the rate."""


def facts_of(start: SeriesStart, cores: int, memory_bytes: int) -> Facts:
    """What the start of a series announces, on a machine of so many cores and bytes."""
    dtype = start.dtype
    frame_time_s = _positive(start.config, "frame_time")
    return Facts(
        width=start.width,
        height=start.height,
        bit_depth=32 if dtype is None else dtype.itemsize * 8,
        compression=str(start.config.get("compression", "bslz4")),
        channels=len(start.channels),
        frame_time_s=None if start.trigger_mode in EXTERNAL_WAIT else frame_time_s,
        cores=cores,
        memory_bytes=memory_bytes,
    )


def probe_of(measured: Measured, choice: Choice, missing: int, dropped: int | None) -> Probe:
    """What a series that ran showed."""
    busy = measured.worker_busy
    return Probe(
        images=measured.images,
        seconds=measured.wall_s,
        mean_bytes=measured.bytes_mean,
        max_bytes=measured.bytes_max,
        images_per_slot=measured.frames_per_slot,
        receiver_busy=measured.receiver_busy,
        waits_for_slots=measured.slot_waits,
        workers_busy=sum(busy) / len(busy) if busy else 0.0,
        work_us=measured.reduce_us,
        hash_us=measured.hash_us,
        receive_us=measured.receive_us,
        missing=missing,
        dropped=dropped,
        workers=choice.workers,
        slots_high_water=measured.slots_used_max,
    )


def _positive(config: Mapping[str, Any], key: str) -> float | None:
    value = config.get(key)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
