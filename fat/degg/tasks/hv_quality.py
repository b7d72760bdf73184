"""High voltages that are off or unsteady: in words for people, and as judged quantities for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fat.degg.analyses.high_voltage import Readings
from fat.degg.results.quantity import Quantity
from fat.degg.tasks.photomultipliers import Pmt

ON = "monitoring-high-voltage"
SPREAD = "monitoring-high-voltage-spread"


def hv_sentences(reads: Mapping[Pmt, Readings]) -> list[str]:
    """What is wrong, a sentence for each fault."""
    return [f"{pmt.name}: {fault}" for pmt, read in reads.items() for fault in read.faults(pmt.entry.hv_1e7)]


def hv_quantities(reads: Mapping[Pmt, Readings], celsius: float) -> Iterator[Quantity]:
    """What reads say of each high voltage: its mean, and, if it is on, its spread."""
    for pmt, read in reads.items():
        yield _quantity(pmt, ON, read.mean, "V", "high voltage read back", celsius)
        if read.on:
            spread = read.std / read.mean
            yield _quantity(pmt, SPREAD, spread, "1", "spread of the high voltage's read-back", celsius)


def _quantity(pmt: Pmt, name: str, value: float, unit: str, about: str, celsius: float) -> Quantity:
    return Quantity(pmt.device.serial, pmt.part, "monitoring", name, value, unit, about, celsius, (name,))
