"""Operating conditions of the detectors: what constants depend on, under the catalogue's names.

Names, values and what clients leave out: EXtra, calibration/conditions.py.
"""

from __future__ import annotations

import hashlib
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Self

from pipeline.errors import SettingRejected

Parameter = float | str
DARK_CALIBRATIONS: Final = ("Offset", "Noise", "ThresholdsDark", "BadPixelsDark")


@dataclass(frozen=True, slots=True)
class Conditions(ABC):
    """What all detectors' conditions have in common."""

    detector: ClassVar[str]
    """AGIPD, LPD or DSSC."""
    pixels: ClassVar[tuple[int, int]]
    """Fast and slow scan pixels of a module, the order in which constants are stored."""
    needed: ClassVar[tuple[str, ...]] = ("memory_cells",)
    left_out: ClassVar[Mapping[str, Parameter]] = {}
    """Parameters that clients leave out when they have these values, by their names in lower case."""

    memory_cells: int

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> Self:
        """Conditions from a JSON object with these field names. Raises SettingRejected."""
        known = {field.name: str(field.type) for field in fields(cls)}
        for name, value in properties.items():
            if name not in known:
                raise SettingRejected("conditions", name, f"one of {', '.join(known)}")
            _check(name, value, known[name])
        missing = [name for name in cls.needed if name not in properties]
        if missing:
            raise SettingRejected("conditions", dict(properties), f"given with {' and '.join(missing)}")
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in properties.items()}
        return cls(**given)

    @property
    def fixed_stage(self) -> int | None:
        """The gain stage of all pixels, or None where each pixel finds its own."""
        return None

    @abstractmethod
    def parameters(self, calibration: str) -> dict[str, Parameter]:
        """The catalogue's parameters of a calibration by name. Raises KeyError for one that the detector has not."""

    def fallback(self, calibration: str) -> dict[str, Parameter] | None:  # noqa: ARG002 - most have none
        """Parameters to ask with where nothing is found with `parameters`; None where there is no second question."""
        return None

    def shape_of(self, calibration: str) -> tuple[int, ...]:  # noqa: ARG002 - the same for all of a DSSC
        """Stored shape of a constant: fast scan, slow scan, memory cell, and where there is one the axis of stages."""
        return (*self.pixels, self.memory_cells)


def _check(name: str, value: Any, kind: str) -> None:
    if kind.startswith("tuple"):
        if not isinstance(value, list | tuple) or not all(type(v) is int and 0 <= v < 1 << 32 for v in value):
            raise SettingRejected(f"conditions.{name}", value, "a list of whole numbers from 0 on")
        return
    if value is None and "None" in kind:
        return
    if kind.startswith("str"):
        fits, words = isinstance(value, str), "a text"
    elif kind.startswith("bool"):
        fits, words = isinstance(value, bool), "true or false"
    else:
        fits, words = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    if not fits:
        raise SettingRejected(f"conditions.{name}", value, words)


_AGIPD_EXTRA: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(DARK_CALIBRATIONS, frozenset({"Integration time", "Gain mode"})),
    "SlopesPC": frozenset({"Integration time"}),
    "BadPixelsPC": frozenset({"Integration time"}),
    "SlopesFF": frozenset({"Integration time", "Source energy"}),
    "BadPixelsFF": frozenset({"Integration time", "Source energy"}),
    "SlopesCS": frozenset(),
    "BadPixelsCS": frozenset(),
}
"""The parameters of each calibration beside those that all share."""
_AGIPD_LAST: Final = {
    "Offset": 3, "Noise": 3, "ThresholdsDark": 5, "BadPixelsDark": 3, "BadPixelsPC": 3, "SlopesPC": 5,
    "SlopesFF": 2, "BadPixelsFF": 2,
}  # fmt: skip
"""The least that a reader needs on the last axis; stored SlopesPC may have more."""


