"""Mean and standard deviation of many frames, exactly, whatever their number and order.

Sums and sums of squares of 16-bit values are kept as integers, so nothing is lost to rounding and frames may come in
any order or grouping. The variance is (n·Σx² - (Σx)²) / (n·(n-1)), exact up to 65 535 frames of a cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pipeline.model import F32, U16

MOST_FRAMES: Final = 65_535
"""n·Σx² of 16-bit values fits 64 bits up to here."""


class CellSums:
    """Sums over frames, for each memory cell and pixel of both planes.

    cells  the memory cells; row k of the arrays belongs to `cells[k]`
    shape  of one image, e.g. (2, 512, 128)
    """

    def __init__(self, cells: range, shape: tuple[int, ...]) -> None:
        self.cells = cells
        self.count = np.zeros(len(cells), np.int64)
        self._sum = np.zeros((len(cells), *shape), np.uint64)
        self._squares = np.zeros((len(cells), *shape), np.uint64)

    def add(self, data: U16, cell_id: U16) -> None:
        """Add frames.

        data     (n, *shape) ADU
        cell_id  (n,) cell of each frame; frames of other cells are left out
        Raises OverflowError beyond MOST_FRAMES of one cell.
        """
        for row, cell in enumerate(self.cells):
            frames = np.flatnonzero(cell_id == cell)
            if len(frames) == 0:
                continue
            self.count[row] += len(frames)
            if self.count[row] > MOST_FRAMES:
                raise OverflowError(f"more than {MOST_FRAMES} frames of memory cell {cell}")
            for frame in frames:
                values = data[frame].astype(np.uint32)
                self._sum[row] += values
                # The square of a 16-bit value fits 32 bits.
                values *= values
                self._squares[row] += values

    def mean(self) -> F32:
        """(cells, *shape) f4; NaN where a cell had no frame."""
        means = np.full(self._sum.shape, np.nan, np.float32)
        for row, count in enumerate(self.count):
            if count > 0:
                means[row] = self._sum[row] / count
        return means

    def deviation(self) -> F32:
        """(cells, *shape) f4, standard deviation with n - 1; NaN where a cell had fewer than two frames."""
        deviations = np.full(self._sum.shape, np.nan, np.float32)
        for row, count in enumerate(self.count):
            if count > 1:
                spread = np.uint64(count) * self._squares[row] - self._sum[row] * self._sum[row]
                deviations[row] = np.sqrt(spread / float(count * (count - 1)))
        return deviations
