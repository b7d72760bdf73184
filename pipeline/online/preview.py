"""Assembled previews: every so often, one picture of the whole detector.

Pixels go where EXtra-geom puts them. The geometry positions an image of pixel numbers once; after that, assembling is
one look-up for each pixel, with exactly the library's result.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.config import PreviewTable
from pipeline.errors import SettingRejected
from pipeline.model import F32, U32, CorrectedModule, MatchedTrain

GEOMETRIES: Final = {
    "AGIPD500K": "AGIPD_500K2GGeometry",
    "AGIPD": "AGIPD_1MGeometry",
    "LPD": "LPD_1MGeometry",
    "DSSC": "DSSC_1MGeometry",
}
PERCENTILES: Final = (1.0, 99.5)
"""Values between these span the colours."""
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

    @classmethod
    def of(cls, detector: str, kind: str, geometry_file: str = "") -> PixelMap:
        """The map of a detector. Raises SettingRejected for a geometry file that cannot be read."""
        import extra_geom

        library = getattr(extra_geom, GEOMETRIES["AGIPD500K" if "AGIPD500K" in detector else kind])
        try:
            geometry = library.from_crystfel_geom(geometry_file) if geometry_file else library.example()
        except (OSError, RuntimeError, ValueError, KeyError, AssertionError) as error:
            raise SettingRejected(
                "preview.geometry_file", geometry_file, f"a geometry of {kind} ({error})"
            ) from None
        count = int(np.prod(geometry.expected_data_shape))
        numbers = np.arange(count, dtype=np.float64).reshape(geometry.expected_data_shape)
        positioned, _ = geometry.position_modules(numbers)
        filled = ~np.isnan(positioned)
        return cls(
            positioned.shape, filled, positioned[filled].astype(np.int64), geometry.expected_data_shape[0]
        )

    def assemble(self, images: F32) -> F32:
        """From (modules, slow, fast) to the picture (height, width), NaN in the gaps."""
        picture = np.full(self.shape, np.nan, np.float32)
        picture[self.filled] = images.reshape(-1)[self.source]
        return picture


class Preview:
    """Keeps the newest picture."""

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

    def take(self, train: MatchedTrain[CorrectedModule]) -> F32 | None:
        """The picture of a train, where it is one whose turn it is."""
        if self._map is None or train.train_id % self.every_nth_train:
            return None
        picture = self._map.assemble(self._images(train, self._map.modules))
        with self._lock:
            self._latest = train.train_id, picture
        self.pictures += 1
        return picture

    def _images(self, train: MatchedTrain[CorrectedModule], modules: int) -> F32:
        """One image of each module, (modules, slow, fast); NaN where a module is missing or a pixel is bad."""
        first = next(iter(train.modules.values()))
        images = np.full((modules, *first.data.shape[1:]), np.nan, np.float32)
        for module, part in train.modules.items():
            if module < modules and len(part.data):
                images[module] = np.where(
                    _bad(part.mask, self.frame), np.nan, _one_image(part.data, self.frame)
                )
        return images

    def latest(self) -> tuple[int, F32] | None:
        """Train id and picture of the newest one."""
        with self._lock:
            return self._latest

    def png(self, scale: Scale = "linear") -> bytes | None:
        """The newest picture in colours, as a person sees the detector looking along the beam."""
        newest = self.latest()
        return None if newest is None else as_png(newest[1], scale)


def _one_image(frames: F32, which: int | str) -> Any:
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


def as_png(picture: F32, scale: Scale) -> bytes:
    """A picture in colours that everybody can tell apart; gaps and bad pixels are grey."""
    from matplotlib import colormaps, image

    values = np.log10(np.maximum(picture, 0.1)) if scale == "log" else picture
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, PERCENTILES) if known.size else (0.0, 1.0)
    colours = colormaps["viridis"].with_extremes(bad="#808080")
    room = io.BytesIO()
    # x grows to the left and y upwards looking along the beam.
    shown = np.ma.masked_invalid(values[:, ::-1])
    top = max(high, low + 1e-6)
    image.imsave(room, shown, vmin=low, vmax=top, cmap=colours, origin="lower", format="png")
    return room.getvalue()
