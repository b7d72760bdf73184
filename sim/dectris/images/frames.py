"""What the images of a series look like, and the ring of encoded images that every path serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.dectris.encode import decode_chunk


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
        blob = bytes(self.channels[channel].blob(number))
        return decode_chunk(blob, layout.compression, (layout.height, layout.width), layout.dtype)


class ImageSource(Protocol):
    """Where images come from: a scene or a recording. Deterministic from seed, serial number and layout."""

    @property
    def fixed(self) -> Layout | None:
        """The layout that a recording dictates; None where any layout of the model can be made."""
        ...

    def ring(self, layout: Layout) -> Ring:
        """The images in this layout. Kept, so that a second series with it costs nothing."""
        ...

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:
        """(height, width) mask; bit 0 gap, 1 dead, 2 under-responding, 3 over-responding, 4 noisy."""
        ...

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        """(height, width) factors."""
        ...
