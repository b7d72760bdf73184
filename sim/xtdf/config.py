"""The tables of `agipd`, `lpd` and `dssc` devices in a bench file."""

from __future__ import annotations

import hashlib
import math
import struct
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MODULES: Final = 16
MODULES_OF_500K: Final = 8

Fraction = Annotated[float, Field(ge=0, le=0.2)]
Channel = Annotated[int, Field(ge=0, lt=MODULES)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BadPixelFractions(_Table):
    """Share of a module's pixels that are bad, by kind."""

    dead: Fraction = 0.002
    """No signal and no noise: a constant far below the pedestals."""
    noisy: Fraction = 0.002
    """Readout noise 8 to 20 times that of the others."""
    stuck_gain: Fraction = 0.001
    """The digital level says high gain whatever the stage."""
    offset_outlier: Fraction = 0.001
    """Pedestals 2000 to 2500 ADU away from those of the others."""


class XtdfTable(_Table):
    """What the tables of all detectors that send XTDF have in common."""

    max_cells: ClassVar[int]
    """Memory cells of each pixel, at most."""

    detector: str
    """Name of the detector in the control system."""
    modules: Annotated[int, Field(ge=1, le=MODULES)] | Annotated[list[Channel], Field(min_length=1)] = MODULES
    """How many modules, from channel 0 on; or the list of channels."""
    memory_cells: Annotated[int, Field(ge=1)] = 4
    """Memory cells of each pixel: the number of pulses that a train can hold."""
    frames_per_train: Annotated[int, Field(ge=1)] | None = None
    """Pulses that are read out, from cell 0 on. Not given: as many as there are memory cells."""
    first_pulse: Annotated[int, Field(ge=0, lt=2700)] = 0
    """Pulse of the first frame, ticks of 4.5 MHz from the start of the train."""
    pulse_step: Literal[1, 2, 4, 8] = 4
    """Ticks between frames: 1 = 4.5 MHz, 2 = 2.2 MHz, 4 = 1.1 MHz, 8 = 0.5 MHz."""
    first_train_id: Annotated[int, Field(ge=1, lt=1 << 62)] = 1_000_000_000
    """Train id at simulated time zero."""
    prebuilt_trains: Annotated[int, Field(ge=0, le=64)] = 0
    """Trains whose images are made beforehand and sent again in turn, where making them would take longer than sending.
    0: every train has images of its own."""
    format_version: Literal["1.0", "2.1"] = "1.0"
    """Train format version in the header."""
    checksum: Literal["none", "crc32"] = "none"
    """none: zeros, as in recorded files. crc32: a checksum of our own, see docs/xtdf.md."""
    bad_pixels: BadPixelFractions = BadPixelFractions()
    flat_photons: Annotated[float, Field(ge=0, le=10_000)] = 20.0
    """Mean photons of each pixel and frame under `flat` illumination."""
    calibration_error: Annotated[float, Field(ge=0, le=0.2)] = 0.002
    """Relative error (rms) of the injected gain constants."""
    inject_constants: bool = True
    """Put gain constants into the catalogue at the start, where the bench has one."""
    inject_darks: bool = False
    """Put dark constants there too, as they are true: for benches that record no darks of their own."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        channels = self.channels
        if len(set(channels)) != len(channels):
            raise ValueError(f"modules names a channel twice: {channels}")
        if self.memory_cells > self.max_cells:
            raise ValueError(f"memory_cells is {self.memory_cells}, but the detector has {self.max_cells}")
        if self.pulses > self.memory_cells:
            raise ValueError(
                f"frames_per_train is {self.pulses}, but there are only {self.memory_cells} memory cells"
            )
        last = self.pulse_ids[-1]
        if last >= 2700:
            raise ValueError(
                f"the last frame would be pulse {last}; a train ends at 2699: fewer frames or a smaller step"
            )
        return self

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the modules, ascending."""
        return tuple(range(self.modules)) if isinstance(self.modules, int) else tuple(sorted(self.modules))

    @property
    def pulses(self) -> int:
        """Pulses of each train that are read out."""
        return self.memory_cells if self.frames_per_train is None else self.frames_per_train

    @property
    def frames(self) -> int:
        """Frames of each train."""
        return self.pulses

    @property
    def cell_ids(self) -> tuple[int, ...]:
        """Memory cell of each frame."""
        return tuple(range(self.frames))

    @property
    def pulse_ids(self) -> tuple[int, ...]:
        """Pulse of each frame inside the train, ticks of 4.5 MHz."""
        return tuple(self.first_pulse + k * self.pulse_step for k in range(self.frames))

    @property
    def acquisition_rate_mhz(self) -> float:
        """The rate as the condition of constants spells it: 4.5, 2.2, 1.1 or 0.5 (EXtra-data, components.py)."""
        return math.floor(45 / self.pulse_step) / 10

    @property
    @abstractmethod
    def conditions(self) -> dict[str, float | str]:
        """Operating conditions under which constants are valid, by the catalogue's parameter names."""

    def parameters_of(self, calibration: str) -> dict[str, float | str]:  # noqa: ARG002 - all, where nothing differs
        """The conditions that an injected calibration depends on."""
        return self.conditions

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor train format version."""
        major, minor = self.format_version.split(".")
        return int(major), int(minor)


class AgipdTable(XtdfTable):
    """`[sim.devices.NAME]` with `kind = "agipd"`: the modules of one AGIPD, 1M or 500K.

    The physical name (PDU) of the module at a channel is `pdu_name("AGIPD", channel)`: `AGIPD_SIM_M100` for channel 0.
    """

    max_cells: ClassVar[int] = 352
    type: ClassVar[str] = "AGIPD"
    detector: Annotated[str, Field(pattern=r"^[A-Z0-9]+_DET_AGIPD(1M|500K)[A-Z0-9-]*$")] = "SPB_DET_AGIPD1M-1"
    """Name of the detector in the control system, e.g. SPB_DET_AGIPD1M-1 or HED_DET_AGIPD500K2G."""
    photon_gain_adu: Annotated[float, Field(ge=5, le=60)] = 30.0
    """High-gain signal of one photon of 9.2 keV, median over the module, ADU."""
    readout_noise_adu: Annotated[float, Field(gt=0, le=20)] = 2.4
    """Readout noise in high gain, median over the module, ADU rms."""
    common_mode_adu: Annotated[float, Field(ge=0, le=10)] = 0.7
    """Shift that the pixels of an ASIC share in one frame, ADU rms."""

    @model_validator(mode="before")
    @classmethod
    def _half_the_modules(cls, values: Any) -> Any:
        """A 500K has eight modules unless told otherwise."""
        if isinstance(values, dict) and "500K" in str(values.get("detector", "")):
            return {"modules": MODULES_OF_500K, **values}
        return values

    @model_validator(mode="after")
    def _has_these_modules(self) -> Self:
        if self.geometry == "AGIPD500K" and self.channels[-1] >= MODULES_OF_500K:
            raise ValueError(f"modules: {self.detector} has channels 0 to {MODULES_OF_500K - 1}")
        return self

    @property
    def geometry(self) -> str:
        """Which idealised geometry its modules have."""
        return "AGIPD500K" if "500K" in self.detector else "AGIPD1M"

    @property
    def conditions(self) -> dict[str, float | str]:
        """Operating conditions by parameter name, as EXtra's `calibration/conditions.py` spells them.

        Gain mode 0 and Integration time 12 are left out, as clients leave them out.
        """
        return {
            "Sensor Bias Voltage": 300.0,
            "Memory cells": float(self.memory_cells),
            "Acquisition rate": self.acquisition_rate_mhz,
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Gain setting": 0.0,
            "Source energy": 9.2,
        }

    def parameters_of(self, calibration: str) -> dict[str, float | str]:
        """The conditions that an injected calibration depends on."""
        left_out = set() if calibration == "SlopesFF" else {"Source energy"}
        return {name: value for name, value in self.conditions.items() if name not in left_out}


class LpdTable(XtdfTable):
    """`[sim.devices.NAME]` with `kind = "lpd"`: the modules of one LPD 1M; units LPD_SIM_M100 and so on."""

    max_cells: ClassVar[int] = 512
    type: ClassVar[str] = "LPD"
    detector: Annotated[str, Field(pattern=r"^[A-Z0-9]+_DET_LPD1M-?[0-9]*$")] = "FXE_DET_LPD1M-1"
    parallel_gain: bool = False
    """Three frames for each pulse: all pulses in high gain, then in medium, then in low."""
    photon_gain_adu: Annotated[float, Field(ge=2, le=60)] = 20.0
    """High-gain signal of one photon of 9.3 keV, median over the module, ADU."""
    readout_noise_adu: Annotated[float, Field(gt=0, le=20)] = 4.0
    """Readout noise in high gain, median over the module, ADU rms."""

    @model_validator(mode="after")
    def _three_fit(self) -> Self:
        if self.constant_cells > self.max_cells:
            raise ValueError(
                f"parallel gain needs {self.constant_cells} memory cells, the detector has {self.max_cells}"
            )
        return self

    @property
    def geometry(self) -> str:
        """Which idealised geometry its modules have."""
        return "LPD1M"

    @property
    def frames(self) -> int:
        """Frames of each train."""
        return 3 * self.pulses if self.parallel_gain else self.pulses

    @property
    def cell_ids(self) -> tuple[int, ...]:
        """Memory cell of each frame; in parallel gain the three frames of a pulse come from three cells."""
        return tuple(range(self.frames))

    @property
    def pulse_ids(self) -> tuple[int, ...]:
        """Pulse of each frame; in parallel gain the first third is valid and the others repeat it (EXtra-data)."""
        pulses = tuple(self.first_pulse + k * self.pulse_step for k in range(self.pulses))
        return 3 * pulses if self.parallel_gain else pulses

    @property
    def constant_cells(self) -> int:
        """Memory cells for which there are constants."""
        return 3 * self.memory_cells if self.parallel_gain else self.memory_cells

    @property
    def conditions(self) -> dict[str, float | str]:
        """Operating conditions by parameter name; Parallel gain off is left out, as clients leave it out."""
        common: dict[str, float | str] = {
            "Sensor Bias Voltage": 250.0,
            "Memory cells": float(self.constant_cells),
            "Pixels X": 256.0,
            "Pixels Y": 256.0,
            "Feedback capacitor": 5.0,
            "Source Energy": 9.3,
            "category": 0.0,
        }
        return common | ({"Parallel gain": 1.0} if self.parallel_gain else {})

    def parameters_of(self, calibration: str) -> dict[str, float | str]:
        """The conditions that an injected calibration depends on: gain constants know no parallel gain."""
        dark = calibration in ("Offset", "Noise", "BadPixelsDark")
        left_out = {"Source Energy", "category"} if dark else {"Parallel gain"}
        return {name: value for name, value in self.conditions.items() if name not in left_out}


class DsscTable(XtdfTable):
    """`[sim.devices.NAME]` with `kind = "dssc"`: the modules of one DSSC 1M; units DSSC_SIM_M100 and so on."""

    max_cells: ClassVar[int] = 800
    type: ClassVar[str] = "DSSC"
    detector: Annotated[str, Field(pattern=r"^[A-Z0-9]+_DET_DSSC1M-?[0-9]*$")] = "SCS_DET_DSSC1M-1"
    eight_bit: bool = False
    """Values above 255 wrap: 256 arrives as 0."""
    photon_gain_adu: Annotated[float, Field(ge=0.2, le=20)] = 2.0
    """Signal of one photon, median over the module, ADU."""
    readout_noise_adu: Annotated[float, Field(gt=0, le=20)] = 0.8
    """Readout noise, median over the module, ADU rms."""
    target_gain: int | None = None
    encoded_gain: int | None = None

    @model_validator(mode="after")
    def _has_a_checksum(self) -> Self:
        if not math.isfinite(self.pulse_id_checksum):
            raise ValueError(
                f"the checksum of {self.frames} pulses with pulse_step {self.pulse_step} is no number, so no catalogue "
                "can hold constants for them: take one frame more or less"
            )
        return self

    @property
    def geometry(self) -> str:
        """Which idealised geometry its modules have."""
        return "DSSC1M"

    @property
    def pulse_id_checksum(self) -> float:
        """By which the catalogue tells patterns of pulses apart; for one pattern in 2048 not a number."""
        pulses = struct.pack(f"<{self.frames}Q", *self.pulse_ids)
        return float(struct.unpack("<d", hashlib.blake2b(pulses, digest_size=8).digest())[0])

    @property
    def conditions(self) -> dict[str, float | str]:
        """Operating conditions by parameter name; what is not set is left out, as clients leave it out."""
        common: dict[str, float | str] = {
            "Sensor Bias Voltage": 100.0,
            "Memory cells": float(self.memory_cells),
            "Pixels X": 512.0,
            "Pixels Y": 128.0,
            "Pulse id checksum": self.pulse_id_checksum,
            "Acquisition rate": self.acquisition_rate_mhz,
        }
        gains = {"Target gain": self.target_gain, "Encoded gain": self.encoded_gain}
        return common | {name: float(value) for name, value in gains.items() if value is not None}


AnyTable = AgipdTable | LpdTable | DsscTable


def pdu_name(detector_type: str, channel: int) -> str:
    """Physical name of the simulated module at *channel*: the catalogue knows it by the same rule."""
    return f"{detector_type}_SIM_M{100 + channel:03d}"
