"""A train as a karabo bridge message, protocol 2.2 (karabo-bridge-py, serializer.py)."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np

from sim.control_sources.content import Sources


def message(sources: Sources, train_id: int, unix_ns: int) -> list[bytes]:
    """Pairs of header and payload, sources in sorted order; arrays after their source's values."""
    parts: list[bytes] = []
    for name in sorted(sources):
        arrays = {key: value for key, value in sources[name].items() if isinstance(value, np.ndarray)}
        values = {key: value for key, value in sources[name].items() if key not in arrays}
        parts += [_packed(_header(name, train_id, unix_ns)), _packed(values)]
        for key, array in arrays.items():
            described = {
                "source": name,
                "content": "array",
                "path": key,
                "dtype": str(array.dtype),
                "shape": list(array.shape),
            }
            parts += [_packed(described), np.ascontiguousarray(array).tobytes()]
    return parts


def _header(name: str, train_id: int, unix_ns: int) -> dict[str, Any]:
    seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
    metadata = {
        "source": name,
        "timestamp": unix_ns / 1e9,
        "timestamp.sec": str(seconds),
        "timestamp.frac": f"{rest_ns * 1_000_000_000:018d}",
        "timestamp.tid": train_id,
    }
    return {"source": name, "content": "msgpack", "metadata": metadata}


def _packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value, use_bin_type=True))
