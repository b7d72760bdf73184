"""Faults of the unit itself, beside those of its streams, files and requests."""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultSpec

UNIT_FAULTS: Final = (
    FaultSpec(
        "early_end",
        "The series ends in place of an image that is due, and of all that are due with it.",
        "missing frames of the series report, state idle",
    ),
    FaultSpec(
        "detector_error",
        "The hardware fails: the series is aborted, and nothing works before `initialize`.",
        "state error; missing frames of the series report",
    ),
    FaultSpec(
        "restart",
        "The service restarts: everything is forgotten, and no end message is sent.",
        "state na; ended of the series report is false",
    ),
)
