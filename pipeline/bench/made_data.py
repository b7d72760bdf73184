"""Data and constants for measuring: of the real sizes, and as sparse in switched and bad pixels as real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.config import CorrectionTable
from pipeline.correct.agipd import AgipdModule, AgipdRecipe, AgipdSettings
from pipeline.correct.agipd_constants import IMAGE, AgipdConstants
from pipeline.correct.compact import BadPixelList
from pipeline.model import U16

PIXELS: Final = IMAGE[0] * IMAGE[1]
BAD: Final = 0.006
"""Share of bad pixels, as the simulated modules have."""
SWITCHED: Final = 0.02
"""Share of pixels that left high gain, in spots."""
SPOT_RADIUS: Final = 5
LEVELS: Final = (5000, 7000)
"""Digital level in high and medium gain, ADU, as the simulated modules have."""
THRESHOLDS: Final = (6000, 7800)


def recipe() -> AgipdRecipe:
    """The recipe with its usual steps: thresholds, offset, relative and photon gain, mask."""
    return AgipdRecipe(AgipdSettings.of(CorrectionTable()))


def constants(cells: int, seed: int) -> AgipdConstants:
    """Prepared constants of one module without the detour over floats, for any number of cells."""
    rng = np.random.default_rng(seed)
    threshold = np.empty((2, cells, PIXELS), np.uint16)
    threshold[0], threshold[1] = THRESHOLDS
    each = int(BAD * PIXELS)
    bad = [np.sort(rng.choice(PIXELS, each, replace=False)) for _ in range(cells)]
    return AgipdConstants(
        threshold=threshold,
        offset=rng.integers(0, 6000, (3, cells, PIXELS), dtype=np.uint16),
        factor=rng.integers(10_000, 20_000, (2, cells, PIXELS), dtype=np.uint16),
        offset_scale=np.array([(3000, 0.125), (5500, 0.125), (7500, 0.125)], np.float32),
        factor_scale=np.array([(0, 2.0**-19), (0, 2.0**-15)], np.float32),
        low_ratio=4.48,
        flat=np.zeros((0, PIXELS), np.uint16),
        flat_scale=np.array([1, 0], np.float32),
        bad=BadPixelList(
            np.arange(cells + 1, dtype=np.int64) * each,
            np.concatenate(bad).astype(np.uint16),
            np.ones((each * cells, 3), np.uint32),
        ),
    )


def module(cells: int, number: int) -> AgipdModule:
    """A module's correction with such constants."""
    made = recipe()
    return AgipdModule(number, made.settings, constants(cells, number), made.steps)


def raw_train(frames: int, seed: int) -> U16:
    """Raw images of a train, (frames, 2, 512, 128) u2, two percent of the pixels in medium gain in spots."""
    rng = np.random.default_rng(seed)
    raw = np.empty((frames, 2, *IMAGE), np.uint16)
    raw[:, 0] = rng.integers(3400, 5000, (frames, *IMAGE), dtype=np.uint16)
    raw[:, 1] = np.where(_spots(rng), LEVELS[1], LEVELS[0])
    return raw


def _spots(rng: np.random.Generator) -> NDArray[np.bool_]:
    slow, fast = np.mgrid[: IMAGE[0], : IMAGE[1]]
    lit = np.zeros(IMAGE, bool)
    while lit.mean() < SWITCHED:
        at = rng.integers(IMAGE[0]), rng.integers(IMAGE[1])
        lit |= (slow - at[0]) ** 2 + (fast - at[1]) ** 2 < SPOT_RADIUS**2
    return lit


def plain_constants(compact: AgipdConstants) -> Mapping[str, NDArray[Any]]:
    """The same constants as float32 maps, (cells, pixels, …): what a script written with plain numpy would load."""
    cells = compact.offset.shape[1]
    offset = compact.offset_scale[:, :1, None] + compact.offset * compact.offset_scale[:, 1:, None]
    factor = compact.factor_scale[:, :1, None] + compact.factor * compact.factor_scale[:, 1:, None]
    factor = np.concatenate([factor, factor[1:] * np.float32(compact.low_ratio)])
    mask = np.zeros((cells, PIXELS, 3), np.uint32)
    for cell in range(cells):
        entries = slice(compact.bad.first[cell], compact.bad.first[cell + 1])
        mask[cell, compact.bad.pixel[entries]] = compact.bad.bits[entries]
    return {
        "thresholds": np.ascontiguousarray(compact.threshold.transpose(1, 2, 0), np.float32),
        "offset": np.ascontiguousarray(offset.transpose(1, 2, 0), np.float32),
        "factor": np.ascontiguousarray(factor.transpose(1, 2, 0), np.float32),
        "mask": mask,
    }
