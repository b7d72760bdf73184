"""Karabo bridge, protocol 2.2, as bytes. No sockets.

A train is a sequence of pairs of parts; each header says what its payload is (karabo-bridge-py, serializer.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from pipeline.model import MatchedTrain, ModuleTrain

ATTOSECONDS_PER_NS: Final = 1_000_000_000
BAD_REQUEST: Final = b"Error: bad request "

Sources = Mapping[str, Mapping[str, Any]]


def serialize(sources: Sources, metadata: Mapping[str, Mapping[str, Any]]) -> list[bytes | NDArray[Any]]:
    """Parts of one train, sources in sorted order. Arrays are passed on as they are, C-contiguous."""
    parts: list[bytes | NDArray[Any]] = []
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
    matched: MatchedTrain,
    modules: int,
    *,
    online_axes: bool,
    room: NDArray[np.float32] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Name and content of the combined corrected source.

    image.data is f4, NaN where a module is missing: online axes (module, fast, slow, pulse), else file axes
    (pulse, module, slow, fast). *room* (pulse, module, slow, fast) is filled in place where its shape fits.
    """
    first = next(iter(matched.modules.values()))
    shape = (len(first.data), modules, 512, 128)
    stacked = np.empty(shape, np.float32) if room is None or room.shape != shape else room
    for module in range(modules):
        part = matched.modules.get(module)
        stacked[:, module] = np.nan if part is None else part.data
    pulses = len(first.pulse_id)
    content: dict[str, Any] = {
        "image.data": stacked.transpose(1, 3, 2, 0) if online_axes else stacked,
        "image.cellId": first.cell_id,
        "image.pulseId": first.pulse_id,
        "image.trainId": np.full(pulses, matched.train_id, np.uint64),
        "image.passport": [step for _, part in sorted(matched.modules.items()) for step in part.passport],
        "sources": [f"{detector}/CORR/{module}CH0:output" for module in sorted(matched.modules)],
        "modulesPresent": [module in matched.modules for module in range(modules)],
    }
    return f"{detector}/CAL/APPEND_CORRECTED", content


def raw_source(detector: str, train: ModuleTrain) -> tuple[str, dict[str, Any]]:
    """Name and content of one module's raw source, copied out of the receive slot."""
    pulses = len(train.data)
    content: dict[str, Any] = {
        "image.data": train.data.copy(),
        "image.cellId": train.cell_id.copy(),
        "image.pulseId": train.pulse_id.copy(),
        "image.status": train.status.copy(),
        "image.length": train.length.copy(),
        "image.trainId": np.full(pulses, train.train_id, np.uint64),
        "detector.data": train.detector.copy(),
        "header.trainId": train.train_id,
        "header.pulseCount": pulses,
    }
    return f"{detector}/DET/{train.module}CH0:xtdf", content
