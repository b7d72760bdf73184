"""Which reductions go through the frames together, and how: what a worker does with one slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.reduce.reduction import (
    Accumulator,
    FrameReduction,
    PackedReduction,
    Reduction,
    StackReduction,
    Sum,
)
from pipeline.dectris.values import SeriesStart
from pipeline.errors import SettingRejected
from pipeline.model import F32, U64

MAX_MASKS: Final = 64
"""Weights that make more bit masks than this are multiplied out pixel by pixel."""
MAX_WEIGHT_BITS: Final = 14


@dataclass(slots=True, eq=False)
class Pass:
    """Reductions of one channel that want to see the same pixels."""

    channel: int
    ignore_maximum: bool
    sums: list[Sum] = field(default_factory=list)
    of_frames: list[FrameReduction] = field(default_factory=list)
    stacks: list[StackReduction] = field(default_factory=list)
    packed: list[PackedReduction] = field(default_factory=list)
    weights: F32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """(k, pixels), of all frame reductions one after another."""
    masks: U64 | None = None
    """(m, pixels / 64): the weights as bits, when they are small whole numbers; None when they are not."""
    combine: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    """(m, k): what each mask's pixels count in each weighted sum."""

    def accumulator(self, pixels: int) -> Accumulator:
        """A worker's part of this pass."""
        part = Accumulator(pixels if self.sums else 0)
        for reduction in self.sums:
            reduction.attach(part)
        return part

    def put(self, frames: NDArray[np.int64], sums: U64, weighted: NDArray[np.float64]) -> None:
        """Give every frame reduction its columns."""
        first = 0
        for reduction in self.of_frames:
            count = len(reduction.weights)
            reduction.put(frames, sums, weighted[:, first : first + count])
            first += count


def plan(reductions: Sequence[Reduction], start: SeriesStart) -> list[Pass]:
    """Begin the reductions and sort them into passes. Raises SettingRejected."""
    pixels = start.width * start.height
    found: dict[tuple[int, bool], Pass] = {}
    for reduction in reductions:
        reduction.begin(start)
        channel = _channel(reduction, start)
        # Stacks hold the pixels as they came, whatever the pass ignores.
        ignore = reduction.ignore_maximum if isinstance(reduction, Sum | FrameReduction) else False
        here = found.setdefault((channel, ignore), Pass(channel, ignore))
        if isinstance(reduction, Sum):
            here.sums.append(reduction)
        elif isinstance(reduction, FrameReduction):
            here.of_frames.append(reduction)
        elif isinstance(reduction, PackedReduction):
            here.packed.append(reduction)
        else:
            here.stacks.append(reduction)
    for here in found.values():
        weights = [reduction.weights for reduction in here.of_frames]
        here.weights = np.concatenate(weights) if weights else np.zeros((0, pixels), np.float32)
        if not here.stacks and pixels % 64 == 0:
            _as_masks(here, pixels)
    return list(found.values())


def _channel(reduction: Reduction, start: SeriesStart) -> int:
    if reduction.channel is None:
        return 0
    if reduction.channel not in start.channels:
        raise SettingRejected("channel", reduction.channel, f"one of {', '.join(start.channels)}")
    return start.channels.index(reduction.channel)


def _as_masks(here: Pass, pixels: int) -> None:
    """Whole weights bit by bit: a weighted sum becomes counting bits, exact and without making pixels."""
    weights: NDArray[Any] = here.weights
    whole = bool(((weights >= 0) & (weights < 1 << MAX_WEIGHT_BITS) & (weights == np.floor(weights))).all())
    if not whole:
        return
    masks, combine = [], []
    for column, row in enumerate(weights.astype(np.uint32)):
        for bit in range(MAX_WEIGHT_BITS):
            mask = (row >> bit) & 1
            if mask.any():
                masks.append(np.packbits(mask.astype(np.uint8), bitorder="little").view(np.uint64))
                combine.append((column, float(1 << bit)))
    if len(masks) > MAX_MASKS:
        return
    here.masks = np.stack(masks) if masks else np.zeros((0, pixels // 64), np.uint64)
    here.combine = np.zeros((len(masks), len(weights)))
    for row, (column, value) in enumerate(combine):
        here.combine[row, column] = value
