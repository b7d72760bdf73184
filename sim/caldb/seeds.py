"""Rows that a new catalogue holds: the names, and where public material shows them the ids, of the real one."""

from __future__ import annotations

from typing import Final

INSTRUMENTS: Final = ("SPB", "MID", "FXE", "SCS", "SQS", "HED")

DETECTOR_TYPES: Final = {
    1: "LPD-Type",
    2: "AGIPD-Type",
    3: "FastCCD-Type",
    4: "jungfrau-Type",
    5: "ePix100-Type",
    6: "ignore-type",
    7: "DSSC-Type",
    8: "pnCCD-Type",
    9: "ePix10K-Type",
    10: "CAL_TEST_DETECTOR_Type",
    11: "Gotthard2-Type",
    12: "REMI-Type",
    13: "ShimadzuHPVX2-Type",
}

CALIBRATIONS: Final = {
    1: "Offset",
    2: "Noise",
    11: "ThresholdsDark",
    14: "BadPixelsDark",
    15: "BadPixelsPC",
    17: "SlopesPC",
    19: "SlopesFF",
    20: "BadPixelsFF",
    21: "Offset10Hz",
    22: "Noise10Hz",
    23: "BadPixelsDark10Hz",
    30: "RelativeGain10Hz",
    39: "BadPixelsFF10Hz",
    42: "GainAmpMap",
    43: "FFMap",
    44: "RelativeGain",
    52: "SlopesCS",
    53: "BadPixelsCS",
    54: "DynamicFF",
}

FEEDBACK_CAPACITOR: Final = 15
DETECTOR_UUID: Final = 12
MEMORY_CELL_ORDER: Final = 30
"""The one parameter of these that holds a text."""

PARAMETERS: Final = {
    1: "Sensor Temperature",
    2: "Sensor Bias Voltage",
    3: "Memory cells",
    4: "Pixels X",
    5: "Pixels Y",
    6: "Acquisition rate",
    7: "Gain setting",
    8: "Gain mode",
    9: "Integration time",
    10: "Source energy",
    11: "Exposure timeout",
    DETECTOR_UUID: "Detector UUID",
    13: "Parallel gain",
    14: "category",
    FEEDBACK_CAPACITOR: "Feedback capacitor",
    16: "Pulse id checksum",
    17: "Target gain",
    18: "Encoded gain",
    19: "In vacuum",
    20: "Burst Frame Count",
    MEMORY_CELL_ORDER: "Memory cell order",
}
"""Ids 12, 15 and 30 are the real catalogue's; it keeps the others to itself, so they are ours."""

DEVICE_PREFIXES: Final = {
    "AGIPD-Type": "AGIPD",
    "LPD-Type": "LPD",
    "DSSC-Type": "DSSC",
}
"""Detector types of four quadrants with four modules each, with the start of their aggregators' names."""
