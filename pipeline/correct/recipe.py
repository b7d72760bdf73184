"""What every detector's correction has in common: recipes, a module's prepared correction, and room for results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.model import F32, U8, U32, CorrectedModule, ModuleTrain


@dataclass(slots=True)
class Buffers:
    """Room for one corrected train of a module, each array (n, slow scan, fast scan)."""

    data: F32
    gain: U8
    mask: U32

    @classmethod
    def of(cls, frames: int, image: tuple[int, int]) -> Buffers:
        """Fresh room for so many frames, touched once: the first touch of memory is slow."""
        shape = (frames, *image)
        return cls(np.ones(shape, np.float32), np.ones(shape, np.uint8), np.ones(shape, np.uint32))


class ModuleCorrection(Protocol):
    """One module's correction: its constants in the order in which the kernels read them."""

    @property
    def image(self) -> tuple[int, int]:
        """Slow and fast scan pixels of a corrected image."""
        ...

    @property
    def constants_bytes(self) -> int:
        """Memory that the prepared constants take."""
        ...

    def frames_out(self, frames: int) -> int:
        """Corrected frames of a train of so many frames."""
        ...

    def correct(self, train: ModuleTrain, room: Buffers | None = None) -> CorrectedModule:
        """Correct one train. The raw data may be released afterwards.

        room  where the result goes, for exactly `frames_out` frames; by default fresh memory
        """
        ...


class Recipe(Protocol):
    """The correction of one kind of detector under given conditions."""

    @property
    def detector(self) -> str:
        """AGIPD, LPD or DSSC."""
        ...

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that are taken, in their order."""
        ...

    @property
    def needed(self) -> tuple[str, ...]:
        """Calibrations without which nothing can be corrected."""
        ...

    @property
    def welcome(self) -> tuple[str, ...]:
        """Calibrations that are used where they are there."""
        ...

    def prepare(self, module: int, stored: Mapping[str, NDArray[Any]]) -> ModuleCorrection:
        """From a module's constants as they are stored, by calibration. Raises SettingRejected when one lacks."""
        ...

    def warm_up(self) -> None:
        """Compile the kernels, or load them from their cache, before the first train comes."""
        ...


def corrected_module(
    train: ModuleTrain, room: Buffers, passport: tuple[str, ...], frames: slice = slice(None)
) -> CorrectedModule:
    """The result in *room* with what corrected files repeat of the raw train, copied out of its slot.

    frames  the frames of the raw train whose ids and lists the result has
    """
    kept = replace(
        train,
        data=train.data[:0].copy(),
        cell_id=train.cell_id[frames].copy(),
        pulse_id=train.pulse_id[frames].copy(),
        status=train.status[frames].copy(),
        length=train.length[frames].copy(),
        detector=train.detector.copy(),
        release=_nothing,
    )
    return CorrectedModule(
        module=train.module,
        train_id=train.train_id,
        data=room.data,
        gain=room.gain,
        mask=room.mask,
        cell_id=kept.cell_id,
        pulse_id=kept.pulse_id,
        passport=passport,
        raw=kept,
    )


def kernel_order(stored: NDArray[Any]) -> NDArray[Any]:
    """From storage order (fast, slow, cell[, k]) to ([k,] cell, pixels), contiguous."""
    fast, slow, cells = stored.shape[:3]
    last = stored.shape[3:]
    return np.ascontiguousarray(stored.transpose(*range(stored.ndim - 1, -1, -1))).reshape(
        *last, cells, slow * fast
    )


def where(module: int) -> str:
    """Quadrant and module as live viewers name them, e.g. Q1M1 for module 0."""
    return f"Q{module // 4 + 1}M{module % 4 + 1}"


def _nothing() -> None:
    """The kept sections own their memory."""
