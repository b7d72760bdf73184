"""What the links of all modules counted: for operators module by module, and together where it stands for losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pipeline.daq.receiver import ModuleLink, dropped_datagrams, receive_buffer_bytes

LOSSES: Final = ("no_slot", "late_datagrams", "number_out_of_range", "malformed_datagrams")
"""Counters of links and assemblers that stand for lost data and are in no flag."""


def losses(links: Sequence[ModuleLink], flags: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Everything that stands for lost or wrong data, all modules together."""
    found = Counter({"kernel_dropped": sum(dropped_datagrams(link.sock) for link in links)})
    for of_module in flags:
        found.update(of_module)
    for link in links:
        counters = {**link.assembler.counters, **link.counters}
        found.update({name: counters.get(name, 0) for name in LOSSES})
    return found


def by_module(links: Sequence[ModuleLink]) -> dict[int, dict[str, int]]:
    """What links and assemblers counted."""
    return {
        link.module: {
            **link.assembler.counters,
            **link.counters,
            "kernel_dropped": dropped_datagrams(link.sock),
            "receive_buffer_bytes": receive_buffer_bytes(link.sock),
        }
        for link in links
    }
