"""Where the sixteen AGIPD modules lie: as EXtra-geom positions them, the same as in the pipeline's previews."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.online.preview import PixelMap


@cache
def _pixel_map() -> PixelMap:
    return PixelMap.of("AGIPD1M", "AGIPD")


def assemble(modules: Mapping[int, NDArray[Any]]) -> NDArray[np.float32]:
    """Put module images (512, 128), by channel, into one picture as seen along the beam; NaN where there is no sensor.

    Row 0 is at the top, x grows to the left.
    """
    images = np.full((16, 512, 128), np.nan, np.float32)
    for module, image in modules.items():
        images[module] = image
    return _pixel_map().assemble(images)[::-1, ::-1]
