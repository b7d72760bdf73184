"""Where the sixteen AGIPD modules lie, good enough for a picture.

Corners of the quadrants, gaps and directions are those of the example geometry of EXtra-geom
(`AGIPD_1MGeometry.example`), in whole pixels: one corner stands at half a pixel and is rounded down. Slow scan runs
along x, fast scan along y.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

QUADRANT_CORNERS: Final = ((-525, 625), (-550, -10), (520, -160), (542, 475))
X_DIRECTION: Final = (1, 1, -1, -1)
Y_DIRECTION: Final = (-1, -1, 1, 1)
ASIC: Final = 64
ASIC_STEP: Final = 66
MODULE_STEP: Final = 157


def assemble(modules: Mapping[int, NDArray[Any]]) -> NDArray[np.float32]:
    """Put module images (512, 128), by channel, into one picture; NaN where there is no sensor. Row 0 is at the top."""
    rows, columns = {}, {}
    for module in modules:
        columns[module], rows[module] = _positions(module)
    everywhere = [_positions(module) for module in range(16)]
    left = min(int(x.min()) for x, _ in everywhere)
    top = max(int(y.max()) for _, y in everywhere)
    width = max(int(x.max()) for x, _ in everywhere) - left + 1
    height = top - min(int(y.min()) for _, y in everywhere) + 1
    picture = np.full((height, width), np.nan, np.float32)
    for module, image in modules.items():
        picture[top - rows[module], columns[module] - left] = image
    return picture


def _positions(module: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """x and y of each pixel, (512, 128), in pixels; y upward."""
    quadrant, place = divmod(module, 4)
    corner_x, corner_y = QUADRANT_CORNERS[quadrant]
    slow, fast = np.arange(512), np.arange(128)
    along_x = _from_corner(corner_x, X_DIRECTION[quadrant], slow // ASIC * ASIC_STEP + slow % ASIC)
    along_y = _from_corner(corner_y - place * MODULE_STEP, Y_DIRECTION[quadrant], fast)
    x = np.broadcast_to(along_x[:, np.newaxis], (512, 128))
    y = np.broadcast_to(along_y[np.newaxis, :], (512, 128))
    return x.astype(np.intp), y.astype(np.intp)


def _from_corner(corner: int, direction: int, index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of pixels; a corner is the edge of the first one, so going backward begins one place before it."""
    return corner + index if direction > 0 else corner - 1 - index
