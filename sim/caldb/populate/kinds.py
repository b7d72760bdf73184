"""Detectors that a catalogue is filled with: their units, their constants, and the conditions of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Value = float | str
Look = Literal["level", "mask"]


@dataclass(frozen=True, slots=True)
class Constant:
    """One calibration of a detector type: what its arrays look like, and what it depends on."""

    calibration: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    """One length for each of *dims*; -1 stands for the number of memory cells."""
    conditions: tuple[str, ...]
    """Names of parameters; their values are the detector's."""
    levels: tuple[float, ...] = (0.0,)
    """Typical values along the last axis, repeated as needed; a bad-pixel mask has none."""
    spread: float = 0.0
    """Of pixels about the level, standard deviation."""
    look: Look = "level"

    def shape_of(self, cells: int) -> tuple[int, ...]:
        """The shape with so many memory cells."""
        return tuple(cells if length == -1 else length for length in self.shape)


@dataclass(frozen=True, slots=True)
class Detector:
    """One detector with its units."""

    identifier: str
    type_name: str
    control: str
    pattern: str
    """Of source names; `{modno}` stands for a unit's number."""
    prefix: str
    """How aggregators' names begin."""
    units: tuple[int, ...]
    values: Mapping[str, Value]
    """Operating conditions of the type, by parameter."""
    constants: tuple[Constant, ...]
    deviations: Mapping[str, float] = field(default_factory=dict)
    """How far a request may be off, by parameter; 0 where none is given."""
    varied: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Values of parameters under which `populate --rows` makes constants too."""
    fixed_cells: bool = False
    """Whether the number of memory cells belongs to the detector."""


FAST_FIRST: Final = ("fast_scan", "slow_scan", "cell", "gain")
_AGIPD: Final = (
    "Sensor Bias Voltage",
    "Pixels X",
    "Pixels Y",
    "Memory cells",
    "Acquisition rate",
    "Gain setting",
)


def _agipd(
    calibration: str, last: int, *more: str, levels: tuple[float, ...] = (), spread: float = 0.0
) -> Constant:
    dims = (*FAST_FIRST[:3], "threshold" if calibration == "ThresholdsDark" else "gain")
    look: Look = "level" if levels else "mask"
    shape = (128, 512, -1, last)
    return Constant(calibration, dims, shape, (*_AGIPD, *more), levels or (0.0,), spread, look)


AGIPD: Final = (
    _agipd("Offset", 3, levels=(4300.0, 6500.0, 6700.0), spread=300.0),
    _agipd("Noise", 3, levels=(8.0, 5.0, 5.0), spread=0.5),
    _agipd("ThresholdsDark", 5, levels=(5900.0, 6900.0, 5200.0, 6600.0, 7200.0), spread=60.0),
    _agipd("BadPixelsDark", 3),
    _agipd("SlopesPC", 5, levels=(50.0, 4300.0, 0.0, 1.3, 6500.0), spread=1.0),
    _agipd("BadPixelsPC", 3),
    _agipd("SlopesFF", 2, "Source energy", levels=(62.0, 0.0), spread=2.0),
    _agipd("BadPixelsFF", 2, "Source energy"),
    Constant(
        "SlopesCS",
        ("coefficient", "cell", "fast_scan", "slow_scan"),
        (8, -1, 128, 512),
        _AGIPD,
        (1.0,),
        0.02,
    ),
    Constant("BadPixelsCS", ("cell", "fast_scan", "slow_scan"), (-1, 128, 512), _AGIPD, (0.0,), 0.0, "mask"),
)

_LPD: Final = ("Sensor Bias Voltage", "Memory cells", "Pixels X", "Pixels Y", "Feedback capacitor")
_LPD_DARK: Final = (*_LPD, "Memory cell order")
_LPD_GAIN: Final = (*_LPD, "Source energy", "category")
_LPD_SHAPE: Final = (256, 256, -1, 3)
LPD: Final = (
    Constant("Offset", FAST_FIRST, _LPD_SHAPE, _LPD_DARK, (1000.0, 1000.0, 1000.0), 40.0),
    Constant("Noise", FAST_FIRST, _LPD_SHAPE, _LPD_DARK, (6.0, 5.0, 5.0), 0.4),
    Constant("BadPixelsDark", FAST_FIRST, _LPD_SHAPE, _LPD_DARK, look="mask"),
    Constant("RelativeGain", FAST_FIRST, _LPD_SHAPE, _LPD_GAIN, (1.0, 10.0, 100.0), 0.02),
    Constant("GainAmpMap", FAST_FIRST, _LPD_SHAPE, _LPD_GAIN, (1.0,), 0.01),
    Constant("FFMap", FAST_FIRST, _LPD_SHAPE, _LPD_GAIN, (1.0,), 0.01),
    Constant("BadPixelsFF", FAST_FIRST, _LPD_SHAPE, _LPD_GAIN, look="mask"),
)

_DSSC: Final = (
    "Sensor Bias Voltage",
    "Memory cells",
    "Pixels X",
    "Pixels Y",
    "Pulse id checksum",
    "Acquisition rate",
    "Target gain",
    "Encoded gain",
)
DSSC: Final = (
    Constant("Offset", FAST_FIRST[:3], (512, 128, -1), _DSSC, (40.0,), 4.0),
    Constant("Noise", FAST_FIRST[:3], (512, 128, -1), _DSSC, (1.2,), 0.1),
)

_JUNGFRAU: Final = (
    "Sensor Bias Voltage",
    "Memory cells",
    "Pixels X",
    "Pixels Y",
    "Integration time",
    "Sensor Temperature",
    "Gain setting",
)
_JUNGFRAU_SHAPE: Final = (1024, 512, -1, 3)
JUNGFRAU: Final = (
    Constant("Offset10Hz", FAST_FIRST, _JUNGFRAU_SHAPE, _JUNGFRAU, (2800.0, 14500.0, 14600.0), 120.0),
    Constant("Noise10Hz", FAST_FIRST, _JUNGFRAU_SHAPE, _JUNGFRAU, (3.0, 2.0, 2.0), 0.3),
    Constant("BadPixelsDark10Hz", FAST_FIRST, _JUNGFRAU_SHAPE, _JUNGFRAU, look="mask"),
    Constant("RelativeGain10Hz", FAST_FIRST, _JUNGFRAU_SHAPE, _JUNGFRAU, (41.5, -1.45, -0.11), 0.01),
    Constant("BadPixelsFF10Hz", FAST_FIRST, _JUNGFRAU_SHAPE, _JUNGFRAU, look="mask"),
)

_ROWS_FIRST: Final = ("slow_scan", "fast_scan", "cell")
_EPIX: Final = (
    "Sensor Bias Voltage",
    "Memory cells",
    "Pixels X",
    "Pixels Y",
    "Integration time",
    "Sensor Temperature",
    "In vacuum",
)
_EPIX_SHAPE: Final = (708, 768, 1)
EPIX100: Final = (
    Constant("OffsetEPix100", _ROWS_FIRST, _EPIX_SHAPE, _EPIX, (2900.0,), 90.0),
    Constant("NoiseEPix100", _ROWS_FIRST, _EPIX_SHAPE, _EPIX, (12.0,), 1.0),
    Constant("BadPixelsDarkEPix100", _ROWS_FIRST, _EPIX_SHAPE, _EPIX, look="mask"),
    Constant("RelativeGainEPix100", _ROWS_FIRST, _EPIX_SHAPE, _EPIX, (1.0,), 0.02),
)

_CCD: Final = (*_EPIX[:6], "Gain setting")
_CCD_SHAPE: Final = (1024, 1024, 1)
PNCCD: Final = (
    Constant("OffsetCCD", _ROWS_FIRST, _CCD_SHAPE, _CCD, (1100.0,), 30.0),
    Constant("NoiseCCD", _ROWS_FIRST, _CCD_SHAPE, _CCD, (9.0,), 0.8),
    Constant("BadPixelsDarkCCD", _ROWS_FIRST, _CCD_SHAPE, _CCD, look="mask"),
    Constant("RelativeGainCCD", _ROWS_FIRST, _CCD_SHAPE, _CCD, (1.0,), 0.02),
    Constant("CTECCD", _ROWS_FIRST, _CCD_SHAPE, _CCD, (0.999,), 0.0005),
)
