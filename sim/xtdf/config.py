"""The table of an `agipd` device in a bench file."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MODULES: Final = 16

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
    def version(self) -> tuple[int, int]:
        """Major and minor train format version."""
        major, minor = self.format_version.split(".")
        return int(major), int(minor)


class AgipdTable(XtdfTable):
    """`[sim.devices.NAME]` with `kind = "agipd"`: the modules of one AGIPD 1M detector.

    The physical name (PDU) of the module at a channel is `pdu_name(channel)`: `AGIPD_SIM_M100` for channel 0 to
    `AGIPD_SIM_M115` for channel 15.
    """

    max_cells: ClassVar[int] = 352
    detector: Annotated[str, Field(pattern=r"^[A-Z0-9]+_DET_AGIPD1M-?[0-9]*$")] = "SPB_DET_AGIPD1M-1"
    """Name of the detector in the control system, e.g. SPB_DET_AGIPD1M-1."""
    photon_gain_adu: Annotated[float, Field(ge=5, le=60)] = 30.0
    """High-gain signal of one photon of 9.2 keV, median over the module, ADU."""
    readout_noise_adu: Annotated[float, Field(gt=0, le=20)] = 2.4
    """Readout noise in high gain, median over the module, ADU rms."""
    common_mode_adu: Annotated[float, Field(ge=0, le=10)] = 0.7
    """Shift that the pixels of an ASIC share in one frame, ADU rms."""


def pdu_name(channel: int) -> str:
    """Physical name of the simulated module at *channel*: the catalogue knows it by the same rule."""
    return f"AGIPD_SIM_M{100 + channel:03d}"
