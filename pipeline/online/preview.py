"""Assembled previews: every so often, one picture of the whole detector.

Pixels go where EXtra-geom puts them. The geometry positions an image of pixel numbers once; after that, assembling is
one look-up for each pixel, with exactly the library's result.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.config import PreviewTable
from pipeline.errors import SettingRejected
from pipeline.model import F32, U32, CorrectedModule, MatchedTrain, ModuleTrain

GEOMETRIES: Final = {
    "AGIPD500K": "AGIPD_500K2GGeometry",
    "AGIPD": "AGIPD_1MGeometry",
    "LPD": "LPD_1MGeometry",
    "DSSC": "DSSC_1MGeometry",
}
PERCENTILES: Final = (1.0, 99.5)
"""Values between these span the colours."""
FULL_SCALE: Final = {"DSSC": 511.0}
"""ADU at which a pixel is at its end, raw, where that is in sight: DSSC has 9 bits (8 wrap, and are not looked at)."""
SATURATED_TOP: Final = 95.0
"""Where many pixels are at their end, the upper limit is this percentile of the others: else these would be dark."""
ARM, HOLE = 40, 6
"""Pixels from the beam at which the arms of its cross end and begin."""
GREY, WHITE, RED = (128, 128, 128, 255), (255, 255, 255, 255), (230, 25, 75, 255)
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class PixelMap:
    """Where the pixels of a detector lie in its picture."""

    shape: tuple[int, int]
    filled: NDArray[np.bool_]
    """(height, width) where there is a pixel."""
    source: NDArray[np.int64]
    """(filled pixels,) number of the pixel in (module, slow, fast) order."""
    modules: int
    centre: tuple[float, float]
    """(row, column) of the beam: the geometry's origin; in the idealised half AGIPD, the middle of the pixels."""

    @classmethod
    def of(cls, detector: str, kind: str, geometry_file: str = "") -> PixelMap:
        """The map of a detector. Raises SettingRejected for a geometry file that cannot be read."""
        return _pixel_map("AGIPD500K" if "AGIPD500K" in detector else kind, kind, geometry_file)

    def assemble(self, images: F32) -> F32:
        """From (modules, slow, fast) to the picture (height, width), NaN in the gaps."""
        picture = np.full(self.shape, np.nan, np.float32)
        picture[self.filled] = images.reshape(-1)[self.source]
        return picture


