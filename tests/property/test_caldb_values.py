"""Times and fields of the catalogue: what comes in goes out again, and nothing that comes in does harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.caldb.calls import BodyMalformed, read_body
from sim.caldb.fields import Invalid, read_fields, read_value
from sim.caldb.tables import CONSTANTS, PARAMETERS, VERSIONS
from sim.caldb.times import format_time, parse_time, version_name

offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1972, 1, 1), datetime(2198, 1, 1), timezones=offsets)  # noqa: DTZ001 (hypothesis wants naive bounds)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(times)
def test_a_time_comes_back_to_the_millisecond(at: datetime) -> None:
    ms = parse_time(at.isoformat())
    shown = format_time(ms)
    assert shown is not None
    assert datetime.fromisoformat(shown) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert timedelta(0) <= at - datetime.fromisoformat(shown) < timedelta(milliseconds=1)
    assert parse_time(shown) == ms


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2024-02-29T09:15:00Z", "2024-02-29T10:15:00.000+01:00"),
        ("2022-09-02T07:42:33.000+02:00", "2022-09-02T07:42:33.000+02:00"),
        ("2022-09-02T07:42:33.000 02:00", "2022-09-02T07:42:33.000+02:00"),
        ("2024-07-01 12:00", "2024-07-01T12:00:00.000+02:00"),
        ("2024-01-01", "2024-01-01T00:00:00.000+01:00"),
    ],
)
def test_times_are_shown_in_berlin(text: str, shown: str) -> None:
    assert format_time(parse_time(text)) == shown


def test_a_version_is_named_after_its_begin() -> None:
    assert version_name(parse_time("2024-02-29T10:15:00+01:00"), 0) == "20240229_101500_sIdx=0"


@given(st.text())
def test_no_text_is_worse_than_no_time(text: str) -> None:
    try:
        parse_time(text)
    except ValueError as error:
        words = str(error)
    else:
        words = "a time"
    assert words


@given(st.sampled_from(["text", "integer", "number", "flag", "time"]), junk)
def test_a_value_is_read_or_refused_with_words(kind: str, value: object) -> None:
    try:
        read = read_value(kind, value)
    except ValueError as error:
        read = str(error)
        refused = True
    else:
        refused = False
    assert read is None or isinstance(read, (str, int, float, bool))
    assert read or not refused


@given(
    st.sampled_from([PARAMETERS, VERSIONS, CONSTANTS]),
    st.dictionaries(
        st.sampled_from(sorted({c.name for c in VERSIONS.c} | {c.name for c in PARAMETERS.c})), junk
    ),
    st.booleans(),
)
def test_fields_are_read_or_all_that_is_wrong_is_named(table: object, body: dict, partial: bool) -> None:
    wrong: dict[str, list[str]] = {}
    values: dict[str, object] = {}
    try:
        values = read_fields(table, body, partial=partial)  # type: ignore[arg-type]
    except Invalid as error:
        wrong = error.info
    assert not {"id", "created_at"} & set(values)
    assert all(wrong.values()), "each field that is wrong has a message"
    assert partial or values or wrong


@given(st.binary())
def test_a_body_is_an_object_or_refused(raw: bytes) -> None:
    try:
        read: object = read_body(raw)
    except BodyMalformed as error:
        read = {"refused": str(error)}
    assert isinstance(read, dict)
    assert "body" in read.get("refused", "body")


@pytest.mark.parametrize("raw", [b'{"a": NaN}', b'{"a": Infinity}', b"[" * 200_000, b"1"])
def test_json_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(BodyMalformed):
        read_body(raw)


def test_names_are_bounded_and_needed() -> None:
    with pytest.raises(Invalid) as long:
        read_fields(PARAMETERS, {"name": "x" * 61})
    assert long.value.info == {"name": ["is too long (maximum is 60 characters)"]}
    with pytest.raises(Invalid) as absent:
        read_fields(PARAMETERS, {})
    assert absent.value.info == {"name": ["can't be blank"]}
