"""The DSSC recipe: the offset of each memory cell, and the mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.config import CorrectionTable
from pipeline.correct.recipe import Buffers, corrected_module, kernel_order, where
from pipeline.errors import SettingRejected
from pipeline.model import F32, U32, CorrectedModule, ModuleTrain

IMAGE: Final = (128, 512)
PASSPORT: Final[Mapping[str, str]] = {"offset": "OFFSET_CORR", "mask": "BADPIX_MASK"}


@dataclass(frozen=True, slots=True)
class DsscModule:
    """The correction of one DSSC module; constants C-contiguous, (memory cell, pixel)."""

    module: int
    offset: F32
    """(cells, p) ADU"""
    bad_pixels: U32
    """(cells, p)"""
    eight_bit: bool
    passport: tuple[str, ...]
    image: tuple[int, int] = IMAGE

    @property
    def constants_bytes(self) -> int:
        """Memory that the prepared constants take."""
        return self.offset.nbytes + self.bad_pixels.nbytes

    def frames_out(self, frames: int) -> int:
        """Each frame gives one."""
        return frames

    def correct(self, train: ModuleTrain, room: Buffers | None = None) -> CorrectedModule:
        """Correct one train with the fast kernel; see `ModuleCorrection`."""
        from pipeline.correct.kernels import dssc_fast

        out = Buffers.of(len(train.data), IMAGE) if room is None else room
        self.apply(dssc_fast, train.data, train.cell_id, out)
        return corrected_module(train, out, self.passport)

    def apply(self, kernels: Any, raw: NDArray[np.uint16], cell_id: NDArray[np.uint16], out: Buffers) -> None:
        """Carry the steps out with the fast or the reference *kernels*.

        raw  (n, 1, 128, 512) u2, cell_id (n,) u2
        """
        frames, pixels = len(raw), raw.shape[-2] * raw.shape[-1]
        flat = np.ascontiguousarray(raw.reshape(frames, pixels))
        data, mask = out.data.reshape(frames, pixels), out.mask.reshape(frames, pixels)
        out.gain[:] = 0
        kernels.correct_dssc(
            flat, np.ascontiguousarray(cell_id), self.offset, self.bad_pixels, self.eight_bit, data, mask
        )


@dataclass(frozen=True, slots=True)
class DsscRecipe:
    """DSSC."""

    table: CorrectionTable
    detector: str = "DSSC"

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are taken."""
        return self.table.steps_of("DSSC")

    @property
    def needed(self) -> tuple[str, ...]:
        """Offset."""
        return ("Offset",)

    @property
    def welcome(self) -> tuple[str, ...]:
        """A bad-pixel map."""
        return ("BadPixelsDark",) if "mask" in self.steps else ()

    def prepare(self, module: int, stored: Mapping[str, NDArray[Any]]) -> DsscModule:
        """From constants (512, 128, cells), fast scan first. Raises SettingRejected."""
        if "Offset" not in stored:
            raise SettingRejected("steps", list(self.steps), "without offset, or inject Offset")
        offset = kernel_order(stored["Offset"]).astype(np.float32, copy=False)
        bits = np.zeros(offset.shape, np.uint32)
        if "mask" in self.steps and "BadPixelsDark" in stored:
            bits |= kernel_order(stored["BadPixelsDark"]).astype(np.uint32, copy=False)
        return DsscModule(
            module=module,
            offset=offset if "offset" in self.steps else np.zeros_like(offset),
            bad_pixels=bits,
            eight_bit=self.table.eight_bit,
            passport=tuple(f"{PASSPORT[step]}_{where(module)}" for step in self.steps),
        )

    def warm_up(self) -> None:
        """Compile the kernel, or load it from its cache."""
        from pipeline.correct.kernels import dssc_fast

        made = self.prepare(0, {"Offset": np.ones((512, 128, 1), np.float32)})
        raw = np.zeros((1, 1, *IMAGE), np.uint16)
        made.apply(dssc_fast, raw, np.zeros(1, np.uint16), Buffers.of(1, IMAGE))
