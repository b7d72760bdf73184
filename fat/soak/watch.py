"""One look at a bench that is up: the pipeline's devices, and the processes' memory."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import psutil

from fat.instruments.online_pipeline import OnlinePipeline
from fat.soak.verdict import Sample


def look(
    at_s: float, pipeline: OnlinePipeline, processes: Mapping[str, psutil.Process], sending: bool
) -> Sample:
    """Sample rates, latency, memory and handles. What a process that is gone would say is left out."""
    matcher = pipeline.device("matcher")["properties"]
    latency = matcher["latency_ms"]
    memory: dict[str, float] = {}
    handles = 0
    for name, process in processes.items():
        with contextlib.suppress(psutil.Error):
            memory[name] = process.memory_full_info().pss / 2**20
            handles += process.num_fds()
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
    )


def acquisition_counters(pipeline: OnlinePipeline) -> dict[str, Any]:
    """Counters of the data acquisition that the ledger needs: parts received, and why others were not."""
    daq = pipeline.device("daq")["properties"]
    links = daq["links"].values()
    return {
        "received": sum(daq["trains_received"].values()),
        "no_slot": sum(link.get("no_slot", 0) for link in links),
        **{name: daq["counters"].get(name, 0) for name in ("trains_unusable", "malformed_frames")},
    }
