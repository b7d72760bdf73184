"""The LPD recipe: offset, relative gain, amplifier map and photon gain by gain stage; parallel gain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.config import STEPS as ALL_STEPS
from pipeline.config import CorrectionTable
from pipeline.correct.recipe import Buffers, corrected_module, kernel_order, where
from pipeline.errors import SettingRejected
from pipeline.model import F32, U32, CorrectedModule, ModuleTrain

STEPS: Final = ALL_STEPS["LPD"]
IMAGE: Final = (256, 256)
PIXELS: Final = IMAGE[0] * IMAGE[1]
FACTORS: Final[Mapping[str, str]] = {
    "relative_gain": "RelativeGain",
    "amplifier_map": "GainAmpMap",
    "photon_gain": "FFMap",
}
"""Calibrations whose product turns ADU into photons."""
PASSPORT: Final[Mapping[str, str]] = {
    "offset": "OFFSET_CORR",
    "relative_gain": "RELGAIN_CORR",
    "amplifier_map": "AMPMAP_CORR",
    "photon_gain": "FF_CORR",
    "mask": "BADPIX_MASK",
}


@dataclass(frozen=True, slots=True)
class LpdModule:
    """The correction of one LPD module; constants C-contiguous, (stage, memory cell, pixel)."""

    module: int
    offset: F32
    """(3, cells, p) ADU"""
    factor: F32
    """(3, cells, p) photons per ADU"""
    bad_pixels: U32
    """(3, cells, p)"""
    combine: bool
    """Whether three frames become one."""
    limits: tuple[int, int]
    """ADU above which the next frame is taken, in high and in medium gain."""
    passport: tuple[str, ...]
    image: tuple[int, int] = IMAGE

    @property
    def constants_bytes(self) -> int:
        """Memory that the prepared constants take."""
        return self.offset.nbytes + self.factor.nbytes + self.bad_pixels.nbytes

    def frames_out(self, frames: int) -> int:
        """A third where three frames become one."""
        return frames // 3 if self.combine else frames

    def correct(self, train: ModuleTrain, room: Buffers | None = None) -> CorrectedModule:
        """Correct one train with the fast kernels; see `ModuleCorrection`."""
        from pipeline.correct.kernels import lpd_fast

        frames = len(train.data)
        out = Buffers.of(self.frames_out(frames), IMAGE) if room is None else room
        self.apply(lpd_fast, train.data, train.cell_id, out)
        return corrected_module(train, out, self.passport, slice(self.frames_out(frames)))

    def apply(self, kernels: Any, raw: NDArray[np.uint16], cell_id: NDArray[np.uint16], out: Buffers) -> None:
        """Carry the steps out with the fast or the reference *kernels*.

        raw  (n, 1, 256, 256) u2, cell_id (n,) u2
        """
        frames, pixels = len(raw), raw.shape[-2] * raw.shape[-1]
        flat = np.ascontiguousarray(raw.reshape(frames, pixels))
        cells = np.ascontiguousarray(cell_id)
        each = Buffers.of(frames, (raw.shape[-2], raw.shape[-1])) if self.combine else out
        parts = [array.reshape(frames, pixels) for array in (each.data, each.gain, each.mask)]
        kernels.correct_lpd(flat, cells, self.offset, self.factor, self.bad_pixels, *parts)
        if self.combine:
            pulses = frames // 3
            whole = [part[: 3 * pulses] for part in parts]
            combined = [array.reshape(pulses, pixels) for array in (out.data, out.gain, out.mask)]
            kernels.combine_parallel(flat[: 3 * pulses], *self.limits, *whole, *combined)


@dataclass(frozen=True, slots=True)
class LpdRecipe:
    """LPD under given conditions."""

    table: CorrectionTable
    parallel_gain: bool = False
    detector: str = "LPD"

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are taken."""
        return self.table.steps_of("LPD")

    @property
    def needed(self) -> tuple[str, ...]:
        """Offset, and what the steps need."""
        masks = ("BadPixelsDark",) if "mask" in self.steps else ()
        return ("Offset", *(FACTORS[step] for step in self.steps if step in FACTORS), *masks)

    @property
    def welcome(self) -> tuple[str, ...]:
        """A further bad-pixel map."""
        return ("BadPixelsFF",) if "mask" in self.steps else ()

    def prepare(self, module: int, stored: Mapping[str, NDArray[Any]]) -> LpdModule:
        """From constants (256, 256, cells, 3), fast scan first. Raises SettingRejected."""
        for name in self.needed:
            if name not in stored:
                raise SettingRejected("steps", list(self.steps), f"without {name}'s, or inject {name}")
        offset = kernel_order(stored["Offset"]).astype(np.float32, copy=False)
        factor = np.ones_like(offset)
        for step, name in FACTORS.items():
            if step in self.steps:
                factor *= kernel_order(stored[name]).astype(np.float32, copy=False)
        bits = np.zeros(offset.shape, np.uint32)
        for name in (*self.needed, *self.welcome):
            if name.startswith("BadPixels") and name in stored:
                bits |= kernel_order(stored[name]).astype(np.uint32, copy=False)
        return LpdModule(
            module=module,
            offset=offset if "offset" in self.steps else np.zeros_like(offset),
            factor=factor,
            bad_pixels=bits,
            combine=self.parallel_gain and self.table.combine_parallel_gain,
            limits=(
                round(self.table.parallel_high_limit_adu),
                round(self.table.parallel_medium_limit_adu),
            ),
            passport=tuple(f"{PASSPORT[step]}_{where(module)}" for step in self.steps),
        )

    def warm_up(self) -> None:
        """Compile the kernels, or load them from their cache."""
        from pipeline.correct.kernels import lpd_fast

        one = np.ones((256, 256, 1, 3), np.float32)
        stored = dict.fromkeys((*self.needed, *self.welcome), one)
        made = self.prepare(0, stored)
        raw = np.zeros((3, 1, *IMAGE), np.uint16)
        made.apply(lpd_fast, raw, np.zeros(3, np.uint16), Buffers.of(made.frames_out(3), IMAGE))
