"""Golden bytes of the remotes' messages.

Origin: assembled by hand, byte by byte, from the tables of docs/caldb-remotes.md and the MessagePack specification
(fixmap 80-8f, fixarray 90-9f, fixstr a0-bf, str8 d9, nil c0, false c2, true c3, float64 cb, positive fixint 00-7f).
No encoder of ours made them; both sides must read them, and write them in this order.
"""

from __future__ import annotations

import pytest

from pipeline.constants.remotes.messages import read_answer, read_conditions, read_described, request_header
from sim.caldb.remotes.fields import Refusal
from sim.caldb.remotes.messages import (
    Answer,
    Fetch,
    Lookup,
    Search,
    answer_frames,
    read_request,
    refusal_frames,
)

SCHEMA = bytes.fromhex("a6") + b"schema" + bytes.fromhex("b8") + b"stellwerk-caldb-remote/1"
ID_7 = bytes.fromhex("a2") + b"id" + bytes.fromhex("07")

SEARCH = (
    bytes.fromhex("88") + SCHEMA + ID_7
    + bytes.fromhex("a9") + b"operation" + bytes.fromhex("a6") + b"search"
    + bytes.fromhex("a8") + b"detector" + bytes.fromhex("b1") + b"SPB_DET_AGIPD1M-1"
    + bytes.fromhex("ac") + b"calibrations" + bytes.fromhex("91 a6") + b"Offset"
    + bytes.fromhex("aa") + b"parameters" + bytes.fromhex("81 ac") + b"Memory cells"
    + bytes.fromhex("cb 4010000000000000")
    + bytes.fromhex("a8") + b"event_at" + bytes.fromhex("b9") + b"2026-01-15T08:00:00+00:00"
    + bytes.fromhex("a8") + b"strategy" + bytes.fromhex("a5") + b"prior"
)  # fmt: skip
FETCH = (
    bytes.fromhex("85") + SCHEMA + ID_7
    + bytes.fromhex("a9") + b"operation" + bytes.fromhex("a5") + b"fetch"
    + bytes.fromhex("aa") + b"version_id" + bytes.fromhex("0c")
    + bytes.fromhex("a9") + b"meta_only" + bytes.fromhex("c3")
)  # fmt: skip
REFUSED = (
    bytes.fromhex("85") + SCHEMA + ID_7
    + bytes.fromhex("a6") + b"remote" + bytes.fromhex("bc") + b"MAX_WEB_DATA/DM/CAL_REMOTE_5"
    + bytes.fromhex("a2") + b"ok" + bytes.fromhex("c2")
    + bytes.fromhex("a5") + b"error" + bytes.fromhex("82")
    + bytes.fromhex("a4") + b"kind" + bytes.fromhex("a4") + b"busy"
    + bytes.fromhex("a7") + b"message" + bytes.fromhex("d9 20") + b"Resource temporarily unavailable"
)  # fmt: skip
ANSWERED = (
    bytes.fromhex("87") + SCHEMA + ID_7
    + bytes.fromhex("a6") + b"remote" + bytes.fromhex("bc") + b"MAX_WEB_DATA/DM/CAL_REMOTE_5"
    + bytes.fromhex("a2") + b"ok" + bytes.fromhex("c3")
    + bytes.fromhex("aa") + b"conditions" + bytes.fromhex("91 84")
    + bytes.fromhex("a4") + b"name" + bytes.fromhex("ac") + b"Memory cells"
    + bytes.fromhex("a5") + b"value" + bytes.fromhex("cb 4010000000000000")
    + bytes.fromhex("a5") + b"lower" + bytes.fromhex("cb 0000000000000000")
    + bytes.fromhex("a5") + b"upper" + bytes.fromhex("cb 3ff0000000000000")
    + bytes.fromhex("a9") + b"meta_only" + bytes.fromhex("c2")
    + bytes.fromhex("a5") + b"array" + bytes.fromhex("84")
    + bytes.fromhex("a5") + b"dtype" + bytes.fromhex("a3") + b"<f4"
    + bytes.fromhex("a5") + b"shape" + bytes.fromhex("92 01 02")
    + bytes.fromhex("a4") + b"dims" + bytes.fromhex("92 a4") + b"cell" + bytes.fromhex("a4") + b"gain"
    + bytes.fromhex("a6") + b"sha256" + bytes.fromhex("a4") + b"beef"
)  # fmt: skip
DATA = bytes.fromhex("0000803f 000000c0")
"""1.0 and -2.0, little endian."""


def test_a_search_is_read_and_written() -> None:
    request = read_request([SEARCH])
    lookup = Lookup(
        "SPB_DET_AGIPD1M-1", (), ("Offset",), {"Memory cells": 4.0}, "2026-01-15T08:00:00+00:00", "", "prior"
    )
    assert (request.number, request.body) == (7, Search(lookup))
    fields = {
        "detector": "SPB_DET_AGIPD1M-1",
        "calibrations": ["Offset"],
        "parameters": {"Memory cells": 4.0},
        "event_at": "2026-01-15T08:00:00+00:00",
        "strategy": "prior",
    }
    assert request_header(7, "search", fields) == SEARCH


def test_a_fetch_is_read_and_written() -> None:
    assert read_request([FETCH]).body == Fetch(12, None, meta_only=True)
    assert request_header(7, "fetch", {"version_id": 12, "meta_only": True}) == FETCH


def test_a_refusal_is_read_and_written() -> None:
    answer = read_answer([memoryview(REFUSED)], 7)
    assert answer.refused is not None
    assert (answer.refused.kind, answer.refused.message) == ("busy", "Resource temporarily unavailable")
    refusal = Refusal("busy", "Resource temporarily unavailable")
    refusal.number = 7
    assert refusal_frames("MAX_WEB_DATA/DM/CAL_REMOTE_5", refusal) == [REFUSED]


def test_an_answer_is_read_and_written() -> None:
    answer = read_answer([memoryview(ANSWERED), memoryview(DATA)], 7)
    assert answer.data == DATA
    (condition,) = read_conditions(answer.content["conditions"])
    assert [condition.allows(value) for value in (3.9, 4.0, 5.0, 5.1, "4")] == [
        False,
        True,
        True,
        False,
        False,
    ]
    described = read_described(answer.content["array"])
    assert (described.dtype, described.shape, described.dims) == ("<f4", (1, 2), ("cell", "gain"))
    content = {
        "conditions": [{"name": "Memory cells", "value": 4.0, "lower": 0.0, "upper": 1.0}],
        "meta_only": False,
        "array": {"dtype": "<f4", "shape": [1, 2], "dims": ["cell", "gain"], "sha256": "beef"},
    }
    frames = answer_frames("MAX_WEB_DATA/DM/CAL_REMOTE_5", 7, Answer(content, memoryview(DATA)))
    assert frames == [ANSWERED, DATA]


@pytest.mark.parametrize("cut", range(len(FETCH)))
def test_a_cut_message_is_refused(cut: int) -> None:
    with pytest.raises(Refusal):
        read_request([FETCH[:cut]])
