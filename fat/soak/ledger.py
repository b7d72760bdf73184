"""The ledger: every module's part of every train that was sent is received, or its loss has a reason; and every part
that was received comes out, or its loss has a reason. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NEVER_SENT: Final = ("module_missing",)
"""Faults whose strikes are parts that never left the detector."""
UNUSABLE: Final = ("trains_unusable", "malformed_frames", "no_slot")
"""Counters of the data acquisition: trains that came and could not be used, frames that were none, no room."""


@dataclass(slots=True)
class Book:
    """What went into one part of the chain and what came out of it, in module parts of trains."""

    entered: int = 0
    left: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Parts that did not come out, by the counter or fault that says why."""
    unexplained: int = 0
    """Parts that did not come out and have no reason, each segment judged by itself."""
    surplus: int = 0
    """Reasons beyond the parts that were lost: a part that came in two pieces is counted twice."""

    @property
    def lost(self) -> int:
        """Parts that entered, or should have, and did not come out."""
        return self.entered - self.left

    def enter(self, entered: int, left: int, reasons: Mapping[str, int]) -> int:
        """Add a segment; how many of its parts were lost without a reason."""
        self.entered += entered
        self.left += left
        for name, count in reasons.items():
            if count:
                self.reasons[name] = self.reasons.get(name, 0) + count
        missing = entered - left - sum(reasons.values())
        self.unexplained += max(0, missing)
        self.surplus += max(0, -missing)
        return max(0, missing)


@dataclass(slots=True)
class Ledger:
    """Both books of a soak."""

    acquisition: Book = field(default_factory=Book)
    """From what the detector sent to what the acquisition took in."""
    correction: Book = field(default_factory=Book)
    """From there to what left as a part of a matched train."""

    @property
    def unexplained(self) -> int:
        """Parts lost without a reason, in both."""
        return self.acquisition.unexplained + self.correction.unexplained

    @property
    def lost(self) -> int:
        """Parts that were sent, or should have been, and did not come out at the end."""
        return self.acquisition.lost + self.correction.lost


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters of the pipeline at one moment, or what they gained in a segment."""

    received: int
    """Parts that the acquisition passed on."""
    came_out: int
    """Parts in matched trains."""
    unusable: Mapping[str, int]
    """Why the acquisition did not pass parts on."""
    dropped: Mapping[str, int]
    """Why parts that it passed on are in no matched train."""

    def since(self, before: Counted) -> Counted:
        """What was gained since an earlier moment."""
        return Counted(
            self.received - before.received,
            self.came_out - before.came_out,
            _gained(self.unusable, before.unusable),
            _gained(self.dropped, before.dropped),
        )


def reasons_for(unusable: Mapping[str, int], struck: Mapping[str, int]) -> dict[str, int]:
    """What explains parts that the acquisition did not pass on.

    struck  how often each fault struck
    """
    found = {name: unusable.get(name, 0) for name in UNUSABLE}
    found |= {f"fault {name}": struck.get(name, 0) for name in NEVER_SENT}
    return {name: count for name, count in found.items() if count > 0}


def _gained(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in after.items()}
