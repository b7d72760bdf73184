"""What an instrument shows of a true value."""

from __future__ import annotations

from typing import Final

from sim.kernel import NS_PER_S, FaultBoard, FaultSpec, SimTime

READING_FAULTS: Final = (
    FaultSpec(
        "freeze_value",
        "Measured values stay what they were when the fault was first met.",
        "the value does not follow its set-point; a monitoring task names the instrument",
    ),
    FaultSpec(
        "drift_value",
        "Measured values drift away from the truth, in their own unit for each hour.",
        "the value leaves its window; a monitoring task names the instrument",
        {"per_hour": 1.0},
    ),
)
"""Faults of instruments that measure something."""


class Readings:
    """Measured values of one instrument, by name."""

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._frozen: dict[str, float] = {}
        self._drifting_since: SimTime | None = None

    def shown(self, name: str, true: float, now: SimTime) -> float:
        """The value that the instrument shows for a true one of that name."""
        value = true + self._drift(now)
        if not self._faults.is_on("freeze_value"):
            self._frozen.clear()
            return value
        self._faults.strike("freeze_value")
        return self._frozen.setdefault(name, value)

    def _drift(self, now: SimTime) -> float:
        fault = self._faults.strike("drift_value")
        if fault is None:
            self._drifting_since = None
            return 0.0
        if self._drifting_since is None:
            self._drifting_since = now
        return float(fault.parameters["per_hour"]) * (now - self._drifting_since) / (3600 * NS_PER_S)
