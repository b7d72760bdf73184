"""Every fault of the streams on the wire of both, at the frame that was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.dectris.images.encode import ChunkUnreadable, decode
from sim.dectris.stream import STREAM_FAULTS

Make = Callable[..., Any]


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    found = (message.get("frame", message.get("image_id")) for message in messages)
    return [number for number in found if number is not None]


Seen = list[dict[str, Any]]
ONE: dict[str, Callable[[Seen], bool]] = {
    "drop_frame": lambda seen: numbers(seen) == [0, 1, 3],
    "duplicate_frame": lambda seen: numbers(seen) == [0, 1, 2, 2, 3],
    "reorder_frames": lambda seen: numbers(seen) == [0, 1, 3, 2],
    "wrong_series": lambda seen: [m.get("series", m.get("series_id")) for m in seen] == [4, 4, 4, 5, 4, 4],
    "corrupt_blob": lambda seen: decoded_sum(seen[3]) is None or not hash_is_right(seen[3]),
    "wrong_size": lambda seen: told_size(seen[3]) == told_size(seen[2]) + 1,
    "truncated_blob": lambda seen: decoded_sum(seen[3]) is None and len(blob_of(seen[2])) > 100,
    "wrong_hash": lambda seen: not hash_is_right(seen[3]),
    "missing_part": lambda seen: not seen[3]["data"] if "type" in seen[0] else len(seen[3]["parts"]) == 3,
    "extra_part": lambda seen: len(seen[3]["parts"]) == (2 if "type" in seen[0] else 6),
    "garbage": lambda seen: seen[3]["htype"] == "?" and numbers(seen) == [0, 1, 2, 3],
    "silent_stream": lambda seen: numbers(seen) == [0, 1, 2, 3],
    "missing_header": lambda seen: "frame" in seen[0] or "image_id" in seen[0],
    "stale_end": lambda seen: seen[0].get("series", seen[0].get("series_id")) == 3,
    "missing_end": lambda seen: len(seen) == 5,
    "late_end": lambda seen: len(seen) == 6,
}
PARAMETERS: dict[str, dict[str, float]] = {"silent_stream": {"delay_s": 0.02}, "late_end": {"delay_s": 0.02}}


def blob_of(message: dict[str, Any]) -> bytes:
    if "type" not in message:
        return bytes(message["parts"][2])
    blob: bytes = message["data"]["threshold_1"].value[1].value.value[2]
    return blob


def decoded_sum(message: dict[str, Any]) -> int | None:
    """Sum of the image, or None for one that cannot be unpacked."""
    try:
        return int(decode(blob_of(message), "bslz4", (16, 24), np.dtype("u2")).sum())
    except ChunkUnreadable:
        return None


def hash_is_right(message: dict[str, Any]) -> bool:
    """Stream 1's hash; stream 2 has none."""
    return "type" in message or hashlib.md5(message["parts"][2]).hexdigest() == message["hash"]


def told_size(message: dict[str, Any]) -> int:
    """Stream 1: the told size less the sent one, so that images compare. Stream 2: the height."""
    if "type" in message:
        return int(message["data"]["threshold_1"].value[0][0])
    return int(json.loads(message["parts"][1])["size"]) - len(message["parts"][2])


def test_each_fault_of_the_streams_has_its_row() -> None:
    assert [spec.name for spec in STREAM_FAULTS] == list(ONE)


@pytest.mark.parametrize("form", ["legacy", "cbor"])
def test_a_fault_shows_on_the_wire_once_and_at_its_frame(stream_bench: Make, form: str) -> None:
    bench = stream_bench(format=form)
    pull = bench.client("stream" if form == "legacy" else "stream2")
    for fault, shows in ONE.items():
        if (fault, form) == ("wrong_hash", "cbor"):
            continue
        of_image = "from_frame" in bench.faults.specs[fault].parameters
        frames = {"from_frame": 2} if of_image else {}
        bench.faults.switch_on(fault, times=1, **PARAMETERS.get(fault, {}), **frames)
        bench.begin(4)
        bench.take(4)
        bench.sink.end()
        seen = [bench.read(pull) for _ in range(5)] if fault == "missing_end" else bench.whole(pull)
        if fault == "stale_end":
            assert shows(seen), (fault, seen)
            seen = bench.whole(pull)
        else:
            assert shows(seen), (fault, seen)
        assert not bench.faults.active()
        assert bench.faults.struck()[fault] == 1
    assert not pull.poll(0)


def test_the_hash_tells_of_inverted_bytes(stream_bench: Make) -> None:
    bench = stream_bench()
    pull = bench.client()
    bench.faults.switch_on("corrupt_blob", times=3, from_frame=1)
    bench.begin(6)
    bench.take(6)
    bench.sink.end()
    images = bench.whole(pull)[1:-1]
    wrong = [m["frame"] for m in images if not hash_is_right(m)]
    assert wrong == [1, 2, 3]
