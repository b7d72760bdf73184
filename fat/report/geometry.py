"""Where a detector's modules lie: as EXtra-geom positions them, the same as in the pipeline's previews."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.online.preview import PixelMap


@cache
def _pixel_map(detector: str) -> PixelMap:
    kind = next((kind for kind in ("LPD", "DSSC") if kind in detector), "AGIPD")
    return PixelMap.of(detector, kind)


def assemble(modules: Mapping[int, NDArray[Any]], detector: str) -> NDArray[np.float32]:
    """Put module images (slow, fast), by channel, into one picture as seen along the beam; NaN where no sensor is.

    detector  its name, such as `FXE_DET_LPD1M-1`
    Row 0 is at the top, x grows to the left.
    """
    pixels = _pixel_map(detector)
    shape = next(iter(modules.values())).shape
    images = np.full((pixels.modules, *shape), np.nan, np.float32)
    for module, image in modules.items():
        images[module] = image
    return pixels.assemble(images)[::-1, ::-1]
