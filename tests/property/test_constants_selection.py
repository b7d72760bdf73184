"""Which version is meant, and why no other: against the rules said in other words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from pipeline.constants import AgipdConditions, DsscConditions, LpdConditions, Question, Strategy
from pipeline.constants.judging import judge
from pipeline.constants.registered import Registered, StoredParameter, differences
from pipeline.constants.selection import choose

T0 = datetime(2026, 1, 15, 8, tzinfo=UTC)
RIGHT, WRONG, GENERIC, UNUSABLE = 1, 2, 3, 4
LPD = LpdConditions(memory_cells=512, memory_cell_order="8,24,40,")


def minutes(value: int) -> datetime:
    return T0 + timedelta(minutes=value)


def stored(parameters: dict[str, float | str]) -> tuple[StoredParameter, ...]:
    return tuple(StoredParameter(name, value) for name, value in parameters.items())


CONDITIONS = {
    RIGHT: stored(LPD.parameters("Offset")),
    WRONG: stored(replace(LPD, sensor_bias_voltage_v=200.0).parameters("Offset")),
    GENERIC: stored(replace(LPD, memory_cell_order="").parameters("Offset")),
}
moments = st.integers(0, 40)
versions = st.lists(
    st.builds(
        lambda number, begin, created, end, deployed, good, available, condition: Registered(
            id=number,
            calibration="Offset",
            unit_id=1,
            pdu="LPD_SIM_M100",
            uuid=0.0,
            begin_at=minutes(begin),
            created_at=minutes(created),
            end_validity_at=None if end is None else minutes(end),
            deployed=deployed,
            good_quality=good,
            available=available,
            constant_id=1,
            condition_id=condition,
            file="cal.h5",
        ),
        st.integers(1, 1000),
        moments,
        moments,
        st.none() | moments,
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([RIGHT, RIGHT, WRONG, GENERIC, UNUSABLE]),
    ),
    max_size=12,
    unique_by=lambda version: version.id,
)
questions = st.builds(
    Question,
    st.just(LPD),
    moments.map(minutes),
    st.sampled_from(get_args(Strategy)),
    st.none() | moments.map(minutes),
)


def oracle(found: list[Registered], question: Question) -> int | None:
    """The rules once more: one loop over everything, no sorting."""
    best: Registered | None = None
    for condition in (RIGHT, GENERIC):
        for version in found:
            event = question.event_at
            usable = version.deployed and version.good_quality and version.available
            seen = question.snapshot_at is None or version.created_at <= question.snapshot_at
            valid = version.end_validity_at is None or version.end_validity_at >= event
            begun = {
                "closest": True,
                "prior": version.begin_at <= event,
                "exact": version.begin_at == event,
            }[question.strategy]
            if not (version.condition_id == condition and usable and seen and valid and begun):
                continue
            if best is None or best.condition_id != condition:
                best = version if best is None else best
                continue
            ours, theirs = abs(version.begin_at - event), abs(best.begin_at - event)
            if ours < theirs or (
                ours == theirs
                and (
                    version.begin_at < best.begin_at
                    or (version.begin_at == best.begin_at and version.id > best.id)
                )
            ):
                best = version
    return None if best is None else best.id


@given(versions, questions)
def test_the_chosen_is_the_oracles_and_every_other_has_a_reason(
    found: list[Registered], question: Question
) -> None:
    judgement = judge(found, CONDITIONS, question)
    assert (None if judgement.chosen is None else judgement.chosen.id) == oracle(found, question)
    assert all(other.reasons for other in judgement.others)
    ids = [other.version.id for other in judgement.others]
    assert sorted([*ids, *([judgement.chosen.id] if judgement.chosen else [])]) == sorted(v.id for v in found)


@given(versions, questions)
def test_without_a_version_that_is_not_chosen_nothing_changes(
    found: list[Registered], question: Question
) -> None:
    judgement = judge(found, CONDITIONS, question)
    for other in judgement.others:
        rest = [version for version in found if version.id != other.version.id]
        assert judge(rest, CONDITIONS, question).chosen == judgement.chosen


@given(versions, moments.map(minutes))
def test_prior_is_the_closest_of_those_that_had_begun_and_exact_is_both(
    found: list[Registered], event: datetime
) -> None:
    begun = [version for version in found if version.begin_at <= event]
    assert choose(found, event, "prior") == choose(begun, event, "closest")
    exact = choose(found, event, "exact")
    if exact is not None:
        assert exact == choose(found, event, "prior") == choose(found, event, "closest")


numbers = st.dictionaries(
    st.sampled_from(["Sensor Bias Voltage", "Memory cells", "Gain mode", "Integration time", "Pixels X"]),
    st.integers(0, 20).map(float),
)


@given(numbers, st.data())
def test_names_are_compared_without_case(asked: dict[str, float], data: st.DataObject) -> None:
    spelled = {data.draw(st.sampled_from([str.lower, str.upper, str.title]))(n): v for n, v in asked.items()}
    assert differences(asked, stored(dict(spelled)), {}) == []


@given(numbers, numbers)
def test_each_parameter_that_differs_is_named_once(asked: dict[str, float], kept: dict[str, float]) -> None:
    found = differences(asked, stored(dict(kept)), AgipdConditions.left_out)
    differing = {name for name in asked.keys() | kept.keys() if asked.get(name) != kept.get(name)}
    assert len(found) == len(differing)
    for name in differing:
        assert any(name in sentence for sentence in found)


def test_what_is_left_out_is_spelled() -> None:
    agipd = AgipdConditions(4, 1.1)
    usual, fixed = agipd.parameters("Offset"), replace(agipd, gain_mode=2).parameters("Offset")
    assert differences(usual, stored(fixed), agipd.left_out) == [
        "Gain mode is 1, asked without it, which means 0"
    ]
    assert differences(fixed, stored(usual), agipd.left_out) == [
        "it has no Gain mode and so holds for 0, asked 1"
    ]
    (wrong,) = differences(usual, stored({**usual, "Integration time": 12.0}), agipd.left_out)
    assert "left out when it has this value" in wrong
    lpd = LpdConditions(512)
    parallel = replace(lpd, parallel_gain=True).parameters("Offset")
    (told,) = differences(lpd.parameters("Offset"), stored(parallel), lpd.left_out)
    assert told == "Parallel gain is 1, asked without it, which means 0"
    dssc = DsscConditions(400, 4.5)
    (told,) = differences(
        dssc.parameters("Offset"), stored(replace(dssc, target_gain=3).parameters("Offset")), dssc.left_out
    )
    assert told == "Target gain is 3, asked without it"


def test_deviations_and_units() -> None:
    wide = StoredParameter("Sensor Bias Voltage", 300.0, 5.0, 5.0)
    assert differences({"Sensor Bias Voltage": 305.0}, (wide,), {}) == []
    (told,) = differences({"Sensor Bias Voltage": 305.5}, (wide,), {})
    assert told == "Sensor Bias Voltage is 295 to 305, asked 305.5"
    owner = StoredParameter("Detector UUID", 7.0)
    assert differences({}, (owner,), {}, uuid=7.0) == []
    assert "another unit" in differences({}, (owner,), {}, uuid=8.0)[0]