@dataclass(frozen=True, slots=True)
class AgipdConditions(Conditions):
    """Operating conditions of an AGIPD; which of them matter depends on the calibration."""

    detector: ClassVar[str] = "AGIPD"
    pixels: ClassVar[tuple[int, int]] = (128, 512)
    needed: ClassVar[tuple[str, ...]] = ("memory_cells", "acquisition_rate_mhz")
    left_out: ClassVar[Mapping[str, Parameter]] = {"gain mode": 0.0, "integration time": 12.0}

    acquisition_rate_mhz: float = 1.1
    """4.5, 2.2, 1.1 or 0.5."""
    sensor_bias_voltage_v: float = 300.0
    gain_setting: int = 0
    gain_mode: int = 0
    """0 adaptive, 1 fixed high, 2 fixed medium, 3 fixed low; the catalogue writes 1 for all that is fixed."""
    integration_time: int = 12
    source_energy_kev: float = 9.2

    @property
    def fixed_stage(self) -> int | None:
        """0 high, 1 medium, 2 low; None in adaptive gain."""
        return self.gain_mode - 1 if self.gain_mode else None

    def parameters(self, calibration: str) -> dict[str, Parameter]:
        """Left out, as public clients leave them out: Gain mode 0 (adaptive) and Integration time 12."""
        common: dict[str, Parameter] = {
            "Sensor Bias Voltage": float(self.sensor_bias_voltage_v),
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Memory cells": float(self.memory_cells),
            "Acquisition rate": float(self.acquisition_rate_mhz),
            "Gain setting": float(self.gain_setting),
        }
        extra = _AGIPD_EXTRA[calibration]
        if "Integration time" in extra and self.integration_time != 12:
            common["Integration time"] = float(self.integration_time)
        if "Gain mode" in extra and self.gain_mode != 0:
            common["Gain mode"] = 1.0
        if "Source energy" in extra:
            common["Source energy"] = float(self.source_energy_kev)
        return common

    def shape_of(self, calibration: str) -> tuple[int, ...]:
        """(128, 512, cells, k); k is the least that a reader needs."""
        return (*self.pixels, self.memory_cells, _AGIPD_LAST[calibration])

    def __str__(self) -> str:
        return (
            f"{self.sensor_bias_voltage_v:g} V, {self.memory_cells} cells, {self.acquisition_rate_mhz:g} MHz, "
            f"gain setting {self.gain_setting}, gain mode {self.gain_mode}, integration time {self.integration_time}"
        )


_LPD_DARK: Final = ("Offset", "Noise", "BadPixelsDark")
_LPD_LIGHT: Final = ("RelativeGain", "GainAmpMap", "FFMap", "BadPixelsFF")


@dataclass(frozen=True, slots=True)
class LpdConditions(Conditions):
    """Operating conditions of an LPD."""

    detector: ClassVar[str] = "LPD"
    pixels: ClassVar[tuple[int, int]] = (256, 256)
    left_out: ClassVar[Mapping[str, Parameter]] = {"parallel gain": 0.0}

    sensor_bias_voltage_v: float = 250.0
    feedback_capacitor_pf: float = 5.0
    memory_cell_order: str = ""
    """Numbers with a comma after each; empty: the generic order."""
    parallel_gain: bool = False
    source_energy_kev: float = 9.3
    category: int = 0

    def parameters(self, calibration: str) -> dict[str, Parameter]:
        """Left out, as public clients leave it out: Parallel gain where it is off. Raises KeyError."""
        common: dict[str, Parameter] = {
            "Sensor Bias Voltage": float(self.sensor_bias_voltage_v),
            "Memory cells": float(self.memory_cells),
            "Pixels X": 256.0,
            "Pixels Y": 256.0,
            "Feedback capacitor": float(self.feedback_capacitor_pf),
        }
        if calibration in _LPD_DARK:
            order = {"Memory cell order": self.memory_cell_order} if self.memory_cell_order else {}
            return common | order | ({"Parallel gain": 1.0} if self.parallel_gain else {})
        if calibration in _LPD_LIGHT:
            return common | {"Source Energy": float(self.source_energy_kev), "category": float(self.category)}
        raise KeyError(calibration)

    def fallback(self, calibration: str) -> dict[str, Parameter] | None:
        """The generic memory-cell order, where a certain one was asked for."""
        parameters = self.parameters(calibration)
        return parameters if parameters.pop("Memory cell order", None) is not None else None

    def shape_of(self, calibration: str) -> tuple[int, ...]:  # noqa: ARG002 - the same for all
        """(256, 256, cells, 3)."""
        return (*self.pixels, self.memory_cells, 3)

    def __str__(self) -> str:
        mode = ", parallel gain" if self.parallel_gain else ""
        order = f", cell order {self.memory_cell_order}" if self.memory_cell_order else ""
        return (
            f"{self.sensor_bias_voltage_v:g} V, {self.memory_cells} cells, "
            f"{self.feedback_capacitor_pf:g} pF{mode}{order}"
        )


