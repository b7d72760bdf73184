"""Transit time spread: charge stamps of modules and of the sync, on clocks that RAPCal ties (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.transit_time import Comb, TransitTime, differences, on_hub, syncs_of, transit_time
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station import ChargeStamps, Module
from fat.degg.station.data_files import DataFile, file_name, write
from fat.degg.station.needed import LASER, needs_instruments
from fat.degg.station.rapcal import DOM_PER_ICM, ICM_HZ, Exchange, exchange
from fat.degg.tasks.laser import (
    bring_up,
    check_light,
    counts_over,
    laser_on,
    longest_span,
    sync_threshold,
    told,
)
from fat.degg.tasks.light_files import LightFile, light_files
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

NAME: Final = "TransitTimeSpread"
TIMING_HZ: Final = 500.0
BLOCK: Final = 500
"""Sync pulses between two calibrations."""
SAMPLES: Final = 48
"""Of a record: enough for its charge, and short, because a board is blind while it records."""
SPE_SHARE: Final = 0.25
"""Threshold of single photoelectrons, of their height."""
SPE_VOLTS: Final = 3.5e-3
VOLTS_PER_COUNT: Final = 0.075e-3
MPE_COUNTS: Final = 300.0
PATIENCE_S: Final = 8.0
"""A block spans a second; a module that sees nothing is not waited for any longer."""
FIRST_STAMPS: Final = 1500
MOST_STAMPS: Final = 20_000
FLAGGED_NS: Final = 3.1
"""At many photoelectrons; the limit is higher."""


@dataclass(frozen=True, slots=True)
class Level:
    """A strength of light.

    filters  of both wheels: 0.0005 leaves single photoelectrons, 0.25 some hundred
    blocks   of 500 sync pulses
    """

    name: str
    filters: tuple[float, float]
    blocks: int


LEVELS: Final = (Level("mpe", (0.25, 1.0), 6), Level("spe", (0.05, 0.01), 48))
UNSEEN: Final = "too few pulses keep the laser's time; check its fibre"


@dataclass(slots=True)
class _Track:
    """What one board sent at one strength: stamps of each channel, and exchanges."""

    stamps: list[Mapping[int, ChargeStamps]] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)

    def ticks(self, channel: int) -> NDArray[np.int64]:
        return np.concatenate([block[channel].ticks for block in self.stamps])

    def calibration(self) -> dict[str, NDArray[np.float64]]:
        """Moments of the exchanges: ticks of 240 MHz after the first one, and ns of the hub."""
        first = self.exchanges[0]
        module = [DOM_PER_ICM * (e.module - first.module + e.module_part) for e in self.exchanges]
        hub = [(e.hub - first.hub + e.hub_part) / ICM_HZ * 1e9 for e in self.exchanges]
        return {"module_ticks": np.array(module), "hub_ns": np.array(hub)}

    @property
    def zero(self) -> int:
        """Tick of 240 MHz of the first exchange's whole part."""
        return DOM_PER_ICM * self.exchanges[0].module


