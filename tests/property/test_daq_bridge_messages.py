"""Reading bridge messages: what the public serializer's layout says, from golden bytes; and whatever bytes come."""

from __future__ import annotations

import contextlib

import msgpack
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.daq.bridge_messages import parse_message
from pipeline.errors import BridgeMessageMalformed
from pipeline.online.bridge_messages import serialize, train_metadata


def test_golden_pairs_assembled_by_hand() -> None:
    """Protocol 2.2: msgpack fixmap/fixstr/uint bytes written out from the msgpack specification."""
    header = b"\x83\xa6source\xa1A\xa7content\xa7msgpack\xa8metadata\x81\xadtimestamp.tid\xcd\x01\x2c"
    values = b"\x81\xa5speed\xcb" + np.array([1.5], ">f8").tobytes()
    array_header = (
        b"\x85\xa6source\xa1A\xa7content\xa5array\xa4path\xa1x\xa5dtype\xa6uint16\xa5shape\x92\x02\x01"
    )
    found = parse_message([header, values, array_header, b"\x05\x00\x06\x00"])
    assert found["A"].train_id == 300
    assert found["A"].values == {"speed": 1.5}
    assert found["A"].arrays["x"].tolist() == [[5], [6]]


def test_both_protocols_say_the_same() -> None:
    sources = {"B": {"data": np.arange(6, dtype=np.float32).reshape(2, 3), "name": "x", "n": 4}}
    metadata = {"B": train_metadata("B", 7, 5)}
    one, two = (parse_message([bytes(p) for p in serialize(sources, metadata, v)]) for v in ("1.0", "2.2"))  # type: ignore[arg-type]
    for found in (one, two):
        assert found["B"].train_id == 7
        assert found["B"].values["n"] == 4
        assert found["B"].arrays["data"].tolist() == [[0, 1, 2], [3, 4, 5]]


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["source", "content", "path", "dtype", "shape", "metadata"])
HEADERS = st.dictionaries(
    KEYS, JSONLIKE | st.sampled_from(["A", "array", "msgpack", "uint16", "O", [2], [-1], [1 << 60]])
)
PARTS = st.lists(
    st.binary(max_size=40) | HEADERS.map(msgpack.packb) | JSONLIKE.map(msgpack.packb), max_size=8
)


@given(PARTS)
@settings(deadline=None, max_examples=300)
def test_whatever_comes_is_a_train_or_malformed(parts: list[bytes]) -> None:
    with contextlib.suppress(BridgeMessageMalformed):
        for source in parse_message(parts).values():
            assert source.train_id >= 0
