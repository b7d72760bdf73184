"""Read trains as a karabo bridge sends them, protocols 2.2 and 1.0. Pure: message parts in, values out.

Layout: karabo-bridge-py, serializer.py and client.py. A message comes from the network: whatever its bytes are, reading
it ends in a train or in BridgeMessageMalformed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import BridgeMessageMalformed

MAX_PARTS: Final = 4096
MAX_SOURCES: Final = 512
MAX_DIMENSIONS: Final = 8
PLAIN: Final = (bool, int, float, str, list)


@dataclass(slots=True)
class BridgeSource:
    """What one source brought in a train."""

    metadata: Mapping[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    """By key, e.g. `image.data`; views of the message."""
    values: dict[str, Any] = field(default_factory=dict)
    """Everything that is no array."""

    @property
    def train_id(self) -> int:
        """Train id of the metadata; 0 where there is none."""
        tid = self.metadata.get("timestamp.tid", 0)
        return tid if isinstance(tid, int) and not isinstance(tid, bool) and tid >= 0 else 0


def parse_message(parts: Sequence[bytes | memoryview]) -> dict[str, BridgeSource]:
    """The sources of one train by name. Raises BridgeMessageMalformed."""
    if len(parts) > MAX_PARTS:
        raise BridgeMessageMalformed(f"a message of {len(parts)} parts")
    return _protocol_1(parts[0]) if len(parts) == 1 else _protocol_2(parts)


def _protocol_2(parts: Sequence[bytes | memoryview]) -> dict[str, BridgeSource]:
    if len(parts) % 2 or not parts:
        raise BridgeMessageMalformed(f"{len(parts)} parts are not pairs of header and payload")
    sources: dict[str, BridgeSource] = {}
    for header_part, payload in zip(parts[::2], parts[1::2], strict=True):
        header = _unpacked(header_part)
        name, content = header.get("source"), header.get("content")
        if not isinstance(name, str):
            raise BridgeMessageMalformed("a header without the name of its source")
        if content == "msgpack":
            metadata = header.get("metadata")
            sources[name] = BridgeSource(metadata if isinstance(metadata, dict) else {})
            sources[name].values.update(_plain(_unpacked(payload)))
        elif content == "array" and name in sources and isinstance(header.get("path"), str):
            sources[name].arrays[header["path"]] = _array(payload, header.get("dtype"), header.get("shape"))
        else:
            raise BridgeMessageMalformed(f"content {content!r} of source {name!r} at this place")
        if len(sources) > MAX_SOURCES:
            raise BridgeMessageMalformed(f"more than {MAX_SOURCES} sources")
    return sources


def _protocol_1(part: bytes | memoryview) -> dict[str, BridgeSource]:
    content = _unpacked(part)
    sources: dict[str, BridgeSource] = {}
    for name, values in content.items():
        if not isinstance(name, str) or not isinstance(values, dict) or len(sources) >= MAX_SOURCES:
            raise BridgeMessageMalformed("a single part that is no dictionary of sources")
        metadata = values.get("metadata")
        source = sources[name] = BridgeSource(metadata if isinstance(metadata, dict) else {})
        for key, value in values.items():
            if isinstance(value, dict) and value.get(b"nd") is True:
                source.arrays[str(key)] = _array(value.get(b"data"), value.get(b"type"), value.get(b"shape"))
        source.values.update(_plain(values))
    return sources


def _unpacked(part: bytes | memoryview) -> dict[Any, Any]:
    try:
        value = msgpack.unpackb(part, raw=False, strict_map_key=False)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise BridgeMessageMalformed(f"a part that is no msgpack ({error})") from None
    if not isinstance(value, dict):
        raise BridgeMessageMalformed(f"a part that holds {type(value).__name__}, not a dictionary")
    return value


def _plain(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if isinstance(key, str) and isinstance(value, PLAIN)}


def _array(payload: Any, dtype: Any, shape: Any) -> NDArray[Any]:
    if isinstance(dtype, bytes):
        dtype = dtype.decode("ascii", "replace")
    try:
        kind = np.dtype(dtype)
        extents = tuple(int(extent) for extent in shape)
        if kind.kind not in "biufc" or len(extents) > MAX_DIMENSIONS or any(extent < 0 for extent in extents):
            raise ValueError(f"dtype {dtype!r}, shape {shape!r}")
        flat = np.frombuffer(payload, kind)
        if flat.size != math.prod(extents):
            raise ValueError(f"{flat.size} values for shape {extents}")
        return flat.reshape(extents)
    except (OverflowError, SyntaxError, TypeError, ValueError) as error:
        raise BridgeMessageMalformed(f"an array that is none ({error})") from None
