"""The set `DEgg-FAT`: thirty-one tests by name (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from fat.degg.self_tests import board, cameras, digitiser, icm
from fat.degg.self_tests.subject import Test
from fat.degg.station.event_words import CHANNELS
from fat.degg.station.light_words import CAMERAS

SET: Final = "DEgg-FAT"
SCALER_SCANS: Final = tuple(f"scaler_scan_{channel}" for channel in CHANNELS)
"""They let bench time pass, so the task does them for all modules together."""
TESTS: Final[Mapping[str, Test]] = {
    "accelerometer": board.accelerometer,
    **{f"adc_comms_{channel}": partial(digitiser.adc_comms, channel) for channel in CHANNELS},
    **{
        f"baseline_stability_{channel}": partial(digitiser.baseline_stability, channel)
        for channel in CHANNELS
    },
    "camera_combinations": cameras.camera_combinations,
    **{f"camera_comms_{camera}": partial(cameras.camera_comms, camera) for camera in CAMERAS},
    **{f"dac_scan_{channel}": partial(digitiser.dac_scan, channel) for channel in CHANNELS},
    "dpram": board.dpram,
    "field_hub": icm.field_hub,
    "flash": board.flash,
    "fpga_memory": board.fpga_memory,
    **{f"hv_monitor_{channel}": partial(board.hv_monitor, channel) for channel in CHANNELS},
    "icm_base": icm.icm_base,
    "icm_firmware_audit": icm.icm_firmware,
    "icm_sync": icm.icm_sync,
    "icm_write_protect": icm.icm_write_protect,
    "interlock": icm.interlock,
    "light_sensor": board.light_sensor,
    "lvs_power": board.low_voltage_power,
    "magnetometer": board.magnetometer,
    "pressure": board.pressure,
    "rails": board.rails,
    "rapcal": icm.rapcal,
    "temperature_compare": board.temperature_compare,
}
"""All but the scaler scans."""
NAMES: Final = tuple(sorted([*TESTS, *SCALER_SCANS]))
