"""What a simulated LPD module is. The numbers are our choice, of the order that LPD shows; no measured module stands
behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.config import LpdTable
from sim.xtdf.kernels import F32
from sim.xtdf.keys import generator
from sim.xtdf.pixels import BadPixel, around, draw_bad

SHAPE: Final = (256, 256)
PEDESTAL_ADU: Final = (700.0, 750.0, 800.0)
PEDESTAL_SPREAD_ADU: Final = 35.0
PEDESTAL_CELL_SPREAD_ADU: Final = 6.0
OUTLIER_ADU: Final = (450.0, 600.0)
NOISE_BY_STAGE: Final = (1.0, 0.8, 0.7)
STAGE_RATIO: Final = (1.0, 10.0, 100.0)
"""High gain over each stage's."""
SWITCH_ADU: Final = 2600.0
GAIN_SPREAD: Final = 0.02
CELL_GAIN_SPREAD: Final = 0.005


@dataclass(frozen=True, slots=True)
class LpdTruth:
    """Everything that is true of one module. Gain stages: 0 high, 1 medium, 2 low. Pixels are (256, 256) slow, fast."""

    serial: str
    pedestal: F32
    """(cells, 3, 256, 256) ADU."""
    readout_noise: F32
    """(3, 256, 256) ADU rms; 0 where dead."""
    ratio: F32
    """(3, 256, 256) high gain over each stage's."""
    amplifier: F32
    """(256, 256) gain of the amplifier over the module's median."""
    photon_gain: F32
    """(256, 256) high-gain ADU per photon at an amplifier gain of 1; 0 where dead."""
    cell_gain: F32
    """(cells,) factor of each memory cell."""
    switch: F32
    """(2, 256, 256) signal at which the pixel leaves high and medium gain, ADU above pedestal."""
    bad: NDArray[np.uint8]
    """(256, 256) `BadPixel` of each pixel; STUCK_GAIN: the gain bits are always 3."""

    @property
    def gain(self) -> F32:
        """(3, 256, 256) ADU per photon, median over cells; 0 where dead."""
        return np.asarray(self.photon_gain * self.amplifier / self.ratio, np.float32)


def build_truth(table: LpdTable, seed: int, serial: str) -> LpdTruth:
    """Draw one module from (seed, serial)."""
    rng = generator(seed, serial, "truth")
    cells = table.constant_cells
    bad = draw_bad(rng, table.bad_pixels, SHAPE)
    pedestal = _draw_pedestal(rng, cells)
    noise = around(rng, table.readout_noise_adu, 0.08, (3, *SHAPE)) * _by_stage(NOISE_BY_STAGE)
    ratio = around(rng, 1.0, GAIN_SPREAD, (3, *SHAPE)) * _by_stage(STAGE_RATIO)
    ratio[0] = 1
    photon_gain = around(rng, table.photon_gain_adu, GAIN_SPREAD, SHAPE)
    amplifier = around(rng, 1.0, GAIN_SPREAD, SHAPE)
    switch = around(rng, SWITCH_ADU, 0.02, (2, *SHAPE))
    cell_gain = 1 + CELL_GAIN_SPREAD * rng.standard_normal(cells).clip(-3, 3)

    dead, outlier, noisy = (bad == kind for kind in (BadPixel.DEAD, BadPixel.OFFSET_OUTLIER, BadPixel.NOISY))
    noise[:, noisy] *= rng.uniform(8, 20, np.count_nonzero(noisy))
    noise[:, dead] = photon_gain[dead] = 0
    pedestal[:, :, dead] = np.round(rng.uniform(20, 120, np.count_nonzero(dead)))
    pedestal[:, :, outlier] += rng.uniform(*OUTLIER_ADU, np.count_nonzero(outlier))
    return LpdTruth(
        serial=serial,
        pedestal=pedestal,
        readout_noise=noise.astype(np.float32),
        ratio=ratio.astype(np.float32),
        amplifier=amplifier.astype(np.float32),
        photon_gain=photon_gain.astype(np.float32),
        cell_gain=cell_gain.astype(np.float32),
        switch=switch.astype(np.float32),
        bad=bad,
    )


def _by_stage(values: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(values)[:, None, None]


def _draw_pedestal(rng: np.random.Generator, cells: int) -> F32:
    """(cells, 3, 256, 256): stage, tile, pixel and cell parts, so that an offset map looks like one."""
    tiles = np.kron(20 * rng.standard_normal((8, 2)).clip(-2, 2), np.ones((32, 128)))
    pixel = (
        _by_stage(PEDESTAL_ADU) + tiles + PEDESTAL_SPREAD_ADU * rng.standard_normal((3, *SHAPE)).clip(-4, 4)
    )
    pedestal = np.empty((cells, 3, *SHAPE), np.float32)
    for cell in range(cells):
        spread = rng.standard_normal((3, *SHAPE), np.float32).clip(-4, 4)
        pedestal[cell] = pixel + PEDESTAL_CELL_SPREAD_ADU * spread - 0.02 * cell
    return pedestal
