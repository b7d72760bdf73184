"""What the images of a series look like, and the ring of encoded images that every path serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.encode import decode


@dataclass(frozen=True, slots=True)
class Layout:
    """What the images of a series look like; decided at arm."""

    width: int
    height: int
    bit_depth: int
    """8, 16 or 32."""
    compression: str
    """bslz4, lz4 or none."""
    channels: tuple[str, ...] = ("threshold_1",)
    """Names as stream 2 has them, in the order threshold_1 … threshold_4, difference."""
    pixel_mask_applied: bool = True
    mask_to_zero: bool = False
    """Masked pixels read 0 instead of the highest value."""
    flatfield_applied: bool = True
    countrate_applied: bool = True
    thresholds: tuple[float, ...] = (0.5, 1.4)
    """Energy of threshold 1, 2, … as a part of the photons' energy, ascending; those that are off too."""
    dead_share: float = 0.0
    """The pixels' dead time as a part of the count time: what one count hides of the next. 0: nothing is lost."""
    origin: tuple[int, int] | None = None
    """(x, y) of the first pixel in the whole (or binned) detector; None: the region is in the middle."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16 or uint32."""
        return np.dtype(f"u{self.bit_depth // 8}")


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """The distinct images of one channel, encoded, one after another in one pool.

    bslz4 and none are the same bytes in both streams and in HDF5 chunks. lz4 is HDF5's framing (filter 32004) with one
    block of the whole image, always compressed: stream 1 sends what follows the first 16 bytes.
    """

    name: str
    pool: NDArray[np.uint8]
    """(bytes,) contiguous; never changed."""
    offsets: NDArray[np.int64]
    """(distinct,) where each image begins."""
    lengths: NDArray[np.int64]
    """(distinct,) bytes of each image."""
    md5: tuple[str, ...]
    """(distinct,) 32 hex digits of what stream 1 sends of each image."""
    sums: NDArray[np.uint64]
    """(distinct,) sum over the pixels of each image as it is sent."""

    def blob(self, number: int) -> memoryview:
        """Encoded bytes of image *number* of a series; no copy."""
        index = number % len(self.offsets)
        start = int(self.offsets[index])
        return self.pool[start : start + int(self.lengths[index])].data


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """The images of a series: number i shows the distinct image i % distinct."""

    layout: Layout
    channels: tuple[Channel, ...]

    @property
    def distinct(self) -> int:
        """How many different images there are."""
        return len(self.channels[0].offsets)

    def image(self, channel: int, number: int) -> NDArray[Any]:
        """Image *number* as sent, (height, width), of the layout's dtype."""
        layout = self.layout
        blob = self.channels[channel].blob(number)
        return decode(blob, layout.compression, (layout.height, layout.width), layout.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Uploaded:
    """Arrays that a client wrote in place of the factory's, by channel (`threshold_1`, …); none for a difference."""

    pixel_mask: Mapping[str, NDArray[np.uint32]] = field(default_factory=dict)
    """(height, width) each."""
    flatfield: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """(height, width) each."""


class ImageSource(Protocol):
    """Where images come from: a scene or a recording. Deterministic from seed, serial number and layout."""

    @property
    def fixed(self) -> Layout | None:
        """The layout that a recording dictates; None where any layout of the model can be made."""
        ...

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:
        """The images in this layout. Kept, so that a second series with it costs nothing.

        Making them may take seconds: a thread's job. Raises ConfigurationRejected where a recording has no such images.
        """
        ...

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        """(height, width) mask; bit 0 gap, 1 dead, 2 under-responding, 3 over-responding, 4 noisy."""
        ...

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        """(height, width) factors."""
        ...
