"""Messages of the remotes, both sides: what one writes the other reads, and no bytes break either."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.constants.remotes.messages import (
    SCHEMA,
    AnswerMalformed,
    read_answer,
    read_conditions,
    read_described,
    read_version,
    request_header,
)
from sim.caldb.remotes import messages as served
from sim.caldb.remotes.fields import Refusal
from sim.caldb.remotes.messages import (
    Answer,
    Fetch,
    Inject,
    Search,
    answer_frames,
    read_request,
    refusal_frames,
)

names = st.text(max_size=40)
numbers = st.integers(0, 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
parameters = st.dictionaries(names, finite | names, max_size=8)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "schema", "id", "operation", "remote", "ok", "error", "version", "version_id", "meta_only", "detector",
    "karabo_das", "calibrations", "parameters", "event_at", "strategy", "array", "versions", "conditions",
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(FIELDS),
    plain | st.sampled_from((SCHEMA, "search", "fetch", "inject", "status", True, 7)),
    max_size=12,
)


def test_both_sides_mean_the_same_schema() -> None:
    assert served.SCHEMA == SCHEMA


@given(numbers, names, st.lists(names, max_size=5), parameters, st.sampled_from(("prior", "closest")))
def test_a_search_arrives_as_it_was_meant(
    number: int, detector: str, calibrations: list[str], given_parameters: Any, strategy: str
) -> None:
    fields = {
        "detector": detector,
        "calibrations": calibrations,
        "parameters": given_parameters,
        "event_at": "2026-01-15T08:00:00+00:00",
        "strategy": strategy,
    }
    request = read_request([request_header(number, "search", fields)])
    assert request.number == number
    assert isinstance(request.body, Search)
    lookup = request.body.lookup
    assert (lookup.detector, lookup.calibrations) == (detector, tuple(calibrations))
    assert lookup.parameters == given_parameters
    assert (lookup.strategy, lookup.karabo_das, lookup.snapshot_at) == (strategy, (), "")


@given(numbers, st.integers(1, 2**63 - 1), st.booleans())
def test_a_fetch_arrives_as_it_was_meant(number: int, version_id: int, meta_only: bool) -> None:
    request = read_request(
        [request_header(number, "fetch", {"version_id": version_id, "meta_only": meta_only})]
    )
    assert request == served.Request(number, Fetch(version_id, None, meta_only))


@given(names, parameters, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.binary(max_size=64))
def test_an_injection_arrives_as_it_was_meant(
    calibration: str, given_parameters: Any, shape: list[int], data: bytes
) -> None:
    array = {"dtype": "<f4", "shape": shape, "dims": ["cell"] * len(shape), "sha256": "ab"}
    fields = {
        "detector": "D",
        "karabo_da": "AGIPD00",
        "calibration": calibration,
        "parameters": given_parameters,
        "begin_at": "2026-01-15T08:00:00+00:00",
        "raw_data_location": "proposal:1",
        "description": "",
        "array": array,
    }
    body = read_request([request_header(1, "inject", fields), data]).body
    assert isinstance(body, Inject)
    assert (body.calibration, body.parameters, bytes(body.data)) == (calibration, given_parameters, data)
    assert (body.array.shape, len(body.array.dims)) == (tuple(shape), len(shape))


@given(numbers, names, st.dictionaries(st.sampled_from(("versions", "version", "array")), plain), st.binary())
def test_an_answer_arrives_as_it_was_meant(number: int, remote: str, content: Any, data: bytes) -> None:
    frames = [memoryview(frame) for frame in answer_frames(remote, number, Answer(content, memoryview(data)))]
    answer = read_answer(frames, number)
    assert (answer.remote, answer.refused) == (remote, None)
    assert bytes(answer.data or b"") == data
    assert repr({name: answer.content[name] for name in content}) == repr(content), "NaN equals itself here"


@given(numbers | st.none(), names, names)
def test_a_refusal_arrives_as_it_was_meant(number: int | None, remote: str, words: str) -> None:
    refusal = Refusal("busy", words, {"sha256": "ab"})
    refusal.number = number
    answer = read_answer(
        [memoryview(f) for f in refusal_frames(remote, refusal)], 7 if number is None else number
    )
    assert answer.refused is not None
    assert (answer.refused.kind, answer.refused.message) == ("busy", words)
    assert answer.refused.details["sha256"] == "ab"


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_break_a_reader(frames: list[bytes]) -> None:
    with pytest.raises(Refusal):
        read_request(frames)
    with pytest.raises(AnswerMalformed):
        read_answer([memoryview(frame) for frame in frames], 7)


@given(headers, st.binary(max_size=9) | st.none())
def test_no_header_breaks_a_reader(header: Any, data: bytes | None) -> None:
    frames = [msgpack.packb(header)] + ([] if data is None else [data])
    try:
        request = read_request(frames)
    except Refusal as refusal:
        refusal_frames("R", refusal)
    else:
        assert header["schema"] == SCHEMA
        assert request.number == header.get("id") or request.number == 0
    try:
        answer = read_answer([memoryview(frame) for frame in frames], 7)
    except AnswerMalformed:
        return
    assert answer.content == header or header != header


@given(plain, headers)
def test_no_content_breaks_a_reader(content: Any, fields: Any) -> None:
    for read in (read_version, read_conditions, read_described):
        for given_content in (content, fields, [fields]):
            try:
                read(given_content)
            except AnswerMalformed:
                continue
            assert isinstance(given_content, list | dict)


def test_a_time_without_a_zone_is_not_believed() -> None:
    version = {
        "id": 1, "calibration": "Offset", "pdu": "P", "karabo_da": "AGIPD03", "module": None, "path": "a/b.h5",
        "begin_at": "2026-01-15T08:00:00+00:00", "created_at": "2026-01-15T08:00:00+00:00", "data_set": "/P/Offset/0",
        "raw_data_location": "", "constant_id": 1, "unit_id": 1,
    }  # fmt: skip
    assert read_version(version).begin_at == datetime(2026, 1, 15, 8, tzinfo=UTC)
    assert read_version(version).module == 3
    for spoiled in ({"begin_at": "2026-01-15T08:00:00"}, {"begin_at": "x"}, {"karabo_da": "Q"}, {"id": True}):
        with pytest.raises(AnswerMalformed):
            read_version({**version, **spoiled})
