"""SlopesPC and SlopesFF of a module, made from its truth with a stated calibration error.

The convention is that of docs/architecture.md, Constants: photons = (a − Offset) × rel[g] / SlopesFF[…,0] with
rel[0] = median(SlopesPC[…,0]) / SlopesPC[…,0] and rel[1] = median(SlopesPC[…,0]) / SlopesPC[…,3].
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from sim.xtdf.agipd.truth import ModuleTruth
from sim.xtdf.kernels import F32
from sim.xtdf.keys import generator

Calibration = Literal["SlopesPC", "SlopesFF"]
CALIBRATIONS: Final[tuple[Calibration, ...]] = ("SlopesPC", "SlopesFF")


def make_constant(calibration: Calibration, truth: ModuleTruth, seed: int, error: float) -> F32:
    """One constant as the catalogue stores it, (128, 512, cells, 5 or 2) f4: fast, slow, cell, parameter.

    SlopesPC: [0] high slope, [1] high intercept, [3] medium slope, [4] medium intercept, ADU per DAC step and ADU;
    SlopesFF: [0] ADU per photon. *error* (relative, rms) falls on each slope of each pixel and cell on its own, and
    once on all SlopesFF of the module, as the error of an energy calibration does. Unused entries are 0.
    """
    rng = generator(seed, truth.serial, "calibration", calibration)
    if calibration == "SlopesPC":
        return _slopes_pc(truth, rng, error)
    return _slopes_ff(truth, rng, error)


def _slopes_pc(truth: ModuleTruth, rng: np.random.Generator, error: float) -> F32:
    high, medium = (_in_catalogue_order(_by_cell(truth, stage), rng, error) for stage in (0, 1))
    constant = np.zeros((*high.shape, 5), np.float32)
    constant[..., 0], constant[..., 3] = high, medium
    constant[..., 1] = np.transpose(truth.pedestal[:, 0], (2, 1, 0))
    constant[..., 4] = np.transpose(truth.pedestal[:, 1], (2, 1, 0))
    return constant


def _slopes_ff(truth: ModuleTruth, rng: np.random.Generator, error: float) -> F32:
    # The relative gain is normalised by the median over all cells, the photon gain by the median over pixels alone.
    norm = np.median(_by_cell(truth, 0)) / np.median(truth.slope_pc[0])
    whole_module = norm * (1 + error * rng.standard_normal())
    cells = np.broadcast_to(truth.photons_ff * whole_module, truth.pedestal[:, 0].shape)
    photon_gain = _in_catalogue_order(cells, rng, error)
    constant = np.zeros((*photon_gain.shape, 2), np.float32)
    constant[..., 0] = photon_gain
    return constant


def _by_cell(truth: ModuleTruth, stage: int) -> F32:
    """Slope of every cell, (cells, 512, 128)."""
    return np.asarray(truth.slope_pc[stage] * truth.cell_gain[:, None, None], np.float32)


def _in_catalogue_order(cells: F32, rng: np.random.Generator, error: float) -> F32:
    """(cells, slow, fast) to (fast, slow, cell), each value with its own error."""
    blurred = cells * (1 + np.float32(error) * rng.standard_normal(cells.shape, np.float32))
    return np.ascontiguousarray(np.transpose(blurred, (2, 1, 0)), np.float32)
