"""The ledger: every module's part of every train that was sent is received, or its loss has a reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NEVER_SENT = ("module_missing",)
"""Faults whose strikes are parts that never left the detector."""


@dataclass(slots=True)
class Ledger:
    """Counts over a soak, in module parts of trains."""

    sent: int = 0
    received: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Parts that were not taken in, by the counter or fault that says why."""

    @property
    def lost(self) -> int:
        """Parts that were sent, or should have been, and were not received."""
        return self.sent - self.received

    @property
    def unexplained(self) -> int:
        """Lost parts for which nothing gives a reason."""
        return max(0, self.lost - sum(self.reasons.values()))

    def enter(self, sent: int, received: int, reasons: Mapping[str, int]) -> int:
        """Add a segment; how many of its parts were lost without a reason."""
        self.sent += sent
        self.received += received
        for name, count in reasons.items():
            if count:
                self.reasons[name] = self.reasons.get(name, 0) + count
        return max(0, sent - received - sum(reasons.values()))


def reasons_for(counters: Mapping[str, int], struck: Mapping[str, int]) -> dict[str, int]:
    """What explains missing parts in a segment, each part once.

    counters  of the data acquisition: trains that came and could not be used, and frames that were none
    struck    how often each fault struck
    """
    found = {name: counters.get(name, 0) for name in ("trains_unusable", "malformed_frames", "no_slot")}
    found |= {f"fault {name}": struck.get(name, 0) for name in NEVER_SENT}
    return {name: count for name, count in found.items() if count > 0}
