"""What a simulated DSSC module is. The numbers are our choice; no measured module stands behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.config import DsscTable
from sim.xtdf.kernels import F32
from sim.xtdf.keys import generator
from sim.xtdf.pixels import BadPixel, around, draw_bad

SHAPE: Final = (128, 512)
PEDESTAL_ADU: Final = 60.0
PEDESTAL_SPREAD_ADU: Final = 2.5
PEDESTAL_CELL_SPREAD_ADU: Final = 0.6
OUTLIER_ADU: Final = (60.0, 90.0)
GAIN_SPREAD: Final = 0.03


@dataclass(frozen=True, slots=True)
class DsscTruth:
    """Everything that is true of one module. Pixels are (128, 512) slow, fast."""

    serial: str
    pedestal: F32
    """(cells, 128, 512) ADU."""
    readout_noise: F32
    """(128, 512) ADU rms; 0 where dead."""
    photon_gain: F32
    """(128, 512) ADU per photon; 0 where dead."""
    bad: NDArray[np.uint8]
    """(128, 512) `BadPixel` of each pixel."""


def build_truth(table: DsscTable, seed: int, serial: str) -> DsscTruth:
    """Draw one module from (seed, serial). There are no gain stages that could be stuck."""
    rng = generator(seed, serial, "truth")
    bad = draw_bad(rng, table.bad_pixels, SHAPE)
    bad[bad == BadPixel.STUCK_GAIN] = BadPixel.GOOD
    asics = np.kron(1.5 * rng.standard_normal((2, 8)).clip(-2, 2), np.ones((64, 64)))
    pixel = PEDESTAL_ADU + asics + PEDESTAL_SPREAD_ADU * rng.standard_normal(SHAPE).clip(-4, 4)
    noise = around(rng, table.readout_noise_adu, 0.08, SHAPE)
    gain = around(rng, table.photon_gain_adu, GAIN_SPREAD, SHAPE)
    spread = rng.standard_normal((table.memory_cells, *SHAPE), np.float32).clip(-4, 4)
    pedestal = (pixel + PEDESTAL_CELL_SPREAD_ADU * spread).astype(np.float32)

    dead, outlier, noisy = (bad == kind for kind in (BadPixel.DEAD, BadPixel.OFFSET_OUTLIER, BadPixel.NOISY))
    noise[noisy] *= rng.uniform(8, 20, np.count_nonzero(noisy))
    noise[dead] = gain[dead] = 0
    pedestal[:, dead] = np.round(rng.uniform(0, 15, np.count_nonzero(dead)))
    pedestal[:, outlier] += rng.uniform(*OUTLIER_ADU, np.count_nonzero(outlier))
    return DsscTruth(serial, pedestal, noise.astype(np.float32), gain.astype(np.float32), bad)
