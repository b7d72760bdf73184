"""What a simulated module is: its pedestals, noise, gains, switching points and bad pixels.

The numbers are our choice, of the order that AGIPD shows; no measured module stands behind them. They are drawn from
(seed, serial) alone, so the same module is the same in every bench with that seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.agipd.kernels import FAST, SLOW
from sim.xtdf.config import AgipdTable
from sim.xtdf.kernels import F32
from sim.xtdf.keys import generator
from sim.xtdf.pixels import BadPixel, around, draw_bad

SHAPE: Final = (SLOW, FAST)
MEDIUM_TO_LOW: Final = 4.48
"""Medium slope over low slope; the correction uses the same ratio (docs/architecture.md, Constants)."""
HIGH_TO_MEDIUM: Final = 20.0
PEDESTAL_ADU: Final = (3500.0, 6000.0, 8000.0)
PEDESTAL_SPREAD_ADU: Final = 90.0
PEDESTAL_CELL_SPREAD_ADU: Final = 15.0
ASIC_STEP_ADU: Final = 60.0
LEVEL_ADU: Final = (5000.0, 7000.0, 8600.0)
LEVEL_SPREAD_ADU: Final = 60.0
LEVEL_NOISE_ADU: Final = 30.0
NOISE_BY_STAGE: Final = (1.0, 1.1, 1.05)
SWITCH_ADU: Final = (1900.0, 2500.0)
SLOPE_PC: Final = 3.0
"""High-gain slope of the pulsed capacitor, ADU per DAC step, median."""
GAIN_SPREAD: Final = 0.02
CELL_GAIN_SPREAD: Final = 0.005
ROUNDING_VARIANCE: Final = 1 / 12
"""Variance that rounding to whole ADU adds."""


@dataclass(frozen=True, slots=True)
class ModuleTruth:
    """Everything that is true of one module. Gain stages: 0 high, 1 medium, 2 low. Pixels are (512, 128) slow, fast."""

    serial: str
    pedestal: F32
    """(cells, 3, 512, 128) ADU."""
    readout_noise: F32
    """(3, 512, 128) ADU rms, without common mode; 0 where dead."""
    common_mode: float
    """ADU rms of the shift that the pixels of one ASIC share in one frame."""
    photon_gain: F32
    """(3, 512, 128) ADU per photon, median over cells; 0 where dead."""
    cell_gain: F32
    """(cells,) factor of each memory cell on `photon_gain`."""
    slope_pc: F32
    """(2, 512, 128) high and medium slope, ADU per DAC step, before `cell_gain`."""
    photons_ff: F32
    """(512, 128) photon gain after relative gain, ADU per photon: what SlopesFF stands for."""
    switch: F32
    """(2, 512, 128) signal at which the pixel leaves high and medium gain, ADU above pedestal."""
    level: F32
    """(3, 512, 128) digital level of each stage, ADU."""
    level_noise: float
    """ADU rms."""
    bad: NDArray[np.uint8]
    """(512, 128) `BadPixel` of each pixel."""

    @property
    def thresholds(self) -> F32:
        """(2, 512, 128) middle between neighbouring digital levels, ADU."""
        return ((self.level[:-1] + self.level[1:]) / 2).astype(np.float32)

    @property
    def total_noise(self) -> F32:
        """(3, 512, 128) ADU rms: readout, common mode and rounding; 0 where dead."""
        total = np.sqrt(self.readout_noise**2 + self.common_mode**2 + ROUNDING_VARIANCE)
        return np.where(self.readout_noise > 0, total, 0).astype(np.float32)


def build_truth(table: AgipdTable, seed: int, serial: str) -> ModuleTruth:
    """Draw one module from (seed, serial)."""
    rng = generator(seed, serial, "truth")
    bad = draw_bad(rng, table.bad_pixels, SHAPE)
    pedestal = _draw_pedestal(rng, table.memory_cells)
    noise = around(rng, table.readout_noise_adu, 0.08, (3, *SHAPE)) * _by_stage(NOISE_BY_STAGE)
    slope_high = around(rng, SLOPE_PC, GAIN_SPREAD, SHAPE)
    slope_medium = slope_high / around(rng, HIGH_TO_MEDIUM, GAIN_SPREAD, SHAPE)
    photons_ff = around(rng, table.photon_gain_adu, GAIN_SPREAD, SHAPE)
    cell_gain = 1 + CELL_GAIN_SPREAD * rng.standard_normal(table.memory_cells)
    level = _by_stage(LEVEL_ADU) + LEVEL_SPREAD_ADU * rng.standard_normal((3, *SHAPE)).clip(-4, 4)
    switch = _by_stage(SWITCH_ADU) * (1 + 0.02 * rng.standard_normal((2, *SHAPE)).clip(-3, 3))
    slopes = np.stack([slope_high, slope_medium, slope_medium / MEDIUM_TO_LOW])
    gain = photons_ff * slopes / np.median(slope_high)

    dead, outlier = bad == BadPixel.DEAD, bad == BadPixel.OFFSET_OUTLIER
    noise[:, bad == BadPixel.NOISY] *= rng.uniform(8, 20, np.count_nonzero(bad == BadPixel.NOISY))
    noise[:, dead] = gain[:, dead] = 0
    pedestal[:, :, dead] = np.round(rng.uniform(50, 600, np.count_nonzero(dead)))
    far = np.count_nonzero(outlier)
    pedestal[:, :, outlier] += rng.uniform(2000, 2500, far) * rng.choice((-1.0, 1.0), far)
    level[:, bad == BadPixel.STUCK_GAIN] = level[0, bad == BadPixel.STUCK_GAIN]
    return ModuleTruth(
        serial=serial,
        pedestal=pedestal,
        readout_noise=noise.astype(np.float32),
        common_mode=table.common_mode_adu,
        photon_gain=gain.astype(np.float32),
        cell_gain=cell_gain.astype(np.float32),
        slope_pc=slopes[:2].astype(np.float32),
        photons_ff=photons_ff.astype(np.float32),
        switch=switch.astype(np.float32),
        level=level.astype(np.float32),
        level_noise=LEVEL_NOISE_ADU,
        bad=bad,
    )


def _by_stage(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values)[:, None, None]


def _draw_pedestal(rng: np.random.Generator, cells: int) -> F32:
    """(cells, 3, 512, 128): stage, ASIC, pixel and cell parts, so that an offset map looks like one."""
    asics = np.kron(ASIC_STEP_ADU * rng.standard_normal((8, 2)).clip(-2, 2), np.ones((64, 64)))
    column = 15 * rng.standard_normal(FAST).clip(-3, 3)
    pixel = _by_stage(PEDESTAL_ADU) + asics + column
    pixel = pixel + PEDESTAL_SPREAD_ADU * rng.standard_normal((3, *SHAPE)).clip(-4, 4)
    pedestal = np.empty((cells, 3, *SHAPE), np.float32)
    for cell in range(cells):
        # The pedestal drifts slowly along the cells, as stored charge does.
        drift = -0.2 * cell
        spread = PEDESTAL_CELL_SPREAD_ADU * rng.standard_normal((3, *SHAPE), np.float32).clip(-4, 4)
        pedestal[cell] = pixel + drift + spread
    return pedestal
