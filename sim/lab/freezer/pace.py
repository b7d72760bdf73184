"""The rule that instruments want a pause between two messages."""

from __future__ import annotations

from typing import Final

from sim.kernel import NS_PER_S, FaultBoard, FaultSpec, SimTime

HASTY_FAULT: Final = FaultSpec(
    "miss_hasty_writes",
    "Loses each message that comes sooner after the one before than the instrument's pause (Thermotron 1 s, Julabo "
    "0.25 s), in the bench's time.",
    "the client's time-out, or a set-point that did not change",
)


class Pace:
    """Watches the pauses of one instrument, over all its connections."""

    def __init__(self, gap_s: float, faults: FaultBoard) -> None:
        self._gap_ns, self._faults = round(gap_s * NS_PER_S), faults
        self._last: SimTime | None = None

    def loses(self, now: SimTime) -> bool:
        """Whether the message that comes now is lost."""
        hasty = self._last is not None and now - self._last < self._gap_ns
        if hasty and self._faults.strike(HASTY_FAULT.name) is not None:
            return True
        self._last = now
        return False
