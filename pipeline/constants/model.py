"""Conditions, versions and sets of calibration constants, as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConstantMissing, SettingRejected

Strategy = Literal["prior", "closest"]
"""prior: the latest version that begins at or before the event; closest: also from the future."""

DARK_CALIBRATIONS: Final = ("Offset", "Noise", "ThresholdsDark", "BadPixelsDark")
AGIPD_CALIBRATIONS: Final = ("Offset", "ThresholdsDark", "SlopesPC", "SlopesFF", "BadPixelsDark")
"""What the AGIPD correction needs."""


@dataclass(frozen=True, slots=True)
class AgipdConditions:
    """Operating conditions of an AGIPD; which of them matter depends on the calibration."""

    memory_cells: int
    acquisition_rate_mhz: float
    """4.5, 2.2, 1.1 or 0.5."""
    sensor_bias_voltage_v: float = 300.0
    gain_setting: int = 0
    gain_mode: int = 0
    """0 adaptive; anything else is fixed gain, which the catalogue writes as 1."""
    integration_time: int = 12
    source_energy_kev: float = 9.2

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> AgipdConditions:
        """Conditions from a JSON object with these field names. Raises SettingRejected."""
        known = {field.name: field for field in fields(cls)}
        for name, value in properties.items():
            if name not in known:
                raise SettingRejected("conditions", name, f"one of {', '.join(known)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SettingRejected(f"conditions.{name}", value, "a number")
        missing = [name for name in ("memory_cells", "acquisition_rate_mhz") if name not in properties]
        if missing:
            raise SettingRejected("conditions", dict(properties), f"given with {' and '.join(missing)}")
        return cls(**properties)

    def parameters(self, calibration: str) -> dict[str, float]:
        """The catalogue's parameters of a calibration by name.

        Left out, as public clients leave them out: Gain mode 0 (adaptive) and Integration time 12
        (EXtra, calibration/conditions.py). Raises KeyError for a calibration that AGIPD has not.
        """
        common = {
            "Sensor Bias Voltage": float(self.sensor_bias_voltage_v),
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Memory cells": float(self.memory_cells),
            "Acquisition rate": float(self.acquisition_rate_mhz),
            "Gain setting": float(self.gain_setting),
        }
        of_calibration = _PARAMETERS[calibration]
        if "Integration time" in of_calibration and self.integration_time != 12:
            common["Integration time"] = float(self.integration_time)
        if "Gain mode" in of_calibration and self.gain_mode != 0:
            common["Gain mode"] = 1.0
        if "Source energy" in of_calibration:
            common["Source energy"] = float(self.source_energy_kev)
        return common

    def __str__(self) -> str:
        return (
            f"{self.sensor_bias_voltage_v:g} V, {self.memory_cells} cells, {self.acquisition_rate_mhz:g} MHz, "
            f"gain setting {self.gain_setting}, gain mode {self.gain_mode}, integration time {self.integration_time}"
        )


_DARK = frozenset({"Integration time", "Gain mode"})
_PC = frozenset({"Integration time"})
_FF = frozenset({"Integration time", "Source energy"})
_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(DARK_CALIBRATIONS, _DARK),
    "SlopesPC": _PC,
    "BadPixelsPC": _PC,
    "SlopesFF": _FF,
    "BadPixelsFF": _FF,
    "SlopesCS": frozenset(),
    "BadPixelsCS": frozenset(),
}
"""The parameters of each calibration beside those that all share."""


@dataclass(frozen=True, slots=True)
class ConstantVersion:
    """One injected version: whose, what, since when, and where its data lie."""

    id: int
    calibration: str
    module: int
    """Module (channel) number."""
    pdu: str
    """Physical name of the module."""
    karabo_da: str
    """Aggregator, e.g. AGIPD00."""
    begin_at: datetime
    """When the data were taken."""
    created_at: datetime
    """When the version was injected."""
    file: PurePosixPath
    """Relative to the store's root."""
    data_set: str
    """HDF5 group; the data are `{data_set}/data`."""
    raw_data_location: str = ""

    def provenance(self) -> dict[str, Any]:
        """What a record keeps of it, JSON-able."""
        return {
            "ccv_id": self.id,
            "calibration": self.calibration,
            "module": self.module,
            "physical_name": self.pdu,
            "begin_at": self.begin_at.isoformat(),
            "path": str(self.file),
            "dataset": self.data_set,
            "raw_data_location": self.raw_data_location,
        }


@dataclass(frozen=True, slots=True)
class Constant:
    """The data of one version."""

    version: ConstantVersion
    data: NDArray[Any]
    """AGIPD: (128, 512, cells, k) fast scan, slow scan, memory cell, then gain or threshold; f4, masks u4."""


class ConstantSet:
    """Constants by module and calibration."""

    def __init__(self, constants: Iterable[Constant]) -> None:
        self._constants = {(c.version.module, c.version.calibration): c for c in constants}

    @property
    def modules(self) -> tuple[int, ...]:
        """Modules with any constant, ascending."""
        return tuple(sorted({module for module, _ in self._constants}))

    def get(self, module: int, calibration: str) -> NDArray[Any] | None:
        """Array of one constant, axes as `Constant.data`, or None."""
        constant = self._constants.get((module, calibration))
        return None if constant is None else constant.data

    def module(self, module: int) -> dict[str, NDArray[Any]]:
        """All arrays of one module by calibration."""
        return {name: c.data for (number, name), c in self._constants.items() if number == module}

    def versions(self) -> list[ConstantVersion]:
        """The versions, by module and calibration."""
        return [self._constants[key].version for key in sorted(self._constants)]

    def begin_at(self) -> dict[str, dict[int, str]]:
        """Begin of each version, ISO 8601, by calibration and module."""
        begins: dict[str, dict[int, str]] = {}
        for version in self.versions():
            begins.setdefault(version.calibration, {})[version.module] = version.begin_at.isoformat()
        return begins


def require(
    versions: Iterable[ConstantVersion],
    modules: Collection[int],
    calibrations: Collection[str],
    conditions: AgipdConditions,
    event_at: datetime,
) -> None:
    """Check that each module has each calibration. Raises ConstantMissing for the first that is not there."""
    there = {(version.module, version.calibration) for version in versions}
    for calibration in calibrations:
        for module in sorted(modules):
            if (module, calibration) not in there:
                at = event_at.isoformat(timespec="seconds")
                raise ConstantMissing(calibration, f"module {module}", str(conditions), at)


def shape_of(calibration: str, memory_cells: int) -> tuple[int, int, int, int]:
    """Shape of an AGIPD constant in storage order: fast scan, slow scan, memory cell, and gains or thresholds.

    The last number is the least that a reader needs; stored SlopesPC may have more.
    """
    return (128, 512, memory_cells, _LAST_AXIS[calibration])


_LAST_AXIS: Final[Mapping[str, int]] = {
    "Offset": 3,
    "Noise": 3,
    "ThresholdsDark": 5,
    "BadPixelsDark": 3,
    "BadPixelsPC": 3,
    "SlopesPC": 5,
    "SlopesFF": 2,
    "BadPixelsFF": 2,
}


def dtype_of(calibration: str) -> np.dtype[Any]:
    """u4 for bad-pixel masks, f4 for everything else."""
    return np.dtype(np.uint32 if calibration.startswith("BadPixels") else np.float32)
