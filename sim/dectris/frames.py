"""Where frames come from: recorded data files, or deterministic pictures."""

from __future__ import annotations

import glob
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.dectris import picture
from sim.dectris.images import encode
from sim.dectris.messages import EncodedFrame
from sim.errors import ConfigurationRejected

DATA: Final = "/entry/data/data"
_BSLZ4, _LZ4 = 32008, 32004


class FrameSource(Protocol):
    """Frames of a series, by number."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)"""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, uint16 or uint32."""
        ...

    @property
    def compression(self) -> str:
        """The compression that costs least: bslz4, lz4 or none."""
        ...

    @property
    def gaps(self) -> NDArray[np.bool_]:
        """(height, width), true where no pixel is."""
        ...

    def frame(self, series: int, number: int, compression: str) -> EncodedFrame:
        """Frame *number* (from 0) of a series."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One chunk of a data file."""

    chunk: bytes
    compression: str


class FileFrames:
    """Replays recorded data files, in the order given, again from the first when a series is longer.

    Reads `/entry/data/data` (n, height, width) of each file. Chunks go out as they are on disk where the stream's
    layout is the same (bslz4, none); lz4 chunks become one raw LZ4 block; other wishes are decoded and encoded.
    Raises ConfigurationRejected when files are missing, empty or disagree.
    """

    def __init__(self, device: str, patterns: Sequence[str]) -> None:
        self._device = device
        self._stored: list[StoredFrame] = []
        self._encoded: dict[tuple[int, str], EncodedFrame] = {}
        self.shape, self.dtype = (0, 0), np.dtype(np.uint16)
        for path in _files(device, patterns):
            self._read(path)
        if not self._stored:
            raise ConfigurationRejected(device, "the data files hold no images")
        self.compression = self._stored[0].compression
        self.gaps = np.zeros(self.shape, bool)

    def __len__(self) -> int:
        return len(self._stored)

    def _read(self, path: Path) -> None:
        try:
            with h5py.File(path, "r") as file:
                self._append(path, file[DATA])
        except (OSError, KeyError) as error:
            raise ConfigurationRejected(self._device, f"{path} holds no readable {DATA}: {error}") from error

    def _append(self, path: Path, data: h5py.Dataset) -> None:
        if data.ndim != 3 or data.dtype.name not in ("uint8", "uint16", "uint32"):
            raise ConfigurationRejected(
                self._device, f"{path}: images must be (n, height, width) of uint8, uint16 or uint32"
            )
        if not self._stored:
            self.shape, self.dtype = (data.shape[1], data.shape[2]), data.dtype
        elif (data.shape[1:], data.dtype) != (self.shape, self.dtype):
            raise ConfigurationRejected(
                self._device, f"{path}: images differ in size or type from the first file's"
            )
        compression = _compression(data)
        for index in range(data.shape[0]):
            if compression is None:
                # Needs the file's own filter; hdf5plugin registers what HDF5 does not bring.
                import hdf5plugin  # noqa: F401

                self._stored.append(StoredFrame(np.ascontiguousarray(data[index]).tobytes(), "none"))
            else:
                _, chunk = data.id.read_direct_chunk((index, 0, 0))
                self._stored.append(StoredFrame(bytes(chunk), compression))

    def frame(self, series: int, number: int, compression: str) -> EncodedFrame:  # noqa: ARG002  # every series replays the same files
        """The frame; encodings are kept, so a second pass over the files costs nothing."""
        index = number % len(self._stored)
        known = self._encoded.get((index, compression))
        if known is None:
            known = self._encoded[index, compression] = self._encode(self._stored[index], compression)
        return known

    def _encode(self, stored: StoredFrame, compression: str) -> EncodedFrame:
        if stored.compression != compression:
            image = encode.decode(stored.chunk, stored.compression, self.shape, self.dtype)
            blob = encode.encode(image, compression)
        elif compression == "lz4":
            blob = encode.lz4_as_one_block(stored.chunk, self.shape[0] * self.shape[1] * self.dtype.itemsize)
        else:
            blob = stored.chunk
        return _encoded_frame(blob, self.shape, self.dtype, compression)


def _files(device: str, patterns: Sequence[str]) -> list[Path]:
    files: list[Path] = []
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if not found:
            raise ConfigurationRejected(device, f"frames.files: no file matches {pattern!r}")
        files += map(Path, found)
    return files


def _compression(data: h5py.Dataset) -> str | None:
    """How whole-image chunks are stored; None when they must be read through HDF5's filters."""
    if data.chunks != (1, *data.shape[1:]):
        return None
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    return {(): "none", (_BSLZ4,): "bslz4", (_LZ4,): "lz4"}.get(tuple(filters))


def _encoded_frame(
    blob: bytes, shape: tuple[int, int], dtype: np.dtype[Any], compression: str
) -> EncodedFrame:
    """A frame of stream 1 with the hash that the image message carries."""
    blob = bytes(encode.stream1_part(blob, compression))
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return EncodedFrame(blob, md5, shape[1], shape[0], str(dtype), encode.encoding(dtype, compression))


class SyntheticFrames:
    """Diffraction-like pictures with Poisson noise, keyed by (seed, serial number, series, frame).

    Gaps between sensor tiles hold the type's maximum, as masked pixels do on hardware.
    """

    compression = "bslz4"

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], seed: int, serial: str) -> None:
        self.shape, self.dtype = shape, dtype
        self._key = (seed, zlib.crc32(serial.encode()))
        self.gaps = picture.gaps(shape)
        self._mean = picture.mean_photons(shape)

    def image(self, series: int, number: int) -> NDArray[Any]:
        """The picture before compression, (height, width)."""
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((*self._key, series, number))))
        photons = random.poisson(self._mean)
        top = np.iinfo(self.dtype).max
        image = np.minimum(photons, top - 1).astype(self.dtype)
        image[self.gaps] = top
        return image

    def frame(self, series: int, number: int, compression: str) -> EncodedFrame:
        """The frame, drawn and encoded."""
        blob = encode.encode(self.image(series, number), compression)
        return _encoded_frame(blob, self.shape, self.dtype, compression)
