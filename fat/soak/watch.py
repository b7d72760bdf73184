"""One look at a bench that is up: the pipeline's devices, and the processes' memory."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from fat.instruments.online_pipeline import OnlinePipeline
from fat.soak.ledger import Counted
from fat.soak.verdict import Sample

STAGES: Final = ("daq", "correction", "matcher", "raw_appender", "appender")
"""Devices whose problems are problems of the soak."""
DROPPED_BY_MATCHER: Final = (
    *("modules_late", "modules_repeated", "modules_ahead", "modules_pulses_differ"),
    *("modules_too_few_modules", "modules_mandatory_missing", "parts_not_running"),
)
DROPPED_BY_CORRECTION: Final = ("trains_failed", "trains_without_constants", "parts_not_running")


def look(
    at_s: float,
    pipeline: OnlinePipeline,
    processes: Mapping[str, psutil.Process],
    folder: Path,
    sending: bool,
) -> Sample:
    """Sample rates, latency, memory and handles. What a process that is gone would say is left out."""
    matcher = pipeline.device("matcher")["properties"]
    latency = matcher["latency_ms"]
    memory: dict[str, float] = {}
    handles = threads = 0
    for name, process in processes.items():
        with contextlib.suppress(psutil.Error):
            memory[name] = process.memory_full_info().pss / 2**20
            handles += process.num_fds()
            threads += process.num_threads()
    return Sample(
        at_s=at_s,
        trains_out=int(matcher["counters"].get("trains_out", 0)),
        trains_per_s=float(matcher["trains_per_s"]),
        images_per_s=float(matcher["images_per_s"]),
        p50_ms=float(latency.get("p50", 0)),
        p99_ms=float(latency.get("p99", 0)),
        memory_mb=memory,
        handles=handles,
        sending=sending,
        threads=threads,
        waiting=int(pipeline.device("pipeline")["properties"]["parts_in_work"]),
        disk_free_mb=shutil.disk_usage(folder).free / 2**20,
    )


def counted(pipeline: OnlinePipeline) -> Counted:
    """Counters that the ledger needs: parts taken in and out, and why others were not."""
    daq = pipeline.device("daq")["properties"]
    matcher = pipeline.device("matcher")["properties"]["counters"]
    correction = pipeline.device("correction")["properties"]
    accounting = pipeline.device("pipeline")["properties"]["accounting"]
    splitter = pipeline.device("splitter")["properties"]["counters"]
    queue = correction["queue"]
    return Counted(
        received=sum(daq["trains_received"].values()),
        came_out=matcher.get("modules_out", 0),
        unusable={
            "no_slot": sum(link.get("no_slot", 0) for link in daq["links"].values()),
            **{name: daq["counters"].get(name, 0) for name in ("trains_unusable", "malformed_frames")},
        },
        dropped={
            "shed": accounting["parts_shed"],
            "not split on": sum(splitter.get(name, 0) for name in ("trains_skipped", "trains_empty")),
            "queue full": sum(queue.get(name, 0) for name in ("dropped_oldest", "dropped_newest")),
            **_of("matcher", matcher, DROPPED_BY_MATCHER),
            **_of("correction", correction["counters"], DROPPED_BY_CORRECTION),
        },
    )


def problems(pipeline: OnlinePipeline) -> list[str]:
    """Stages in ERROR, and why."""
    found = []
    for name in STAGES:
        device = pipeline.device(name)
        if device["state"] == "ERROR":
            found.append(f"{name} is in ERROR: {device['properties'].get('problem', '')}")
    return found


def _of(stage: str, counters: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    return {f"{stage} {name}": int(counters.get(name, 0)) for name in names}
