"""All measurements together, as tables for people and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from pipeline.bench import end_to_end, growth, kernel, offline, peers
from pipeline.bench.end_to_end import EndToEnd, Load
from pipeline.bench.growth import Growth
from pipeline.bench.kernel import KernelResult
from pipeline.bench.offline import OfflineResult
from pipeline.bench.peers import PeerResult

SECTIONS: Final = ("kernel", "end_to_end", "half", "highest", "every_train", "peers", "offline", "growth")
MODULES: Final = (1, 2, 4, 8, 16)
FRAMES: Final = (16, 32, 64, 128, 352)
STEP: Final = 1.15
"""The highest rate is looked for in steps of this factor."""


@dataclass(slots=True)
class Report:
    """What was measured; None: not asked for."""

    kernel: KernelResult | None = None
    loads: dict[str, EndToEnd] = field(default_factory=dict)
    """end_to_end, half, highest, every_train."""
    peers: PeerResult | None = None
    offline: OfflineResult | None = None
    growth: Growth | None = None


def measure(
    sections: tuple[str, ...], seconds: float, peer: Path | None, tell: Callable[[str], None]
) -> Report:
    """Measure the sections in their order; each is told of as it begins."""
    report = Report()
    if "kernel" in sections:
        tell("kernel")
        report.kernel = kernel.measure()
    loads = {
        "end_to_end": Load(seconds=seconds),
        "half": Load(frames=13, seconds=min(seconds, 60)),
        "every_train": Load(
            frames=20, seconds=min(seconds, 60), bridge_every_nth=1, bridge_keys=("image.data",)
        ),
    }
    for name, load in loads.items():
        if name in sections:
            tell(f"{name}: {load.images_per_s:.0f} images/s for {load.seconds:.0f} s")
            report.loads[name] = end_to_end.measure(load)
    if "highest" in sections:
        report.loads["highest"] = highest(min(seconds, 20), tell)
    if "peers" in sections:
        tell("peers")
        report.peers = peers.measure(peer)
    if "offline" in sections:
        tell("offline")
        report.offline = offline.measure()
    if "growth" in sections:
        report.growth = growth.measure(MODULES, FRAMES, min(seconds, 8), 300, tell)
    return report


def highest(seconds: float, tell: Callable[[str], None]) -> EndToEnd:
    """The highest rate at which every train comes through and the latency stays below half a second."""
    load, best = Load(seconds=seconds), None
    while True:
        tell(f"highest: {load.images_per_s:.0f} images/s?")
        result = end_to_end.measure(load)
        if not (result.holds and result.latency_ms["p99"] < 500):
            return best or result
        best = result
        load = replace(load, frames=max(load.frames + 1, round(load.frames * STEP)))


def as_json(report: Report) -> dict[str, Any]:
    """Numbers by section, for programs."""
    found: dict[str, Any] = {
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        }
    }
    if (k := report.kernel) is not None:
        found["kernel"] = {
            "images_per_s_per_core": k.images_per_s_per_core,
            "core_ms_per_module_image": k.core_ms_per_module_image,
            "vs_numpy": k.vs_numpy,
            "vs_triad": k.vs_triad,
            "triad_gb_per_s": k.triad_gb_per_s,
        }
    for name, result in report.loads.items():
        found[name] = {
            "images_per_s": result.images_per_s,
            "latency_p50_ms": result.latency_ms["p50"],
            "latency_p99_ms": result.latency_ms["p99"],
            "trains": dict(result.trains),
            "client_trains": result.client_trains,
            "core_ms_per_image": result.core_ms_per_image,
            "memory_mb": list(result.memory_mb),
        }
    if (p := report.peers) is not None:
        found["peers"] = {"ours_gb_per_s": p.ours_gb_per_s, "karabo_bridge_gb_per_s": p.peer_gb_per_s}
    if (o := report.offline) is not None:
        found["offline"] = {
            "raw_gb_per_s": o.corrected_gb_per_s,
            "copy_gb_per_s": o.copied_gb_per_s,
            "vs_copy": o.ratio,
            "written_bytes_per_raw_byte": o.written_bytes_per_raw_byte,
        }
    if (g := report.growth) is not None:
        found["growth"] = {
            "core_ms_per_train": g.per_train_ms,
            "core_ms_per_image": g.per_image_ms,
            "points": [
                {
                    "modules": point.load.modules,
                    "frames": point.load.frames,
                    "images_per_s": point.images_per_s,
                    "core_ms_per_train": 100 * sum(point.cores.values()),
                    "lost": point.trains["lost"],
                }
                for point in g.points
            ],
        }
    return found


def show(report: Report, console: Console) -> None:
    """Print tables."""
    if report.kernel is not None:
        console.print(_kernel_table(report.kernel))
    if report.loads:
        console.print(_load_table(report.loads))
        console.print(_cost_table(report.loads))
    if (p := report.peers) is not None:
        table = _table("Bridge: the same client takes trains of 64 pulses", "server", "GB/s", "ratio")
        table.add_row("Stellwerk", f"{p.ours_gb_per_s:.2f}", "1.00")
        if p.peer_gb_per_s is not None and p.ratio is not None:
            table.add_row("karabo-bridge-server-sim", f"{p.peer_gb_per_s:.2f}", f"{1 / p.ratio:.2f}")
        console.print(table)
    if (o := report.offline) is not None:
        table = _table("Offline", "what", "GB of raw data/s", "ratio")
        table.add_row("read, correct, compress, write", f"{o.corrected_gb_per_s:.3f}", f"{o.ratio:.2f}")
        table.add_row("plain copy of the same files", f"{o.copied_gb_per_s:.3f}", "1.00")
        console.print(table)
    if (g := report.growth) is not None:
        table = _table(
            "Growth, ten trains a second", "modules", "frames", "images/s", "core-ms/train", "lost"
        )
        for point in g.points:
            cost = 100 * sum(point.cores.values())
            table.add_row(
                str(point.load.modules), str(point.load.frames), f"{point.images_per_s:.0f}", f"{cost:.1f}",
                str(point.trains["lost"]),
            )  # fmt: skip
        console.print(table)
        console.print(
            f"fit: {g.per_train_ms:.2f} core-ms for each train + {g.per_image_ms:.2f} for each image of 16 modules"
        )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _kernel_table(k: KernelResult) -> Table:
    table = _table("Kernel, one core", "what", "images/s", "GB/s (33 B/pixel)", "ratio")
    table.add_row("fast", f"{k.images_per_s_per_core:.0f}", f"{k.gb_per_s:.1f}", "1.00")
    table.add_row(
        "plain numpy", f"{k.numpy_images_per_s:.1f}", f"{k.gb_per_s / k.vs_numpy:.2f}", f"1/{k.vs_numpy:.1f}"
    )
    table.add_row("memory triad", "", f"{k.triad_gb_per_s:.1f}", f"{1 / k.vs_triad:.2f}")
    return table


def _load_table(loads: dict[str, EndToEnd]) -> Table:
    columns = (
        "asked",
        "images/s",
        "p50 ms",
        "p99 ms",
        "sent",
        "received",
        "corrected",
        "shed",
        "lost",
        "client",
    )
    table = _table("End to end, ten trains a second, 16 modules", "load", *columns)
    for name, r in loads.items():
        counts = (str(r.trains[key]) for key in ("sent", "received", "corrected", "shed", "lost"))
        table.add_row(
            name, f"{r.load.images_per_s:.0f}", f"{r.images_per_s:.0f}", f"{r.latency_ms['p50']:.0f}",
            f"{r.latency_ms['p99']:.0f}", *counts, str(r.client_trains),
        )  # fmt: skip
    return table


def _cost_table(loads: dict[str, EndToEnd]) -> Table:
    parts = list(dict.fromkeys(part for r in loads.values() for part in r.cores))
    table = _table("Core-milliseconds for each image, by part", "part", *loads)
    for part in parts:
        table.add_row(part, *(f"{r.core_ms_per_image.get(part, 0):.2f}" for r in loads.values()))
    table.add_row("together", *(f"{sum(r.core_ms_per_image.values()):.2f}" for r in loads.values()))
    return table
