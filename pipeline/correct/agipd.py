"""The AGIPD recipe: settings, and a module's correction.

Conventions of the gain: docs/architecture.md, Constants. Order of the steps and what they mean: docs/correction.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.config import STEPS as ALL_STEPS
from pipeline.config import CorrectionTable
from pipeline.correct.agipd_constants import IMAGE, LATE_FLAT, AgipdConstants
from pipeline.correct.recipe import Buffers, corrected_module, where
from pipeline.errors import SettingRejected
from pipeline.model import CorrectedModule, ModuleTrain

STEPS: Final = ALL_STEPS["AGIPD"]
ASIC: Final = 64
"""Pixels along each side of an ASIC."""
ADAPTIVE: Final = -1
CLEANING: Final = frozenset({"round_photons", "zero_out_of_range", "zero_nans"})
PASSPORT: Final[Mapping[str, str]] = {
    "thresholding": "THRESHOLDING",
    "force_medium": "FORCE_MG",
    "force_high": "FORCE_HG",
    "offset": "OFFSET_CORR",
    "medium_baseline": "MEDIUM_GAIN_ADJUST",
    "relative_gain": "RELGAIN_CORR",
    "baseline": "BASELINE_SHIFT",
    "common_mode": "COMMON_MODE",
    "photon_gain": "FF_CORR",
    "mask": "BADPIX_MASK",
    "round_photons": "ROUND_PHOTONS",
    "zero_out_of_range": "ZERO_ORANGE",
    "zero_nans": "ZERO_NANS",
}
"""Processing history in the names that live viewers know, and in their style."""


@dataclass(frozen=True, slots=True)
class AgipdSettings:
    """Which steps are taken, and their numbers; steps that are not named are skipped."""

    steps: frozenset[str]
    fixed_gain: int = 0
    """0 high, 1 medium, 2 low: the stage of every pixel where stages are not told apart."""
    force_medium_below_adu: float = 1000.0
    force_high_below_adu: float = 1000.0
    common_mode_range_adu: tuple[float, float] = (-30.0, 30.0)
    common_mode_fraction: float = 0.15
    common_mode_iterations: int = 4
    baseline_range_adu: int = 200
    baseline_least_pixels: int = 312
    rounding_threshold: float = 0.5

    @classmethod
    def of(cls, table: CorrectionTable, gain_mode: int = 0) -> AgipdSettings:
        """Settings of a table; *gain_mode* 0 adaptive, 1 … 3 fixed high, medium, low. Raises SettingRejected."""
        if unknown := sorted(set(table.steps) - set(STEPS)):
            raise SettingRejected("steps", unknown[0], f"among {', '.join(STEPS)}")
        # In fixed gain there is no threshold to compare with: every pixel is in the stage that was set.
        adaptive_only = {"thresholding", "force_medium", "force_high"} if gain_mode else set()
        return cls(
            frozenset(table.steps_of("AGIPD")) - adaptive_only,
            max(0, gain_mode - 1),
            table.force_medium_below_adu,
            table.force_high_below_adu,
            table.common_mode_range_adu,
            table.common_mode_fraction,
            table.common_mode_iterations,
            table.baseline_range_adu,
            table.baseline_least_pixels,
            table.rounding_threshold,
        )

    @property
    def stage(self) -> int:
        """The stage of all pixels, or ADAPTIVE."""
        return ADAPTIVE if "thresholding" in self.steps else self.fixed_gain

    def below(self, step: str, limit: float) -> np.float32:
        """The limit of a step; none is below minus infinity where the step is skipped."""
        return np.float32(limit if step in self.steps else -np.inf)


@dataclass(frozen=True, slots=True)
class AgipdModule:
    """The correction of one AGIPD module."""

    module: int
    settings: AgipdSettings
    constants: AgipdConstants
    passport: tuple[str, ...]
    image: tuple[int, int] = IMAGE

    @property
    def constants_bytes(self) -> int:
        """Memory that the prepared constants take."""
        return self.constants.nbytes

    def frames_out(self, frames: int) -> int:
        """Each frame gives one."""
        return frames

    def correct(self, train: ModuleTrain, room: Buffers | None = None) -> CorrectedModule:
        """Correct one train with the fast kernels; see `ModuleCorrection`."""
        from pipeline.correct.kernels import agipd_fast

        out = Buffers.of(len(train.data), IMAGE) if room is None else room
        cell_id = np.ascontiguousarray(train.cell_id)
        if train.data.flags.c_contiguous:
            self.apply(agipd_fast, train.data, cell_id, out)
        else:  # every other frame, say: the kernels' inner loops are fast over contiguous frames only
            for k in range(len(cell_id)):
                one = slice(k, k + 1)
                self.apply(
                    agipd_fast,
                    train.data[one],
                    cell_id[one],
                    Buffers(out.data[one], out.gain[one], out.mask[one]),
                )
        return corrected_module(train, out, self.passport)

    def apply(self, kernels: Any, raw: NDArray[np.uint16], cell_id: NDArray[np.uint16], out: Buffers) -> None:
        """Carry the steps out with the fast or the reference *kernels*.

        raw  (n, 2, 512, 128) u2, cell_id (n,) u2
        """
        c, s = self.constants, self.settings
        frames, pixels = len(raw), raw.shape[2] * raw.shape[3]
        flat_out = out.data.reshape(frames, pixels)
        kernels.correct_agipd(
            raw.reshape(frames, 2, pixels), cell_id, c.threshold, c.offset, c.factor, c.offset_scale, c.factor_scale,
            np.float32(c.low_ratio), c.bad.first, c.bad.pixel, c.bad.bits, s.stage,
            s.below("force_medium", s.force_medium_below_adu), s.below("force_high", s.force_high_below_adu),
            flat_out, out.gain.reshape(frames, pixels), out.mask.reshape(frames, pixels),
        )  # fmt: skip
        if "baseline" in s.steps:
            kernels.subtract_baseline(
                out.data, out.gain, out.mask, ASIC, s.baseline_range_adu, s.baseline_least_pixels
            )
        if "common_mode" in s.steps:
            low, high = s.common_mode_range_adu
            kernels.subtract_common_mode(
                out.data,
                out.gain,
                out.mask,
                ASIC,
                low,
                high,
                s.common_mode_fraction,
                s.common_mode_iterations,
            )
        if LATE_FLAT & s.steps:
            kernels.apply_flat(cell_id, c.flat, c.flat_scale, flat_out)
        if CLEANING & s.steps:
            rounding = np.float32(s.rounding_threshold if "round_photons" in s.steps else 0)
            kernels.clean(
                out.data, out.mask, rounding, "zero_out_of_range" in s.steps, "zero_nans" in s.steps
            )


@dataclass(frozen=True, slots=True)
class AgipdRecipe:
    """AGIPD, adaptive or fixed gain."""

    settings: AgipdSettings
    detector: str = "AGIPD"

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are taken."""
        return tuple(step for step in STEPS if step in self.settings.steps)

    @property
    def needed(self) -> tuple[str, ...]:
        """Offset, and what the steps need."""
        return AgipdConstants.needed(self.settings.steps)

    @property
    def welcome(self) -> tuple[str, ...]:
        """Further bad-pixel maps."""
        return ("BadPixelsPC", "BadPixelsFF") if "mask" in self.settings.steps else ()

    def prepare(self, module: int, stored: Mapping[str, NDArray[Any]]) -> AgipdModule:
        """From constants (128, 512, cells, k). Raises SettingRejected."""
        passport = tuple(f"{PASSPORT[step]}_{where(module)}" for step in self.steps)
        return AgipdModule(
            module, self.settings, AgipdConstants.prepare(stored, self.settings.steps), passport
        )

    def warm_up(self) -> None:
        """Compile the kernels, or load them from their cache."""
        from pipeline.correct.kernels import agipd_fast

        names = (*self.needed, *self.welcome)
        stored: dict[str, NDArray[Any]] = {
            name: np.full((*IMAGE[::-1], 1, 5), 0 if name.startswith("BadPixels") else 1, np.float32)
            for name in names
        }
        raw = np.zeros((1, 2, *IMAGE), np.uint16)
        self.prepare(0, stored).apply(agipd_fast, raw, np.zeros(1, np.uint16), Buffers.of(1, IMAGE))
