"""HDF5 recordings: data files, masters with external links, masters with a virtual dataset, stacks of an acquisition.

Layouts: SIMPLON file writer (legacy NXmx and v2024.2) and real EIGER and EIGER2 files. Chunks of one image are taken as
they lie. HDF5's own filters are read through the library; the filters of plug-ins never, because those do not check
their input.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.recording.recorded import DTYPES, MAX_IMAGES, Recorded

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_BSLZ4, _LZ4 = 32008, 32004
_COMPRESSIONS: Final = {(): "none", (_BSLZ4,): "bslz4", (_LZ4,): "lz4"}
_OWN_FILTERS: Final = range(1, 7)
"""Filters that every HDF5 library brings: deflate, shuffle, fletcher32, szip, nbit, scale and offset."""
_MAX_CHUNK_BYTES: Final = 1 << 30
_DETECTOR: Final = "entry/instrument/detector"
# h5py raises any of these for damage, by where in the library it is noticed.
DAMAGE: Final = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


def read_file(path: Path, into: Recorded, seen: set[Path]) -> None:
    """Append a file's images; files in *seen* came with a master already. Raises ConfigurationRejected."""
    if path.resolve() in seen:
        return
    into.reading(str(path))
    try:
        with h5py.File(path, "r") as file:
            names = _channel_names(file)
            for data in _datasets(file, path, seen):
                _append(data, names, into)
            _append_arrays(file, into)
    except DAMAGE as error:
        raise into.refuse(f"it cannot be read: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    # A KeyError puts its sentence in quotes.
    said = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return (said or type(error).__name__).splitlines()[0][:200]


def _datasets(file: h5py.File, path: Path, seen: set[Path]) -> Iterator[h5py.Dataset]:
    """The datasets that hold the images, in the order of the images' numbers."""
    group = file["entry/data"]
    if group.get("data", getlink=True) is not None:
        data = group["data"]
        if data.is_virtual:
            yield from _virtual_sources(data, path, seen)
        else:
            yield data
        return
    links = sorted(name for name in group if name.startswith("data_"))
    if not links:
        raise KeyError("entry/data holds neither data nor data_000001")
    for name in links:
        data = _linked(group, name)
        seen.add(Path(data.file.filename).resolve())
        yield data


def _linked(group: h5py.Group, name: str) -> h5py.Dataset:
    try:
        return group[name]
    except KeyError:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise KeyError(f"entry/data/{name} lies in {link.filename}, which cannot be opened") from None
        raise


def _virtual_sources(data: h5py.Dataset, path: Path, seen: set[Path]) -> Iterator[h5py.Dataset]:
    """The whole datasets that a virtual one strings together: their chunks are wanted as they lie."""
    sources = sorted(data.virtual_sources(), key=lambda source: int(source.vspace.get_select_bounds()[0][0]))
    count, taken = int(data.shape[0]), 0
    for source in sources:
        # In such a name, a doubled % stands for one.
        where = path if source.file_name == "." else path.parent / source.file_name.replace("%%", "%")
        with h5py.File(where, "r") as file:
            part = file[source.dset_name]
            if part.shape[1:] != data.shape[1:]:
                raise ValueError("its virtual dataset is made of parts of images, which is not read")
            seen.add(where.resolve())
            taken += int(part.shape[0])
            yield part
    if taken != count:
        raise ValueError(f"its virtual dataset shows {count} images of {taken} in its files")


def _channel_names(file: h5py.File) -> tuple[str, ...] | None:
    """Channels of a v2024.2 file; None where the images have no such axis."""
    names = file.get("entry/data/channel")
    if not isinstance(names, h5py.Dataset):
        return None
    if names.size is None or not 0 < names.size <= 16:
        raise ValueError("entry/data/channel names no channels")
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in np.ravel(names[()]))