@dataclass(frozen=True, slots=True)
class DsscConditions(Conditions):
    """Operating conditions of a DSSC."""

    detector: ClassVar[str] = "DSSC"
    pixels: ClassVar[tuple[int, int]] = (512, 128)

    acquisition_rate_mhz: float = 1.1
    sensor_bias_voltage_v: float = 100.0
    pulse_ids: tuple[int, ...] = ()
    """Pulses of a train's frames; empty: from 0 on as the rate has them, one for each memory cell."""
    target_gain: int | None = None
    encoded_gain: int | None = None

    def parameters(self, calibration: str) -> dict[str, Parameter]:
        """Left out: Target gain and Encoded gain where they are not known. Raises KeyError, SettingRejected."""
        if calibration not in ("Offset", "Noise", "BadPixelsDark"):
            raise KeyError(calibration)
        checksum = pulse_id_checksum(self.pulses)
        if not math.isfinite(checksum):
            raise SettingRejected(
                "conditions.pulse_ids",
                f"{len(self.pulses)} pulses up to {self.pulses[-1]}",
                "pulses whose checksum is a number, or no catalogue can hold constants for them: take one more or less",
            )
        common: dict[str, Parameter] = {
            "Sensor Bias Voltage": float(self.sensor_bias_voltage_v),
            "Memory cells": float(self.memory_cells),
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Pulse id checksum": checksum,
            "Acquisition rate": float(self.acquisition_rate_mhz),
        }
        gains = {"Target gain": self.target_gain, "Encoded gain": self.encoded_gain}
        return common | {name: float(value) for name, value in gains.items() if value is not None}

    @property
    def pulses(self) -> tuple[int, ...]:
        """Pulses of a train's frames; of the steps that a rate can mean (0.5 MHz: 8 or 9) the smaller.

        Raises SettingRejected for a rate that no step makes.
        """
        if self.pulse_ids:
            return self.pulse_ids
        rate = self.acquisition_rate_mhz
        step = next((step for step in range(1, 46) if math.floor(45 / step) / 10 == rate), None)
        if step is None:
            raise SettingRejected("conditions.acquisition_rate_mhz", rate, "4.5, 2.2, 1.1 or 0.5")
        return tuple(range(0, step * self.memory_cells, step))

    def __str__(self) -> str:
        return (
            f"{self.sensor_bias_voltage_v:g} V, {self.memory_cells} cells, {self.acquisition_rate_mhz:g} MHz, "
            f"target gain {self.target_gain}, encoded gain {self.encoded_gain}"
        )


def pulse_id_checksum(pulse_ids: tuple[int, ...]) -> float:
    """The number by which the catalogue tells patterns of pulses apart: 8 bytes of BLAKE2b read as a double."""
    digest = hashlib.blake2b(struct.pack(f"<{len(pulse_ids)}Q", *pulse_ids), digest_size=8).digest()
    return float(struct.unpack("<d", digest)[0])


_TYPES: Final[Mapping[str, type[Conditions]]] = {
    "AGIPD": AgipdConditions,
    "LPD": LpdConditions,
    "DSSC": DsscConditions,
}


def conditions_of(detector: str, properties: Mapping[str, Any]) -> Conditions:
    """Conditions of a type of detector from a JSON object. Raises SettingRejected."""
    if detector not in _TYPES:
        raise SettingRejected("type", detector, f"one of {', '.join(_TYPES)}")
    return _TYPES[detector].from_properties(properties)
