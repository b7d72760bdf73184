"""Karabo bridge, protocols 2.2 and 1.0, as bytes. No sockets.

A train is in 2.2 a sequence of pairs of parts, each header saying what its payload is, and in 1.0 one part
(karabo-bridge-py, serializer.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

import msgpack
import numpy as np
from numpy.typing import NDArray

from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain

ATTOSECONDS_PER_NS: Final = 1_000_000_000
BAD_REQUEST: Final = b"Error: bad request "

Protocol = Literal["2.2", "1.0"]
Sources = Mapping[str, Mapping[str, Any]]
Part = bytes | NDArray[Any]


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
    (pulse, module, slow, fast). *room* (pulse, module, slow, fast) is filled in place where its shape fits.
    keys  those that are wanted; none named: all
    """
    first = next(iter(matched.modules.values()))
    shape = (len(first.data), modules, *first.data.shape[1:])
    stacked = np.empty(shape, np.float32) if room is None or room.shape != shape else room
    for module in range(modules):
        part = matched.modules.get(module)
        stacked[:, module] = np.nan if part is None else part.data
    content: dict[str, Any] = {
        "image.data": stacked.transpose(1, 3, 2, 0) if online_axes else stacked,
        **_common(matched, first),
        "image.passport": [step for _, part in sorted(matched.modules.items()) for step in part.passport],
        "sources": [f"{detector}/CORR/{module}CH0:output" for module in sorted(matched.modules)],
        "modulesPresent": [module in matched.modules for module in range(modules)],
    }
    return f"{detector}/CAL/APPEND_CORRECTED", _chosen(content, keys)


def combined_raw_source(
    detector: str,
    matched: MatchedTrain[ModuleTrain],
    modules: int,
    *,
    online_axes: bool,
    layout: Literal["file", "live"] = "file",
    keys: Collection[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Name and content of the combined raw source, zeros where a module is missing.

    AGIPD in file layout: image.data (pulse, module, 2, slow, fast) with signal and gain level; live: image.data
    and image.gain, each (pulse, module, slow, fast). Online axes: (module, fast, slow, …, pulse).
    """
    first = next(iter(matched.modules.values()))
    stacked = np.zeros((len(first.data), modules, *first.data.shape[1:]), np.uint16)
    for module, part in matched.modules.items():
        stacked[:, module] = part.data
    planes = stacked.shape[2]
    images: dict[str, NDArray[Any]] = {"image.data": stacked}
    if planes == 1:
        images = {"image.data": stacked[:, :, 0]}
    elif layout == "live":
        images = {"image.data": stacked[:, :, 0], "image.gain": stacked[:, :, 1]}
    if online_axes:
        images = {key: array.transpose(1, *range(array.ndim - 1, 1, -1), 0) for key, array in images.items()}
    content: dict[str, Any] = {
        **images,
        **_common(matched, first),
        "image.passport": [],
        "sources": [f"{detector}/DET/{module}CH0:xtdf" for module in sorted(matched.modules)],
        "modulesPresent": [module in matched.modules for module in range(modules)],
    }
    return f"{detector}/CAL/APPEND_RAW", _chosen(content, keys)


def _common(matched: MatchedTrain[Any], first: CorrectedModule | ModuleTrain) -> dict[str, Any]:
    return {
        "image.cellId": first.cell_id.copy(),
        "image.pulseId": first.pulse_id.copy(),
        "image.trainId": np.full(len(first.pulse_id), matched.train_id, np.uint64),
    }


def _chosen(content: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if not keys or key in keys}


def raw_source(
    detector: str, train: ModuleTrain, layout: Literal["file", "live"] = "file"
) -> tuple[str, dict[str, Any]]:
    """Name and content of one module's raw source, copied out of the receive slot."""
    pulses = len(train.data)
    data = train.data.copy()
    images = {"image.data": data}
    if layout == "live" and data.shape[1] == 2:
        images = {"image.data": data[:, 0], "image.gain": data[:, 1]}
    content: dict[str, Any] = {
        **images,
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
    return f"{detector}/DET/{train.module}CH0:xtdf", content
