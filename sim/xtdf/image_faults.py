"""Faults of the detector itself: what they change in a train's images. Pure but for the images, which are changed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.faults import Struck
from sim.xtdf.keys import generator

PLANES: Final = {"AGIPD": (2, 512, 128), "LPD": (1, 256, 256), "DSSC": (1, 128, 512)}
"""Planes, slow and fast scan pixels of a frame; AGIPD: plane 0 analogue, plane 1 digital."""
ASICS: Final = {"AGIPD": (64, 64), "LPD": (32, 128), "DSSC": (64, 64)}
"""Slow and fast scan pixels of an ASIC, of LPD a tile of eight ASICs; 16 on each module, fast scan counting first."""
MOST: Final = {"AGIPD": 16383, "LPD": 4095, "DSSC": 511}
LPD_SIGNAL: Final = 0x0FFF
LPD_STAGE_BIT: Final = 12
AGIPD_LEVELS: Final = (6000, 7800)
"""Digital values between the nominal levels of high, medium and low gain (5000, 7000, 8600 ADU)."""
AGIPD_STEP: Final = 1600
"""From the medium to the low level."""
NAMES: Final = ("dead_asic", "noisy_module", "swapped_gain", "clipped_adc")


def spoil_images(
    images: NDArray[np.uint16], detector: str, struck: Struck, seed: int, serial: str, train_id: int
) -> bool:
    """Change a train's images as the faults that strike it want; whether anything was changed.

    images    (frames, values of a frame) u2, as on the wire
    detector  AGIPD, LPD or DSSC
    """
    if not any(name in struck for name in NAMES):
        return False
    frames = images.reshape(len(images), *PLANES[detector])
    bits = frames[:, 0] & ~np.uint16(LPD_SIGNAL) if detector == "LPD" else np.uint16(0)
    signal = (frames[:, 0] - bits).astype(np.float32)
    if "noisy_module" in struck:
        rng = generator(seed, serial, "noisy_module", train_id)
        signal += np.float32(struck["noisy_module"]["adu"]) * rng.standard_normal(signal.shape, np.float32)
    if "clipped_adc" in struck:
        np.minimum(signal, struck["clipped_adc"]["adu"], out=signal)
    if "dead_asic" in struck:
        signal[:, *_asic(detector, struck["dead_asic"]["asic"])] = 0
    frames[:, 0] = np.clip(np.rint(signal), 0, MOST[detector]).astype(np.uint16) + bits
    if "swapped_gain" in struck:
        _swap_gain(frames, detector)
    return True


def _asic(detector: str, number: int) -> tuple[slice, slice]:
    _, _, fast = PLANES[detector]
    high, wide = ASICS[detector]
    row, column = divmod(number % 16, fast // wide)
    return slice(high * row, high * (row + 1)), slice(wide * column, wide * (column + 1))


def _swap_gain(frames: NDArray[np.uint16], detector: str) -> None:
    """Medium for low, and low for medium gain."""
    if detector == "AGIPD":
        level = frames[:, 1]
        low, medium = level >= AGIPD_LEVELS[1], (level >= AGIPD_LEVELS[0]) & (level < AGIPD_LEVELS[1])
        level[low] -= AGIPD_STEP
        level[medium] += AGIPD_STEP
    elif detector == "LPD":
        stage = frames[:, 0] >> LPD_STAGE_BIT
        swapped = np.where(stage == 1, 2, np.where(stage == 2, 1, stage)).astype(np.uint16)
        frames[:, 0] = (frames[:, 0] & LPD_SIGNAL) | (swapped << LPD_STAGE_BIT)
