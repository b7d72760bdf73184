"""Scalers of many modules: all count in the same periods, so that they cost the time of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.station.acquisition import Trigger
from fat.degg.station.module import Module

if TYPE_CHECKING:
    from fat.degg.station.station import Station

PERIOD_US: Final = 100_000
DEAD_CYCLES: Final = 24
"""100 ns at 240 MHz."""
MARGIN: Final = 1e-3
"""A board's clock may be so much slower than ours."""


def count_scalers(
    station: Station,
    thresholds: Mapping[Module, Mapping[int, int]],
    n: int,
    *,
    trigger: Trigger = "fir",
    period_us: int = PERIOD_US,
    dead_cycles: int = DEAD_CYCLES,
    jobs: int = 4,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[Module, dict[int, NDArray[np.int64]]]:
    """*n* counts of each channel: `counts[module][channel]`, (n) counts of a period each. Only on the main thread.

    thresholds  by module and channel: the filter's output (`fir_threshold`), or ADC counts with trigger `threshold`

    The rate is N / (T - N x dead): periods do not know of the time in which the scaler was blind.
    """
    modules = list(thresholds)
    channels = {module: sorted(thresholds[module]) for module in modules}

    def start(module: Module) -> None:
        module.start_scalers(
            thresholds[module], period_us=period_us, dead_cycles=dead_cycles, trigger=trigger
        )

    station.each(modules, start, jobs)
    found: dict[Module, list[Sequence[int]]] = {module: [] for module in modules}
    try:
        for number in range(n):
            station.wait(period_us * (1 + MARGIN) / 1e6)
            counts = station.each(modules, lambda module: module.scaler_counts(channels[module]), jobs)
            for module, row in counts.items():
                found[module].append(row)
            progress(number + 1, n)
    finally:
        station.on_each(modules, lambda module: module.stop_triggers(channels[module]), jobs)
    return {
        module: dict(zip(channels[module], np.array(rows, np.int64).reshape(n, -1).T, strict=True))
        for module, rows in found.items()
    }
