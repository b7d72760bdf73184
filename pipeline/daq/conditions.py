"""Operating conditions from the control data of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from pipeline.daq.rawfile import OperatingConditions
from pipeline.errors import RunUnreadable


def recorded_conditions(folder: Path) -> OperatingConditions:
    """The conditions under which a raw run was recorded, as its control file tells. Raises RunUnreadable."""
    paths = sorted(folder.glob("RAW-R????-DA01-S00000.h5"))
    if not paths:
        raise RunUnreadable(
            folder, "holds no control file RAW-R….-DA01-S00000.h5 with the operating conditions"
        )
    try:
        with h5py.File(paths[0], "r") as file:
            return _read(file["RUN"])
    except (OSError, KeyError, IndexError, StopIteration) as error:
        raise RunUnreadable(
            paths[0], f"lacks the operating conditions of the detector ({error!r})"
        ) from error


def _read(run: h5py.Group) -> OperatingConditions:
    detector: Any = next(run[name]["MDL/FPGA_COMP"] for name in run if "MDL/FPGA_COMP" in run[name])
    supply: Any = next(run[name]["PSC/HV"] for name in run if "PSC/HV" in run[name])
    return OperatingConditions(
        sensor_bias_voltage_v=float(supply["channels/U0/voltage/value"][0]),
        memory_cells=int(detector["bunchStructure/nPulses/value"][0]),
        acquisition_rate_mhz=float(detector["bunchStructure/repetitionRate/value"][0]),
        gain_setting=int(detector["gain/value"][0]),
        gain_mode=int(detector["gainModeIndex/value"][0]),
        integration_time=int(detector["integrationTime/value"][0]),
    )