def _append(data: h5py.Dataset, names: tuple[str, ...] | None, into: Recorded) -> None:
    if not isinstance(data, h5py.Dataset) or data.ndim not in (3, 4) or data.dtype.name not in DTYPES:
        raise ValueError(
            "images must be (n, height, width) or (n, channel, height, width) of uint8, uint16 or uint32"
        )
    images, (height, width) = int(data.shape[0]), data.shape[-2:]
    channels = int(data.shape[1]) if data.ndim == 4 else 1
    if images > MAX_IMAGES or channels > 16:
        raise ValueError(f"{images} images of {channels} channels are too many")
    known = names or tuple(f"threshold_{index + 1}" for index in range(channels))
    into.expect((int(height), int(width)), data.dtype, known[:channels])
    filters = _filters(data)
    compression = _COMPRESSIONS.get(filters) if _one_image_a_chunk(data) else None
    if compression is None and any(number not in _OWN_FILTERS for number in filters):
        raise ValueError(f"HDF5 filters {filters} are read only where every chunk is one image, bslz4 or lz4")
    for number in range(images):
        for channel in range(channels):
            where = (number, channel) if data.ndim == 4 else (number,)
            chunk = _chunk(data, where) if compression is not None else None
            if chunk is None or compression is None:
                into.add_image(channel, np.ascontiguousarray(data[where], into.dtype))
            else:
                into.add(channel, chunk, compression)


def _filters(data: h5py.Dataset) -> tuple[int, ...]:
    properties = data.id.get_create_plist()
    return tuple(int(properties.get_filter(index)[0]) for index in range(properties.get_nfilters()))


def _one_image_a_chunk(data: h5py.Dataset) -> bool:
    if data.chunks is None:
        return False
    if math.prod(data.chunks) * data.dtype.itemsize > _MAX_CHUNK_BYTES:
        raise ValueError(f"its chunks of {data.chunks} are larger than {_MAX_CHUNK_BYTES >> 30} GiB")
    one = (1,) * (data.ndim - 2)
    return bool(data.chunks == (*one, *data.shape[-2:]) and data.dtype == data.dtype.newbyteorder("<"))


def _chunk(data: h5py.Dataset, where: tuple[int, ...]) -> bytes | None:
    """The chunk of an image as it lies in the file; None where there is none, which HDF5 reads as zeros."""
    offset = (*where, 0, 0)
    info = data.id.get_chunk_info_by_coord(offset)
    if info.byte_offset is None:
        return None
    raw = math.prod(data.shape[-2:]) * data.dtype.itemsize
    if info.size > raw + raw // 8 + (1 << 16):
        raise ValueError(f"a chunk tells {info.size} bytes for an image of {raw}")
    skipped, chunk = data.id.read_direct_chunk(offset)
    if skipped:
        raise ValueError("a chunk was written without its filter")
    return bytes(chunk)


def _append_arrays(file: h5py.File, into: Recorded) -> None:
    """Masks and flat fields of a master; data files have none."""
    for index, name in enumerate(into.names):
        for group in (f"{_DETECTOR}/{name}_channel", f"{_DETECTOR}/detectorSpecific"):
            mask, flatfield = _small(file, f"{group}/pixel_mask"), _small(file, f"{group}/flatfield")
            if index > 0 and group.endswith("detectorSpecific"):
                continue
            if mask is not None:
                into.pixel_mask[name] = into.array(mask, np.uint32)
            if flatfield is not None:
                into.flatfield[name] = into.array(flatfield, np.float32)


def _small(file: h5py.File, name: str) -> NDArray[Any] | None:
    """An array of one image's size, if the file has it and can be trusted to give it."""
    data = file.get(name)
    if not isinstance(data, h5py.Dataset) or data.ndim != 2 or math.prod(data.shape) > 1 << 28:
        return None
    if any(number not in _OWN_FILTERS for number in _filters(data)):
        chunk_of_all = data.chunks == data.shape and _filters(data) in _COMPRESSIONS
        return _plugin_array(data) if chunk_of_all else None
    return np.asarray(data[()])


def _plugin_array(data: h5py.Dataset) -> NDArray[Any] | None:
    """An array in one bslz4 or lz4 chunk, unpacked by our own decoder."""
    from sim.dectris.images.encode import ChunkUnreadable, decode

    _, chunk = data.id.read_direct_chunk((0, 0))
    try:
        return decode(bytes(chunk), _COMPRESSIONS[_filters(data)], data.shape, data.dtype)
    except ChunkUnreadable as error:
        raise ValueError(str(error)) from None
