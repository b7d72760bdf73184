"""Air of the box, by the mainboards in it: what they read, less what they are warmer by their own work.

A board that has been without power is as cold as its vessel, and takes an hour or two to become warm again. No board
tells how long it was without: the cold boot writes that into its entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from fat.degg.records.device_file import DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.station.module import Module
from scheduler import TaskContext

WARMTH_C: Final = 12.5
"""A mainboard runs 10 to 15 C warmer than the air of the box."""
WARM_UP_H: Final = 0.5
"""In which a board comes within 1/e of that, and cools down. Were it half or twice as long, the box would be thought
3 C off at most, for a while."""
COLD_BOOT: Final = "ColdBoot"
"""Entries in the modules' files."""
OFF_H: Final = "HoursOff"
ON_AGAIN_NS: Final = "PowerAgainNs"
"""Of the bench's time."""


def box_celsius(context: TaskContext, boards: Mapping[Module, float]) -> float:
    """Air of the box, C, as the median mainboard has it; NaN without any.

    boards  temperatures of the run's mainboards, C
    """
    if not boards:
        return float("nan")
    run = RunFile.open(context.parameters["run_file"])
    devices, now_ns = {device.port: device for device in run.devices()}, context.clock.now_ns()
    return float(
        np.median([read - warmth_c(devices[module.port], now_ns) for module, read in boards.items()])
    )


def without_power(hours: float, now_ns: int) -> dict[str, Any]:
    """For the entry of a cold boot whose power has just come again after so many hours."""
    return {OFF_H: round(hours, 3), ON_AGAIN_NS: now_ns}


def warmth_c(device: DeviceFile, now_ns: int) -> float:
    """How much warmer than the air of the box a mainboard is by now, C."""
    latest = device.latest(None, COLD_BOOT)
    entry = {} if latest is None else latest[1]
    if ON_AGAIN_NS not in entry:
        return WARMTH_C
    on_h = (now_ns - int(entry[ON_AGAIN_NS])) / 3600e9
    if on_h < 0.0:
        return WARMTH_C  # another clock: a bench that began anew
    cooled = 1.0 - math.exp(-float(entry[OFF_H]) / WARM_UP_H)
    return WARMTH_C * (1.0 - cooled * math.exp(-on_h / WARM_UP_H))