@needs_instruments(*LASER)
@declares(leaves={"laser": "off"}, lasts_s=600.0)
def run_timing(
    context: TaskContext, comment: str, n_jobs: int = 4, mpe_blocks: int = 6, spe_blocks: int = 48
) -> TaskResult:
    """Charge stamps at many and at single photoelectrons, with a time calibration before and after each block.

    mpe_blocks, spe_blocks  of 500 pulses of the laser
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters: dict[str, Any] = {
            "LaserFreq": TIMING_HZ,
            "Events": BLOCK,
            "BlocksMpe": mpe_blocks,
            "BlocksSpe": spe_blocks,
        }
        papers = Papers(lab, [NAME], "tts", comment, parameters)
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        baselines = bring_up(lab, "Timing")
        arrays: dict[Pmt, dict[str, NDArray[Any]]] = {pmt: {} for pmt in lab.all}
        zeros: dict[Pmt, dict[str, int]] = {pmt: {} for pmt in lab.all}
        with laser_on(lab, TIMING_HZ):
            for level, blocks in zip(LEVELS, (mpe_blocks, spe_blocks), strict=True):
                lab.station.wheels.set(*level.filters)
                check_light(lab, TIMING_HZ)
                for modules in _side_by_side(lab):
                    thresholds = {m: _thresholds(lab, m, baselines[m], level.name) for m in modules}
                    boards = _blocks(lab, modules, thresholds, blocks, level.name)
                    table = boards.pop(lab.station.tabletop)
                    for pmt in (pmt for pmt in lab.all if pmt.module in boards):
                        arrays[pmt] |= _arrays(level.name, boards[pmt.module], pmt.channel, table)
                        zeros[pmt][f"{level.name}_zero"] = boards[pmt.module].zero
                        zeros[pmt][f"{level.name}_sync_zero"] = table.zero
        for pmt in lab.all:
            about = told(pmt, celsius, context.task_id, laser_hz=TIMING_HZ, **zeros[pmt])
            write(papers.folder / file_name(pmt.file_serial, pmt.entry.hv), arrays[pmt], about)
            papers.complete(pmt)
        return TaskResult(outputs={"folder": str(papers.folder), "photomultipliers": len(lab.all)})


def _side_by_side(lab: Photomultipliers) -> Iterator[list[Module]]:
    """Modules that may work at the same time: those with the same address of all wire pairs."""
    by_address: dict[int, list[Module]] = {}
    for module in lab.modules:
        by_address.setdefault(lab.station.wire_pair_of(module)[1], []).append(module)
    yield from by_address.values()


def _thresholds(
    lab: Photomultipliers, module: Module, baselines: Mapping[int, float], level: str
) -> dict[int, int]:
    if level == "mpe":
        return counts_over(baselines, MPE_COUNTS)
    found: dict[int, int] = {}
    for pmt in lab.all:
        if pmt.module is module:
            volts = pmt.entry.spe_peak_height or SPE_VOLTS
            over = {pmt.channel: baselines[pmt.channel]}
            found |= counts_over(over, SPE_SHARE * volts / VOLTS_PER_COUNT)
    return found


def _blocks(
    lab: Photomultipliers,
    modules: Sequence[Module],
    thresholds: Mapping[Module, Mapping[int, int]],
    blocks: int,
    level: str,
) -> dict[Module, _Track]:
    """Blocks of all boards side by side, between calibrations."""
    tabletop = lab.station.tabletop
    boards = {board: _Track() for board in (*modules, tabletop)}
    threshold = sync_threshold(tabletop)
    wanted = dict.fromkeys(modules, BLOCK if level == "mpe" else FIRST_STAMPS)
    _calibrate(lab, boards)
    for block in range(blocks):
        lab.context.progress(block, blocks, f"{level}, {modules[0].name} and those beside it")

        def work(module: Module) -> dict[int, ChargeStamps]:
            if module is tabletop:
                return tabletop.charge_stamps(BLOCK, channels=(0,), thresholds=(threshold,))
            return module.charge_stamps(
                wanted[module], thresholds=thresholds[module], samples=SAMPLES, patience_s=PATIENCE_S
            )

        # The tabletop board hangs on a wire pair of its own: it reads at the same time as the modules.
        found = lab.station.each([*modules, tabletop], work, lab.jobs + 1)
        syncs = found.pop(tabletop)
        boards[tabletop].stamps.append(syncs)
        for module, stamps in found.items():
            boards[module].stamps.append(stamps)
            wanted[module] = _next_count(stamps, syncs[0].span_s)
        lab.station.spend(max(longest_span(found), syncs[0].span_s))
        _calibrate(lab, boards)
    return boards


def _next_count(stamps: Mapping[int, ChargeStamps], seconds: float) -> int:
    """So many stamps of each channel that the next block spans the time of its sync pulses."""
    rates = [(len(s) - 1) / s.span_s for s in stamps.values() if s.span_s > 0]
    return int(min(MOST_STAMPS, max(50.0, 1.02 * max(rates, default=0.0) * seconds)))


def _calibrate(lab: Photomultipliers, boards: Mapping[Module, _Track]) -> None:
    def work(board: Module) -> Exchange:
        return exchange(board, *lab.station.wire_pair_of(board))

    for board, found in lab.station.each(list(boards), work, lab.jobs + 1).items():
        boards[board].exchanges.append(found)


def _arrays(level: str, board: _Track, channel: int, table: _Track) -> dict[str, NDArray[Any]]:
    own = {
        f"{level}_ticks": board.ticks(channel),
        f"{level}_charge": np.concatenate([block[channel].charge for block in board.stamps]),
        f"{level}_sync_ticks": table.ticks(0),
    }
    own |= {f"{level}_{name}": values for name, values in board.calibration().items()}
    return own | {f"{level}_sync_{name}": values for name, values in table.calibration().items()}


def analyse_timing(context: TaskContext) -> TaskResult:
    """Spread at many and at single photoelectrons, from the newest files."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    support: set[Path] = set()
    for file in light_files(context, NAME):
        found = dict.fromkeys(("mpe", "spe"), None) if file.data is None else spreads_of(file.data)
        quantities += _quantities(file, found)
        graphs += [_graph(file, level, result) for level, result in found.items() if result is not None]
        file.note(
            **{f"Sigma{level.capitalize()}": r.sigma_ns for level, r in found.items() if r is not None},
            **{f"Chi2{level.capitalize()}": r.reduced_chi2 for level, r in found.items() if r is not None},
        )
        if file.data is not None:
            support.add(file.data.path.parent)
        if any(result is None for result in found.values()):
            context.notify(f"Timing: {file.one.name}: {UNSEEN}", severity="warning")
        elif found["mpe"] is not None and found["mpe"].sigma_ns >= FLAGGED_NS:
            text = f"spread {found['mpe'].sigma_ns:.2f} ns at many photoelectrons"
            context.notify(f"Timing: {file.one.name}: {text}", severity="warning")
    return conclude(context, quantities, graphs=graphs, support=sorted(support))


