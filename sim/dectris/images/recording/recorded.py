"""Images of a recording, checked one by one as they are read: what gets in can be decoded and agrees with the rest."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.encode import (
    Bytes,
    ChunkUnreadable,
    bslz4_with_prefix,
    decode,
    encode,
    lz4_as_one_block,
)
from sim.dectris.images.frames import Channel, Layout
from sim.dectris.images.packing import RING_BYTES, channel_of
from sim.errors import ConfigurationRejected

MAX_SIDE: Final = 1 << 14
MAX_IMAGES: Final = 1_000_000
DTYPES: Final = ("uint8", "uint16", "uint32")


class Recorded:
    """The images of a recording in the order of their numbers, encoded.

    All methods raise ConfigurationRejected with one sentence that names the file.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self.shape, self.dtype = (0, 0), np.dtype(np.uint16)
        self.compression = ""
        self.names: tuple[str, ...] = ()
        self._blobs: list[list[bytes]] = []
        self._sums: list[list[int]] = []
        self._bytes = 0
        self._where = ""
        self.pixel_mask: dict[str, NDArray[np.uint32]] = {}
        self.flatfield: dict[str, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self._blobs[0]) if self._blobs else 0

    def refuse(self, reason: str) -> ConfigurationRejected:
        """The error that says what is wrong with the file being read."""
        return ConfigurationRejected(self._device, f"{self._where}: {reason}")

    def reading(self, where: str) -> None:
        """Name the file that is read from now on."""
        self._where = where

    def expect(self, shape: tuple[int, int], dtype: np.dtype[Any], names: tuple[str, ...]) -> None:
        """The images that come next have this shape (height, width), type and channels."""
        if not all(0 < side <= MAX_SIDE for side in shape) or dtype.name not in DTYPES:
            raise self.refuse(
                f"images of {shape[0]} x {shape[1]} {dtype} are not replayed; they must be uint8, uint16 or uint32 "
                f"with at most {MAX_SIDE} pixels a side"
            )
        if not self.names:
            self.shape, self.dtype, self.names = shape, dtype.newbyteorder("="), names
            self._blobs, self._sums = [[] for _ in names], [[] for _ in names]
        elif (shape, dtype.newbyteorder("="), names) != (self.shape, self.dtype, self.names):
            raise self.refuse("its images differ in size, type or channels from those before")

    def add(self, channel: int, blob: Bytes, compression: str) -> None:
        """Append an encoded image to a channel; bslz4 and none stay byte for byte what they are."""
        try:
            blob = self._normal(blob, compression)
            image = decode(blob, compression, self.shape, self.dtype)
        except ChunkUnreadable as error:
            raise self.refuse(f"image {len(self._blobs[channel])} is damaged: {error}") from None
        self._append(channel, image, bytes(blob), compression)

    def add_image(self, channel: int, image: NDArray[Any]) -> None:
        """Append an image (height, width) that was not compressed image by image."""
        compression = self.compression or "bslz4"
        self._append(channel, image, encode(image, compression), compression)

    def channels(self, compression: str) -> tuple[Channel, ...]:
        """The channels in a compression: as recorded, or encoded anew."""
        if compression == self.compression:
            blobs = self._blobs
        else:
            blobs = [[encode(self._image(blob), compression) for blob in channel] for channel in self._blobs]
        return tuple(
            channel_of(name, encoded, sums, compression)
            for name, encoded, sums in zip(self.names, blobs, self._sums, strict=True)
        )

    def layout(self) -> Layout:
        """The only layout that these images have."""
        return Layout(self.shape[1], self.shape[0], self.dtype.itemsize * 8, self.compression, self.names)

    def check_complete(self) -> None:
        """There are images, and as many in each channel."""
        if not len(self):
            raise ConfigurationRejected(self._device, "the recording holds no images")
        if len({len(channel) for channel in self._blobs}) > 1:
            raise self.refuse("its channels have different numbers of images")

    def array(self, value: NDArray[Any], dtype: type[Any]) -> NDArray[Any]:
        """A mask or flat field (height, width) of these images in the type that it should have."""
        if value.shape != self.shape or value.dtype.kind not in "uif":
            raise self.refuse(f"its mask or flat field has the shape {value.shape}, its images {self.shape}")
        return value.astype(dtype)

    def _image(self, blob: Bytes) -> NDArray[Any]:
        return decode(blob, self.compression, self.shape, self.dtype)

    def _normal(self, blob: Bytes, compression: str) -> Bytes:
        size = self.shape[0] * self.shape[1] * self.dtype.itemsize
        if compression == "lz4":
            return lz4_as_one_block(blob, size)
        return bslz4_with_prefix(blob, size) if compression == "bslz4" else blob

    def _append(self, channel: int, image: NDArray[Any], blob: bytes, compression: str) -> None:
        self.compression = self.compression or compression
        if compression != self.compression:
            blob = encode(image, self.compression)
        self._bytes += len(blob)
        if self._bytes > RING_BYTES or len(self._blobs[channel]) >= MAX_IMAGES:
            raise self.refuse(
                f"a recording is kept in memory, and this one has more than {RING_BYTES >> 30} GiB or "
                f"{MAX_IMAGES} images; name fewer files"
            )
        self._blobs[channel].append(blob)
        self._sums[channel].append(int(image.sum(dtype=np.uint64)))
