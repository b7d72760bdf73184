"""What a channel hands to its console."""

from __future__ import annotations

from dataclasses import dataclass

from sim.kernel import SimTime


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes that were asked for.

    On a clock that follows the wall the console waits until `ready_at`; on others it answers at once, and the
    channel's cursor runs ahead of the clock.
    """

    data: bytes
    ready_at: SimTime
    """When the last event has happened and its record ended."""
    complete: bool = True
    """False: the events never come (no trigger for a minute), the board stays silent; `data` is what there was."""
