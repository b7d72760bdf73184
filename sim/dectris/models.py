"""The detectors that can be simulated, as data rows.

Sources: SIMPLON API reference 1.8 (key differences); vendor's geometry rule (EIGER2: modules of 1028 × 512 pixels with
gaps of 12 and 38, EIGER1: 1030 × 514 with 10 and 37); LiberTEM-live's documentation (QUADRO 4500 Hz, ARINA 120 kHz at
96 × 96); published use of the 4M (1120 Hz, 8 bit) and the 16M (133 Hz); captured headers (readout time, 500K limits).
What no source confirms is named in a row's `nominal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

V16: Final = "1.6.0"
V18: Final = "1.8.0"


@dataclass(frozen=True, slots=True)
class Modules:
    """How a detector is put together: a grid of equal modules with gaps between them. In pixels."""

    columns: int
    rows: int
    width: int
    height: int
    gap_x: int = 0
    gap_y: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the whole detector, gaps included."""
        width = self.columns * (self.width + self.gap_x) - self.gap_x
        return width, self.rows * (self.height + self.gap_y) - self.gap_y


@dataclass(frozen=True, slots=True)
class Roi:
    """A readout of a part of the detector, chosen with `roi_mode`."""

    mode: str
    x: int
    y: int
    width: int
    height: int
    rates: Mapping[int, float]
    """Highest rate in Hz by counter depth."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A counter format of the fast electron detectors, chosen with `pixel_format`."""

    name: str
    bit_depth: int
    """Of the images that leave: always whole bytes."""
    rate_factor: float
    """Of the model's highest rate."""


@dataclass(frozen=True, slots=True)
class Model:
    """One row: what distinguishes one detector from another."""

    name: str
    description: str
    serial: str
    modules: Modules
    rates: Mapping[int, float]
    """Highest full-frame rate in Hz by counter depth (8, 16)."""
    family: str = "EIGER2"
    """EIGER1, EIGER2, PILATUS4 or EM (electron detectors)."""
    version: str = V18
    """The API version that the unit tells of itself; it answers on the paths of both."""
    rois: tuple[Roi, ...] = ()
    lines: bool = False
    """Whether roi_mode `lines` exists, with roi_y_size and roi_bit_depth."""
    lines_speedup: float = 4.0
    """How many times the full-frame rate the lines readout reaches at most."""
    binning: bool = False
    """Whether binning_mode 2x2 exists; it multiplies the highest rate by four."""
    pixel_formats: tuple[PixelFormat, ...] = ()
    thresholds: int = 2
    locked_threshold: bool = False
    """Without `threshold_energy`: detectors for electrons since release 2023.1."""
    extg: bool = True
    high_voltage: str = ""
    """The command that the unit has for it: hv_reset (CdTe), hv_enabled (electron detectors) or none."""
    sensor_material: str = "Si"
    sensor_thickness_m: float = 0.00045
    pixel_size_m: float = 7.5e-5
    particle: str = "photons"
    energy_ev: float = 8041.0
    energy_limits_ev: tuple[float, float] = (50.0, 36000.0)
    threshold_limits_ev: tuple[float, float] = (25.0, 36000.0)
    count_time_limits_s: tuple[float, float] = (5e-8, 3600.0)
    readout_time_s: float = 1e-7
    saturation_hz: float = 4.984e6
    """Counts per second at which the countrate correction ends: captured 16M, 21517 counts in 4.31746 ms."""
    summation_above_s: float = 0.5
    """With auto_summation, exposures longer than this are summed to 32 bit."""
    links: int = 2
    temperature_c: float = 24.5
    humidity: float = 2.1
    firmware: str = "release-2022.1.2"
    fixed_bit_depth: int | None = None
    """8, 16 or 32: the images always have this depth (custom detectors)."""
    nominal: tuple[str, ...] = field(default=())
    """Fields whose figures no source confirms."""

    @property
    def width(self) -> int:
        """Pixels in x of the whole detector."""
        return self.modules.size[0]

    @property
    def height(self) -> int:
        """Pixels in y of the whole detector."""
        return self.modules.size[1]


def _rates(hz16: float, hz8: float) -> Mapping[int, float]:
    return MappingProxyType({16: hz16, 8: hz8})


def _eiger2(columns: int, rows: int) -> Modules:
    return Modules(columns, rows, 1028, 512, 12, 38)


_ALWAYS_NOMINAL: Final = (
    "energy_limits_ev", "threshold_limits_ev", "summation_above_s", "saturation_hz", "temperature_c", "humidity",
)  # fmt: skip
_ROI_16M: Final = _rates(560.0, 1120.0)

_EIGER2_16M: Final = Model(
    name="EIGER2 X 16M",
    description="Dectris EIGER2 Si 16M",
    serial="E-32-0117",
    modules=_eiger2(4, 8),
    rates=_rates(133.0, 266.0),
    rois=(Roi("4M-L", 0, 1100, 2068, 2162, _ROI_16M), Roi("4M-R", 2080, 1100, 2068, 2162, _ROI_16M)),
    nominal=("rates[8]", "rois", *_ALWAYS_NOMINAL),
)


