"""Operating conditions as control devices tell them, written into runs and read back from them.

Public device names and keys: EXtra, calibration/conditions.py. For LPD and DSSC they do not carry everything that
constants depend on, so a device of our own, `{prefix}/BENCH/CONDITIONS`, repeats all conditions by their names here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from pipeline.config import PipelineTable
from pipeline.constants.conditions import (
    AgipdConditions,
    Conditions,
    DsscConditions,
    LpdConditions,
    conditions_of,
)
from pipeline.errors import RunUnreadable, SettingRejected

GIVE_THEM: Final = "give a file with a [pipeline] table that names them"
OURS: Final = "BENCH/CONDITIONS"
DSSC_CYCLE: Final = 4.5 * 22
"""Rate in MHz times the sequencer's cycle length."""
DAMAGED: Final = (
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    SettingRejected,
)
"""What a damaged control file raises: h5py's errors, and those of values that are none."""
Devices = dict[str, dict[str, Any]]
"""Values by control device and key."""


def control_values(prefix: str, conditions: Conditions) -> Devices:
    """What the control devices of a detector say under these conditions."""
    ours = {"detector": conditions.detector, **_plain(asdict(conditions))}
    return _public_values(prefix, conditions) | {f"{prefix}/{OURS}": ours}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As control values have them: texts for lists, nothing for None."""
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in values.items()
    }
    return {name: value for name, value in texts.items() if value is not None and value != ""}


def _public_values(prefix: str, conditions: Conditions) -> Devices:
    match conditions:
        case AgipdConditions():
            return {
                f"{prefix}/MDL/FPGA_COMP": {
                    "bunchStructure.nPulses": np.int32(conditions.memory_cells),
                    "bunchStructure.repetitionRate": np.float64(conditions.acquisition_rate_mhz),
                    "gain": np.int32(conditions.gain_setting),
                    "gainModeIndex": np.int32(conditions.gain_mode),
                    "integrationTime": np.int32(conditions.integration_time),
                },
                f"{prefix.rstrip('0123456789')}/PSC/HV": {
                    "channels.U0.voltage": np.float64(conditions.sensor_bias_voltage_v),
                },
            }
        case LpdConditions():
            return {
                f"{prefix}/COMP/FEM_MDL_COMP": {
                    "femAsicGain": np.int32(0),
                    "femAsicGainOverride": np.int32(conditions.parallel_gain),
                },
            }
        case DsscConditions():
            cycle = {"sequencer.cycleLength": np.int32(round(DSSC_CYCLE / conditions.acquisition_rate_mhz))}
            return {f"{prefix}/FPGA/PPT_Q{quadrant}": cycle for quadrant in (1, 2, 3, 4)}
    return {}


def table_conditions(table: PipelineTable, given: Mapping[str, Any]) -> Conditions:
    """Conditions of a [pipeline] table, replaced by those that are given. Raises SettingRejected."""
    usual = {"acquisition_rate_mhz": 1.1} if table.type != "LPD" else {}
    named = {**usual, **table.conditions.given, "memory_cells": table.memory_cells, **given}
    return conditions_of(table.type, named)


def conditions_for(run: Path, table: PipelineTable | None) -> Conditions:
    """The conditions of a raw run, as it tells them, or else as a table does.

    Runs of other recorders tell AGIPD's; what constants of LPD and DSSC depend on is not in the public devices.
    Raises RunUnreadable, SettingRejected.
    """
    try:
        return recorded_conditions(run)
    except RunUnreadable:
        if table is None:
            raise
        return table_conditions(table, {})


def recorded_conditions(folder: Path) -> Conditions:
    """The conditions under which a raw run was recorded, as its control file tells. Raises RunUnreadable."""
    paths = sorted(folder.glob("RAW-R????-DA01-S00000.h5"))
    if not paths:
        raise RunUnreadable(
            folder, f"holds no control file RAW-R….-DA01-S00000.h5 with the operating conditions; {GIVE_THEM}"
        )
    try:
        with h5py.File(paths[0], "r") as file:
            run = file["RUN"]
            if (ours := _device(run, OURS)) is not None:
                return _ours(ours)
            if _device(run, "MDL/FPGA_COMP") is not None:
                return _agipd(run)
    except DAMAGED as error:
        raise RunUnreadable(
            paths[0], f"lacks the operating conditions of the detector ({error!r}); {GIVE_THEM}"
        ) from error
    raise RunUnreadable(paths[0], f"lacks the operating conditions of the detector; {GIVE_THEM}")


def _device(run: h5py.Group, name: str) -> Any:
    """The first device below any prefix with this name, or None."""
    return next((run[prefix][name] for prefix in run if name in run[prefix]), None)


def _ours(device: h5py.Group) -> Conditions:
    values = {name: device[f"{name}/value"][0] for name in device}
    plain = {
        name: value.decode() if isinstance(value, bytes) else value.item() for name, value in values.items()
    }
    detector = str(plain.pop("detector"))
    if "pulse_ids" in plain:
        plain["pulse_ids"] = [int(pulse) for pulse in str(plain["pulse_ids"]).split(",")]
    return conditions_of(detector, plain)


def _agipd(run: h5py.Group) -> AgipdConditions:
    detector, supply = _device(run, "MDL/FPGA_COMP"), _device(run, "PSC/HV")
    return AgipdConditions(
        memory_cells=int(detector["bunchStructure/nPulses/value"][0]),
        acquisition_rate_mhz=float(detector["bunchStructure/repetitionRate/value"][0]),
        sensor_bias_voltage_v=float(supply["channels/U0/voltage/value"][0]),
        gain_setting=int(detector["gain/value"][0]),
        gain_mode=int(detector["gainModeIndex/value"][0]),
        integration_time=int(detector["integrationTime/value"][0]),
    )
