"""What a self-test is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fat.degg.station import Module, StationError
from fat.degg.station.wire_pair import WirePair


class Outcome(StrEnum):
    """Of one self-test."""

    PASS = "PASS"
    FAIL = "FAIL"
    """The module is not as it should be."""
    ERROR = "ERROR"
    """The test could not be done: the module does not answer, or refuses."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module under test."""

    module: Module
    pair: WirePair
    address: int
    """On the wire pair."""
    fpga_version: int
    """Recorded when the run was made."""


@dataclass(slots=True)
class Finding:
    """What a test saw: values for its record, and a phrase for each fault."""

    values: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def demand(self, good: bool, fault: str) -> None:
        """A fault unless it is good."""
        if not good:
            self.faults.append(fault)

    def demand_within(self, name: str, value: float, low: float, high: float, unit: str) -> None:
        """Keep a value, which must lie between two bounds."""
        self.values[name] = round(value, 6)
        self.demand(low <= value <= high, f"{name} is {value:.4g} {unit}, not {low:g} to {high:g} {unit}")


Test = Callable[[Subject], Finding]


def record(name: str, finding: Finding | None, error: StationError | None = None) -> dict[str, Any]:
    """The JSON of a test."""
    if finding is None:
        return {"test": name, "outcome": str(Outcome.ERROR), "why": str(error), "values": {}}
    outcome = Outcome.FAIL if finding.faults else Outcome.PASS
    return {
        "test": name,
        "outcome": str(outcome),
        "why": "; ".join(finding.faults),
        "values": dict(finding.values),
    }


def carried_out(subject: Subject, tests: Mapping[str, Test]) -> dict[str, dict[str, Any]]:
    """All tests of one module, by name; one that fails or cannot be done does not keep the others from it."""
    found = {}
    for name, test in tests.items():
        try:
            found[name] = record(name, test(subject))
        except StationError as error:
            found[name] = record(name, None, error)
    return found
