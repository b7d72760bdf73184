"""The AGIPD recipe: settings, constants in the order in which the kernels read them, and a module's correction.

Conventions of the gain: docs/architecture.md, Constants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.correct.recipe import Buffers, corrected_module, where
from pipeline.errors import SettingRejected
from pipeline.model import F32, U16, U32, CorrectedModule, ModuleTrain

STEPS: Final = ("thresholding", "offset", "relative_gain", "photon_gain", "mask")
CALIBRATIONS: Final[Mapping[str, str]] = {
    "thresholding": "ThresholdsDark",
    "relative_gain": "SlopesPC",
    "photon_gain": "SlopesFF",
    "mask": "BadPixelsDark",
}
"""What a step needs beside the offsets."""
MEDIUM_TO_LOW: Final = 4.48
"""High-gain equivalent of low gain over medium gain (public AGIPD calibration notebooks)."""
IMAGE: Final = (512, 128)


@dataclass(frozen=True, slots=True)
class AgipdSettings:
    """Which steps are taken; those that are not are skipped."""

    thresholding: bool = True
    """Off: every pixel is in the stage *fixed_gain*."""
    offset: bool = True
    relative_gain: bool = True
    photon_gain: bool = True
    mask: bool = True
    fixed_gain: int = 0
    """0 high, 1 medium, 2 low; used without thresholding."""

    @classmethod
    def of_steps(cls, steps: Iterable[str], fixed_gain: int = 0) -> AgipdSettings:
        """Settings from the names of the steps to take. Raises SettingRejected."""
        chosen = set(steps)
        if unknown := sorted(chosen - set(STEPS)):
            raise SettingRejected("steps", unknown[0], f"among {', '.join(STEPS)}")
        return cls(**{step: step in chosen for step in STEPS}, fixed_gain=fixed_gain)

    def passport(self, module: int) -> tuple[str, ...]:
        """Processing history in the names that live viewers know."""
        names = {
            "thresholding": "THRESHOLDING",
            "offset": "OFFSET_CORR",
            "relative_gain": "RELGAIN_CORR",
            "photon_gain": "FF_CORR",
            "mask": "BADPIX_MASK",
        }
        return tuple(f"{names[step]}_{where(module)}" for step in STEPS if getattr(self, step))


@dataclass(frozen=True, slots=True)
class AgipdConstants:
    """One module's constants, prepared: C-contiguous, axes memory cell, slow scan, fast scan, then stage."""

    thresholds: F32
    """(cells, 512, 128, 2)"""
    offset: F32
    """(cells, 512, 128, 3) ADU"""
    factor: F32
    """(cells, 512, 128, 3) photons per ADU: relative gain over photon gain"""
    bad_pixels: U32
    """(cells, 512, 128, 3)"""

    @classmethod
    def prepare(cls, stored: Mapping[str, NDArray[Any]], settings: AgipdSettings) -> AgipdConstants:
        """From constants as they are stored, (128, 512, cells, k), by calibration.

        Needs Offset, and ThresholdsDark, SlopesPC, SlopesFF, BadPixelsDark for the steps that use them. Raises
        SettingRejected when a step lacks its constant.
        """
        needed = {
            "ThresholdsDark": settings.thresholding,
            "Offset": True,
            "SlopesPC": settings.relative_gain,
            "SlopesFF": settings.photon_gain,
            "BadPixelsDark": settings.mask,
        }
        for name, wanted in needed.items():
            if wanted and name not in stored:
                raise SettingRejected("steps", settings, f"such that {name} is not needed, or inject {name}")
        offset = _kernel_order(stored["Offset"], "f4")
        cells = len(offset)
        return cls(
            thresholds=(
                _kernel_order(stored["ThresholdsDark"][..., :2], "f4")
                if settings.thresholding
                else np.zeros((cells, *IMAGE, 2), np.float32)
            ),
            offset=offset if settings.offset else np.zeros_like(offset),
            factor=_factor(stored, settings, cells),
            bad_pixels=(
                _kernel_order(stored["BadPixelsDark"], "u4")
                if settings.mask
                else np.zeros((cells, *IMAGE, 3), np.uint32)
            ),
        )