def _smaller(
    size: str, serial: str, modules: Modules, rates: Mapping[int, float], nominal: str = "rates"
) -> Model:
    """An EIGER2 X of another size."""
    return replace(
        _EIGER2_16M,
        name=f"EIGER2 X {size}",
        description=f"Dectris EIGER2 Si {size}",
        serial=serial,
        modules=modules,
        rates=rates,
        rois=(),
        nominal=(nominal, *_ALWAYS_NOMINAL),
    )


_ELECTRONS: Final = Model(
    name="QUADRO",
    description="Dectris QUADRO Si",
    serial="E-01-0333",
    modules=Modules(1, 1, 512, 512),
    rates=_rates(2250.0, 4500.0),
    family="EM",
    lines=True,
    thresholds=2,
    locked_threshold=True,
    high_voltage="hv_enabled",
    particle="electrons",
    energy_ev=200_000.0,
    energy_limits_ev=(30_000.0, 300_000.0),
    threshold_limits_ev=(5_000.0, 40_000.0),
    nominal=("rates[16]", "lines_speedup", "energy_ev", *_ALWAYS_NOMINAL),
)
_EIGER1_500K: Final = Model(
    name="EIGER X 500K",
    description="Dectris Eiger 500K",
    serial="E-01-0061",
    modules=Modules(1, 1, 1030, 514, 10, 37),
    rates=MappingProxyType({16: 1 / 1.101e-4}),
    family="EIGER1",
    version=V16,
    thresholds=1,
    sensor_thickness_m=0.00032,
    energy_limits_ev=(5000.0, 36000.0),
    threshold_limits_ev=(2700.0, 18000.0),
    count_time_limits_s=(3e-6, 1800.0),
    readout_time_s=3e-6,
    firmware="v1.8.0",
    nominal=("readout_time_s", "saturation_hz", "summation_above_s", "temperature_c", "humidity"),
)

MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        model.name: model
        for model in (
            _smaller("500K", "E-08-0100", _eiger2(1, 1), _rates(2250.0, 4500.0)),
            _smaller("1M", "E-02-0101", _eiger2(1, 2), _rates(2000.0, 2250.0)),
            _smaller("4M", "E-08-0102", _eiger2(2, 4), _rates(560.0, 1120.0), nominal="rates[16]"),
            replace(
                _smaller("CdTe 4M", "E-08-0104", _eiger2(2, 4), _rates(500.0, 1000.0)),
                description="Dectris EIGER2 CdTe 4M",
                sensor_material="CdTe",
                sensor_thickness_m=0.00075,
                high_voltage="hv_reset",
                nominal=("rates", "sensor_thickness_m", *_ALWAYS_NOMINAL),
            ),
            _smaller("9M", "E-18-0103", _eiger2(3, 6), _rates(230.0, 460.0)),
            _EIGER2_16M,
            _ELECTRONS,
            replace(
                _ELECTRONS,
                name="ARINA",
                description="Dectris ARINA Si",
                serial="E-01-0444",
                modules=Modules(1, 1, 192, 192),
                rates=_rates(30_000.0, 30_000.0),
                lines=False,
                binning=True,
                pixel_formats=(
                    PixelFormat("uint12", 16, 1.0),
                    PixelFormat("uint16", 16, 0.5),
                    PixelFormat("uint4", 8, 1.0),
                ),
                pixel_size_m=1e-4,
                firmware="release-2023.1.0",
                nominal=("rates", "pixel_formats", "pixel_size_m", "energy_ev", *_ALWAYS_NOMINAL),
            ),
            _EIGER1_500K,
            Model(
                name="PILATUS4 1M",
                description="Dectris PILATUS4 Si 1M",
                serial="P-04-0101",
                modules=Modules(1, 2, 1014, 512, 14, 38),
                rates=_rates(2000.0, 4000.0),
                family="PILATUS4",
                thresholds=4,
                extg=False,
                pixel_size_m=1.5e-4,
                firmware="release-2024.1.0",
                nominal=("modules", "rates", "pixel_size_m", "extg", "readout_time_s", *_ALWAYS_NOMINAL),
            ),
        )
    }
)
"""By name, as the bench file has them."""


def recorded(model: Model, width: int, height: int, bit_depth: int) -> Model:
    """The same detector, bound to the images of a recording: no other size, no other depth, any rate."""
    return replace(
        model,
        modules=Modules(1, 1, width, height),
        rates={bit_depth: 1e6},
        rois=(),
        lines=False,
        binning=False,
        pixel_formats=(),
        fixed_bit_depth=bit_depth,
    )


def custom(width: int, height: int, bit_depth: int, description: str, serial: str) -> Model:
    """A small detector of any size that always makes images of this depth, at any rate: for tests."""
    return Model(
        name="custom",
        description=description,
        serial=serial,
        modules=Modules(1, 1, width, height),
        rates={bit_depth: 1e6},
        energy_limits_ev=(50.0, 300_000.0),
        threshold_limits_ev=(25.0, 300_000.0),
        fixed_bit_depth=bit_depth,
        nominal=("rates", *_ALWAYS_NOMINAL),
    )