def spreads_of(data: DataFile) -> dict[str, TransitTime | None]:
    """Transit time at each strength of light of a file."""
    found: dict[str, TransitTime | None] = {}
    for level in ("mpe", "spe"):
        period_ns = 1e9 / data.attributes["laser_hz"]
        syncs = syncs_of(_on_hub(data, f"{level}_sync"), period_ns)
        matched = differences(_on_hub(data, level), syncs.times_ns, period_ns)
        comb = Comb(syncs, data.arrays[f"{level}_module_ticks"], data.arrays[f"{level}_hub_ns"])
        found[level] = transit_time(matched, comb)
    return found


def _on_hub(data: DataFile, name: str) -> NDArray[np.float64]:
    arrays = data.arrays
    ticks = arrays[f"{name}_ticks"] - data.attributes[f"{name}_zero"]
    return on_hub(ticks, arrays[f"{name}_module_ticks"], arrays[f"{name}_hub_ns"])


def _quantities(file: LightFile, found: Mapping[str, TransitTime | None]) -> Iterator[Quantity]:
    for level, name, about in (
        ("mpe", "pmt-timing-resolution", "transit time spread at many photoelectrons"),
        ("spe", "spe-time-resolution", "transit time spread of single photoelectrons"),
    ):
        result = found[level]
        sigma = float("nan") if result is None else result.sigma_ns
        why = "" if isfinite(sigma) else f" ({UNSEEN})"
        yield file.quantity("timing", name, sigma, "ns", about + why)
    result = found["mpe"]
    chi2 = float("nan") if result is None else result.reduced_chi2
    why = "" if isfinite(chi2) else f" ({UNSEEN})"
    yield file.quantity(
        "timing", "pmt-timing-resolution-chi2", chi2, "1", f"reduced chi2 of that spread{why}"
    )


def _graph(file: LightFile, level: str, result: TransitTime) -> Graph:
    centre = float(result.edges[0])
    middle = 0.5 * (result.edges[1:] + result.edges[:-1]) - centre
    many = "many photoelectrons" if level == "mpe" else "single photoelectrons"
    return Graph(
        file.serial,
        file.part,
        "timing",
        f"transit-time-{level}",
        f"Arrival times at {many}",
        "time after the sync, from the window's start / ns",
        "pulses",
        result.edges - centre,
        result.counts,
        kind="steps",
        curves={"fit": (middle, result.curve)},
        text=f"sigma {result.sigma_ns:.2f} ns, chi2 {result.reduced_chi2:.2f}",
        temperature_c=file.celsius,
    )
