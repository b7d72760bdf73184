"""Simulated time: an integer of nanoseconds since the epoch of the bench."""

from __future__ import annotations

from typing import Final, NewType

SimTime = NewType("SimTime", int)
"""Nanoseconds of simulated time since the bench's epoch. Never a float, never wall time."""

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