@lru_cache(maxsize=4)
def _pixel_map(library_key: str, kind: str, geometry_file: str) -> PixelMap:
    import extra_geom

    library = getattr(extra_geom, GEOMETRIES[library_key])
    try:
        geometry = library.from_crystfel_geom(geometry_file) if geometry_file else library.example()
    except (OSError, RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise SettingRejected(
            "preview.geometry_file", geometry_file, f"a geometry of {kind} ({error})"
        ) from None
    count = int(np.prod(geometry.expected_data_shape))
    numbers = np.arange(count, dtype=np.float64).reshape(geometry.expected_data_shape)
    positioned, centre = geometry.position_modules(numbers)
    filled = ~np.isnan(positioned)
    if library_key == "AGIPD500K" and not geometry_file:  # its origin is one of its corners
        centre = np.argwhere(filled).mean(axis=0)
    source = positioned[filled].astype(np.int64)
    row, column = (float(at) for at in centre)
    return PixelMap(positioned.shape, filled, source, geometry.expected_data_shape[0], (row, column))


class Preview:
    """Keeps the newest picture, of corrected trains or of raw ones."""

    def __init__(self, detector: str, kind: str, table: PreviewTable) -> None:
        self._detector, self._kind = detector, kind
        self.every_nth_train, self.frame = table.every_nth_train, table.frame
        self._geometry_file = table.geometry_file
        self._map: PixelMap | None = None
        self._lock = threading.Lock()
        self._latest: tuple[int, F32] | None = None
        self.pictures = 0
        self.problem = ""

    def prepare(self) -> None:
        """Position the pixels; takes some seconds, so it is done beforehand. Raises SettingRejected."""
        self._map = PixelMap.of(self._detector, self._kind, self._geometry_file)

    def take(self, train: MatchedTrain[CorrectedModule] | MatchedTrain[ModuleTrain]) -> F32 | None:
        """The picture of a train, where it is one whose turn it is. Of a raw train: the analogue signal, ADU."""
        if self._map is None or train.train_id % self.every_nth_train:
            return None
        picture = self._map.assemble(self._images(train, self._map.modules))
        with self._lock:
            self._latest = train.train_id, picture
        self.pictures += 1
        return picture

    def _images(self, train: MatchedTrain[Any], modules: int) -> F32:
        """One image of each module, (modules, slow, fast); NaN where a module is missing or a pixel is bad."""
        first = next(iter(train.modules.values()))
        images = np.full((modules, *first.data.shape[-2:]), np.nan, np.float32)
        for module, part in train.modules.items():
            if module >= modules or not len(part.data):
                continue
            if isinstance(part, ModuleTrain):  # nothing is known of bad pixels yet
                images[module] = _one_image(part.data[:, 0], self.frame)
            else:
                bad = _bad(part.mask, self.frame)
                images[module] = np.where(bad, np.nan, _one_image(part.data, self.frame))
        return images

    def latest(self) -> tuple[int, F32] | None:
        """Train id and picture of the newest one."""
        with self._lock:
            return self._latest

    def png(self, scale: Scale = "linear", cross: bool = False) -> bytes | None:
        """The newest picture in colours, as a person sees the detector looking along the beam; *cross* at the beam."""
        newest, centre = self.latest(), self._map.centre if cross and self._map is not None else None
        return None if newest is None else as_png(newest[1], scale, FULL_SCALE.get(self._kind), centre)


def _one_image(frames: NDArray[Any], which: int | str) -> Any:
    """Of (n, slow, fast): a frame, or all of them projected. A pixel that is NaN in any frame stays NaN."""
    if which == "mean":
        return frames.mean(axis=0)
    if which == "max":
        return frames.max(axis=0)
    return frames[min(int(which), len(frames) - 1)]


def _bad(masks: U32, which: int | str) -> NDArray[np.bool_]:
    """Pixels that are bad in the frame that is shown, or in any of those that are projected."""
    if isinstance(which, str):
        return np.asarray(np.bitwise_or.reduce(masks, axis=0) != 0)
    return np.asarray(masks[min(which, len(masks) - 1)] != 0)


def as_png(
    picture: F32,
    scale: Scale,
    full_scale: float | None = None,
    centre: tuple[float, float] | None = None,
) -> bytes:
    """A picture in colours that everybody can tell apart; gaps and bad pixels are grey.

    full_scale  raw value at which pixels are at their end: those near it are white, and do not count for the limits
    centre      (row, column) at which a red cross is drawn
    """
    from matplotlib import colormaps, image

    ended = saturated(picture, full_scale)
    values = np.log10(np.maximum(picture, 0.1)) if scale == "log" else picture
    known = values[np.isfinite(values) & ~ended]
    percentiles = (PERCENTILES[0], SATURATED_TOP) if ended.any() else PERCENTILES
    low, high = np.percentile(known, percentiles) if known.size else (0.0, 1.0)
    shares = (values - low) / (max(high, low + 1e-6) - low)
    shown = colormaps["viridis"](np.nan_to_num(shares), bytes=True)
    shown[~np.isfinite(values)] = GREY
    shown[ended] = WHITE
    if centre is not None:
        _draw_cross(shown, centre)
    room = io.BytesIO()
    # x grows to the left and y upwards looking along the beam.
    image.imsave(room, np.ascontiguousarray(shown[::-1, ::-1]), format="png")
    return room.getvalue()


def saturated(picture: F32, full_scale: float | None) -> NDArray[np.bool_]:
    """Pixels at their end, where more than one in two hundred is.

    Each pixel's end is full scale less its own offset, and only their sum is known here: ends lie together, within a
    twentieth, at the top of the picture and above 70 % of full scale.
    """
    known = picture[np.isfinite(picture)]
    if full_scale is None or not known.size:
        return np.zeros(picture.shape, np.bool_)
    top = float(np.percentile(known, 99.9))
    ended = picture > 0.95 * top
    enough = top > 0.7 * full_scale and np.count_nonzero(ended) > known.size / 200
    return np.asarray(ended if enough else np.zeros(picture.shape, np.bool_))


def _draw_cross(shown: NDArray[np.uint8], centre: tuple[float, float]) -> None:
    """Four arms, open at the beam, three pixels wide; what lies outside the picture is left out."""
    row, column = (round(at) for at in centre)
    for begin, end in ((-ARM, -HOLE), (HOLE, ARM)):
        _paint(shown, (row - 1, row + 2), (column + begin, column + end))
        _paint(shown, (row + begin, row + end), (column - 1, column + 2))


def _paint(shown: NDArray[np.uint8], rows: tuple[int, int], columns: tuple[int, int]) -> None:
    shown[slice(*np.clip(rows, 0, None)), slice(*np.clip(columns, 0, None))] = RED