def _kernel_order(stored: NDArray[Any], dtype: str) -> NDArray[Any]:
    return np.ascontiguousarray(stored.transpose(2, 1, 0, 3), dtype)


def _factor(stored: Mapping[str, NDArray[Any]], settings: AgipdSettings, cells: int) -> F32:
    factor = np.ones((cells, *IMAGE, 3), np.float64)
    # A slope or gain of zero gives infinity: the kernels turn it into NaN and flag it.
    with np.errstate(divide="ignore", invalid="ignore"):
        if settings.relative_gain:
            slopes = _kernel_order(stored["SlopesPC"], "f8")
            high, medium = slopes[..., 0], slopes[..., 3]
            good = high[np.isfinite(high) & (high > 0)]
            median = np.median(good) if good.size else np.nan
            factor[..., 0] = median / high
            factor[..., 1] = median / medium
            factor[..., 2] = factor[..., 1] * MEDIUM_TO_LOW
        if settings.photon_gain:
            factor /= _kernel_order(stored["SlopesFF"], "f8")[..., 0, np.newaxis]
    return factor.astype(np.float32)


@dataclass(frozen=True, slots=True)
class AgipdModule:
    """The correction of one AGIPD module."""

    module: int
    settings: AgipdSettings
    constants: AgipdConstants
    image: tuple[int, int] = IMAGE

    @property
    def constants_bytes(self) -> int:
        """Memory that the prepared constants take."""
        c = self.constants
        return c.thresholds.nbytes + c.offset.nbytes + c.factor.nbytes + c.bad_pixels.nbytes

    def frames_out(self, frames: int) -> int:
        """Each frame gives one."""
        return frames

    def correct(self, train: ModuleTrain, room: Buffers | None = None) -> CorrectedModule:
        """Correct one train with the fast kernel; see `ModuleCorrection`."""
        from pipeline.correct.kernels.fast import correct_agipd

        out = Buffers.of(len(train.data), IMAGE) if room is None else room
        constants, settings = self.constants, self.settings
        correct_agipd(
            train.data,
            np.ascontiguousarray(train.cell_id),
            constants.thresholds,
            constants.offset,
            constants.factor,
            constants.bad_pixels,
            settings.thresholding,
            settings.fixed_gain,
            out.data,
            out.gain,
            out.mask,
        )
        return corrected_module(train, out, settings.passport(train.module))


@dataclass(frozen=True, slots=True)
class AgipdRecipe:
    """AGIPD, adaptive or fixed gain."""

    settings: AgipdSettings
    detector: str = "AGIPD"

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are taken."""
        return tuple(step for step in STEPS if getattr(self.settings, step))

    @property
    def needed(self) -> tuple[str, ...]:
        """Offset, and what the steps need."""
        return ("Offset", *(CALIBRATIONS[step] for step in self.steps if step in CALIBRATIONS))

    @property
    def welcome(self) -> tuple[str, ...]:
        """None."""
        return ()

    def prepare(self, module: int, stored: Mapping[str, NDArray[Any]]) -> AgipdModule:
        """From constants (128, 512, cells, k). Raises SettingRejected."""
        return AgipdModule(module, self.settings, AgipdConstants.prepare(stored, self.settings))

    def warm_up(self) -> None:
        """Compile the kernel, or load it from its cache."""
        warm_up()


def warm_up() -> None:
    """Compile the kernel, or load it from its cache, before the first train comes."""
    cells = np.zeros(1, np.uint16)
    raw: U16 = np.zeros((1, 2, 1, 1), np.uint16)
    from pipeline.correct.kernels.fast import correct_agipd

    three = np.ones((1, 1, 1, 3), np.float32)
    correct_agipd(
        raw,
        cells,
        np.ones((1, 1, 1, 2), np.float32),
        three,
        three,
        np.zeros((1, 1, 1, 3), np.uint32),
        True,
        0,
        np.zeros((1, 1, 1), np.float32),
        np.zeros((1, 1, 1), np.uint8),
        np.zeros((1, 1, 1), np.uint32),
    )
