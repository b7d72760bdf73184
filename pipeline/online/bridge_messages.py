"""Karabo bridge, protocols 2.2 and 1.0, as bytes. No sockets.

A train is in 2.2 a sequence of pairs of parts, each header saying what its payload is, and in 1.0 one part
(karabo-bridge-py, serializer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

import msgpack
import numpy as np
from numpy.typing import DTypeLike, NDArray

from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain

ATTOSECONDS_PER_NS: Final = 1_000_000_000
BAD_REQUEST: Final = b"Error: bad request "
PULSES_AT_ONCE: Final = 16
ROWS_AT_ONCE: Final = 4
"""Small enough for the caches when axes change: five times as fast as at once, with 128 pulses of AGIPD."""

Protocol = Literal["2.2", "1.0"]
Sources = Mapping[str, Mapping[str, Any]]
Part = bytes | NDArray[Any]
Layout = Literal["file", "live"]
RoomOf = Callable[[tuple[int, ...], DTypeLike], NDArray[Any]]
"""Memory of a shape and a type, with any content, C-contiguous: `numpy.empty`, or memory that is used again."""


def serialize(
    sources: Sources, metadata: Mapping[str, Mapping[str, Any]], protocol: Protocol = "2.2"
) -> list[Part]:
    """Parts of one train, sources in sorted order. In 2.2 arrays are passed on as they are, C-contiguous."""
    return _one_part(sources, metadata) if protocol == "1.0" else _pairs(sources, metadata)


def _pairs(sources: Sources, metadata: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    parts: list[Part] = []
    for source in sorted(sources):
        arrays = {key: value for key, value in sources[source].items() if isinstance(value, np.ndarray)}
        plain = {key: value for key, value in sources[source].items() if key not in arrays}
        header = {"source": source, "content": "msgpack", "metadata": dict(metadata[source])}
        parts += [msgpack.packb(header, use_bin_type=True), msgpack.packb(plain, use_bin_type=True)]
        for path, array in arrays.items():
            description = {
                "source": source,
                "content": "array",
                "path": path,
                "dtype": str(array.dtype),
                "shape": list(array.shape),
            }
            parts += [msgpack.packb(description, use_bin_type=True), np.ascontiguousarray(array)]
    return parts


def _one_part(sources: Sources, metadata: Mapping[str, Mapping[str, Any]]) -> list[Part]:
    """Arrays as msgpack-numpy has them: dictionaries whose keys are byte strings."""
    content: dict[str, Any] = {}
    for name in sorted(sources):
        content[name] = {key: _packable(value) for key, value in sources[name].items()}
        content[name]["metadata"] = dict(metadata[name])
    return [msgpack.packb(content, use_bin_type=True)]


def _packable(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return {
        b"nd": True,
        b"type": value.dtype.str,
        b"kind": b"",
        b"shape": value.shape,
        b"data": value.tobytes(),
    }


def train_metadata(source: str, train_id: int, timestamp_ns: int) -> dict[str, Any]:
    """Metadata that every source of a train carries."""
    seconds, rest_ns = divmod(timestamp_ns, 1_000_000_000)
    return {
        "source": source,
        "timestamp": timestamp_ns / 1e9,
        "timestamp.sec": str(seconds),
        "timestamp.frac": f"{rest_ns * ATTOSECONDS_PER_NS:018d}",
        "timestamp.tid": train_id,
    }


def combined_source(
    detector: str,
    matched: MatchedTrain[CorrectedModule],
    modules: int,
    *,
    online_axes: bool,
    keys: Collection[str] = (),
    room: NDArray[np.float32] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Name and content of the combined corrected source.

    image.data is f4, NaN where a module is missing: online axes (module, fast, slow, pulse), else file axes
    (pulse, module, slow, fast). *room* (f4, C-contiguous) is filled in place where it has as many values.
    keys  those that are wanted; none named: all
    """
    first = next(iter(matched.modules.values()))

    def in_place(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        fits = room is not None and room.size == np.prod(shape)
        return room.reshape(shape) if room is not None and fits else np.empty(shape, dtype)

    content: dict[str, Any] = {
        **_common(matched, first),
        "image.passport": [step for _, part in sorted(matched.modules.items()) for step in part.passport],
        "sources": [f"{detector}/CORR/{module}CH0:output" for module in sorted(matched.modules)],
        "modulesPresent": [module in matched.modules for module in range(modules)],
    }
    if _wanted("image.data", keys):
        images = {module: part.data for module, part in matched.modules.items()}
        content["image.data"] = _stacked(images, modules, np.nan, online_axes, in_place)
    return f"{detector}/CAL/APPEND_CORRECTED", _chosen(content, keys)


def combined_raw_source(
    detector: str,
    matched: MatchedTrain[ModuleTrain],
    modules: int,
    *,
    online_axes: bool,
    layout: Layout = "file",
    keys: Collection[str] = (),
    room_of: RoomOf = np.empty,
) -> tuple[str, dict[str, Any]]:
    """Name and content of the combined raw source, u2, zeros where a module is missing.

    AGIPD in file layout: image.data (pulse, module, 2, slow, fast) with signal and gain level; live: image.data
    and image.gain, each (pulse, module, slow, fast), as image.data is of LPD and DSSC. Online axes: (module, fast,
    slow, pulse), and in file layout (module, fast, slow, 2, pulse).
    keys  those that are wanted; none named: all
    """
    first = next(iter(matched.modules.values()))
    content: dict[str, Any] = {
        **_common(matched, first),
        "image.passport": [],
        "sources": [f"{detector}/DET/{module}CH0:xtdf" for module in sorted(matched.modules)],
        "modulesPresent": [module in matched.modules for module in range(modules)],
    }
    for key, plane in _raw_images(first, layout).items():
        if _wanted(key, keys):
            images = {module: part.data[:, plane] for module, part in matched.modules.items()}
            content[key] = _stacked(images, modules, 0, online_axes, room_of)
    return f"{detector}/CAL/APPEND_RAW", _chosen(content, keys)


def _raw_images(train: ModuleTrain, layout: Layout) -> dict[str, int | slice]:
    """Keys of the images of a raw train, and which planes of the data they are."""
    if train.data.shape[1] == 1:
        return {"image.data": 0}
    return {"image.data": slice(None)} if layout == "file" else {"image.data": 0, "image.gain": 1}


def _stacked(
    images: Mapping[int, NDArray[Any]], modules: int, missing: float, online_axes: bool, room_of: RoomOf
) -> NDArray[Any]:
    """Images of modules, each (pulse, …, slow, fast), in one array; each is copied once, to where it stays.

    C-contiguous: (pulse, module, …, slow, fast), or with online axes (module, fast, slow, …, pulse).
    """
    one = next(iter(images.values()))
    shape = (len(one), modules, *one.shape[1:])
    if not online_axes:
        stacked = room_of(shape, one.dtype)
        for module in range(modules):
            stacked[:, module] = images.get(module, missing)
        return stacked
    order = (1, *range(len(shape) - 1, 1, -1), 0)
    online = room_of(tuple(shape[axis] for axis in order), one.dtype)
    for module, place in enumerate(online):
        if module in images:
            _turn(images[module], place.transpose())
        else:
            place[...] = missing
    return online


def _turn(images: NDArray[Any], place: NDArray[Any]) -> None:
    """Copy between arrays of one shape (pulse, …, slow, fast) whose memory is in opposite orders."""
    for pulse in range(0, len(images), PULSES_AT_ONCE):
        for row in range(0, images.shape[-2], ROWS_AT_ONCE):
            some = slice(pulse, pulse + PULSES_AT_ONCE), ..., slice(row, row + ROWS_AT_ONCE), slice(None)
            place[some] = images[some]


def _common(matched: MatchedTrain[Any], first: CorrectedModule | ModuleTrain) -> dict[str, Any]:
    return {
        "image.cellId": first.cell_id.copy(),
        "image.pulseId": first.pulse_id.copy(),
        "image.trainId": np.full(len(first.pulse_id), matched.train_id, np.uint64),
    }


def _wanted(key: str, keys: Collection[str]) -> bool:
    return not keys or key in keys


def _chosen(content: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if _wanted(key, keys)}


def raw_source(
    detector: str,
    train: ModuleTrain,
    layout: Layout = "file",
    *,
    keys: Collection[str] = (),
    room_of: RoomOf = np.empty,
) -> tuple[str, dict[str, Any]]:
    """Name and content of one module's raw source, copied out of the receive slot.

    image.data is as in files, (pulse, planes, slow, fast); AGIPD in live layout has image.data and image.gain, each
    (pulse, slow, fast).
    keys  those that are wanted; none named: all
    """
    pulses = len(train.data)
    content: dict[str, Any] = {
        "image.cellId": train.cell_id.copy(),
        "image.pulseId": train.pulse_id.copy(),
        "image.status": train.status.copy(),
        "image.length": train.length.copy(),
        "image.trainId": np.full(pulses, train.train_id, np.uint64),
        "detector.data": train.detector.copy(),
        "header.magicNumberBegin": np.frombuffer(train.header, "i1", 8, 0),
        "header.majorTrainFormatVersion": int.from_bytes(train.header[8:12], "little"),
        "header.minorTrainFormatVersion": int.from_bytes(train.header[12:16], "little"),
        "header.trainId": train.train_id,
        "header.dataId": int.from_bytes(train.header[24:32], "little"),
        "header.linkId": int.from_bytes(train.header[32:40], "little"),
        "header.pulseCount": pulses,
        "trailer.checksum": np.frombuffer(train.trailer, "i1", 16, 0),
        "trailer.status": int.from_bytes(train.trailer[16:24], "little"),
        "trailer.magicNumberEnd": np.frombuffer(train.trailer, "i1", 8, 24),
        "trailer.trainId": train.train_id,
    }
    planes = {"image.data": slice(None)} if train.data.shape[1] == 1 else _raw_images(train, layout)
    for key, plane in planes.items():
        if _wanted(key, keys):
            images = train.data[:, plane]
            content[key] = room_of(images.shape, images.dtype)
            content[key][...] = images
    return f"{detector}/DET/{train.module}CH0:xtdf", _chosen(content, keys)
