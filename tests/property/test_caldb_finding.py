"""What the database finds, against the rules of `matching` applied to everything in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select

from sim.caldb.conditions import create_condition, find_expected, find_possible
from sim.caldb.config import DetectorTable
from sim.caldb.fields import Invalid
from sim.caldb.finding import Moment
from sim.caldb.matching import Given, Stored, Strategy, by_closeness, choose, expected, possible
from sim.caldb.opening import open_engine
from sim.caldb.seeding import seed
from sim.caldb.seeds import DETECTOR_UUID, MEMORY_CELL_ORDER
from sim.caldb.store import create
from sim.caldb.tables import CONSTANTS, VERSIONS
from sim.caldb.units import float_uuid, units_of_detector
from sim.caldb.versions import Candidate, by_detector_conditions, candidates, choose_version, closest

UNITS = 3
numbers = st.sampled_from([-1.0, -0.0, 0.0, 1.0, 1.5, 2.0, 1.7e308])
deviations = st.sampled_from([0.0, 0.5, 1.0, 1.7e308])


@st.composite
def parameters(draw: st.DrawFn) -> dict[int, Given]:
    """Few parameters with few values, so that much of it fits."""
    request = {}
    for number in draw(st.sets(st.sampled_from([2, 3, DETECTOR_UUID, MEMORY_CELL_ORDER]), max_size=3)):
        if number == MEMORY_CELL_ORDER:
            request[number] = Given(
                number, 0.0, draw(st.sampled_from(["", "8,", "8,24,", "8,2", "%,", "ä,24,", "ä"]))
            )
        elif number == DETECTOR_UUID:
            request[number] = Given(number, float_uuid(draw(st.integers(1_100_001, 1_100_004))) or 0.0)
        else:
            request[number] = Given(number, draw(numbers), None, draw(deviations), draw(deviations))
    return request


@dataclass(frozen=True)
class Version:
    constant: int
    unit: int
    begin: int
    created: int
    end: int | None
    deployed: bool
    good: bool


versions = st.builds(
    Version,
    st.integers(0, 5),
    st.integers(1, UNITS),
    st.integers(0, 12),
    st.integers(0, 12),
    st.none() | st.integers(0, 12),
    st.booleans() | st.just(True),
    st.just(True),
)


@pytest.fixture
def engine(caldb_database: str) -> Iterator[Engine]:
    opened = open_engine(caldb_database)
    with opened.begin() as db:
        seed(db, [DetectorTable(identifier="SPB_DET_AGIPD1M-1", modules=UNITS)], 0)
    yield opened
    opened.dispose()


def stored(request: Mapping[int, Given]) -> list[Stored]:
    return [Stored(g.parameter_id, g.value, g.text, g.lower, g.upper) for g in request.values()]


def fill(db: Connection, conditions: list[dict[int, Given]]) -> dict[int, list[Stored]]:
    """Store conditions; those that are equal to one before are left out, as in the catalogue."""
    rows: dict[int, list[Stored]] = {}
    for number, request in enumerate(conditions):
        if not find_expected(db, request, 0):
            rows[create_condition(db, {"name": f"c{number}"}, request, number)["id"]] = stored(request)
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parameters(), max_size=8), parameters(), st.integers(0, 8))
def test_conditions_are_those_that_the_rules_name(
    engine: Engine, conditions: list[dict[int, Given]], request_: dict[int, Given], event: int
) -> None:
    with engine.connect() as db:
        rows = fill(db, conditions)
        for find, fits in ((find_expected, expected), (find_possible, possible)):
            found = find(db, request_, event)
            assert {row["id"] for row in found} == {i for i, s in rows.items() if fits(s, request_)}
            distances = [abs(row["created_at"] - event) for row in found]
            assert distances == sorted(distances)
        db.rollback()


def chosen_by_the_rules(
    db: Connection,
    conditions: dict[int, list[Stored]],
    request: dict[int, Given],
    moment: Moment,
    strategy: Strategy,
) -> list[int]:
    """The ids that a lookup must return, worked out from everything that there is."""
    constants = {row["id"]: row for row in db.execute(select(CONSTANTS)).mappings()}
    found = []
    for unit in units_of_detector(db, 1, 0):
        for calibration in (1, 2):
            fitting = []
            for row in db.execute(select(VERSIONS).order_by(VERSIONS.c.id)).mappings():
                constant = constants[row["calibration_constant_id"]]
                parameters_of = conditions[constant["condition_id"]]
                owner = [s.value for s in parameters_of if s.parameter_id == DETECTOR_UUID]
                if DETECTOR_UUID not in request:
                    parameters_of = [s for s in parameters_of if s.parameter_id != DETECTOR_UUID]
                ended = row["end_validity_at"] is not None and row["end_validity_at"] < moment.event_at
                if (
                    row["physical_detector_unit_id"] == unit["id"]
                    and constant["calibration_id"] == calibration
                    and possible(parameters_of, request)
                    and owner in ([], [float_uuid(unit["uuid"])])
                    and row["flg_deployed"]
                    and row["flg_good_quality"]
                    and row["created_at"] <= moment.snapshot_at
                    and not ended
                ):
                    fitting.append(Candidate(dict(row)))
            one = choose(fitting, moment.event_at, strategy)
            found += [] if one is None else [one.id]
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(parameters(), min_size=1, max_size=4),
    st.lists(versions, max_size=25, unique_by=lambda v: (v.constant, v.unit, v.begin)),
    parameters() | st.none(),
    st.integers(0, 12),
    st.integers(0, 12),
    st.sampled_from(["prior", "closest"]),
)
def test_a_lookup_returns_what_the_rules_choose(
    engine: Engine,
    conditions: list[dict[int, Given]],
    history: list[Version],
    other: dict[int, Given] | None,
    event: int,
    snapshot: int,
    strategy: Strategy,
) -> None:
    moment = Moment(event, snapshot)
    with engine.connect() as db:
        rows = fill(db, conditions)
        made = [
            create(
                db,
                CONSTANTS,
                {"name": f"k{c}/{k}", "detector_type_id": 2, "calibration_id": k, "condition_id": c},
                0,
            )["id"]
            for c in rows
            for k in (1, 2)
        ]
        taken: set[tuple[Any, ...]] = set()
        for v in history:
            key = (made[v.constant % len(made)], v.unit, v.begin)
            if key not in taken:
                taken.add(key)
                db.execute(insert(VERSIONS).values(**row_of(v, key[0])))
        request = conditions[0] if other is None else other
        units = units_of_detector(db, 1, 0)
        found = by_detector_conditions(db, units, [1, 2], request, moment, strategy)
        assert [row["id"] for row in found] == chosen_by_the_rules(db, rows, request, moment, strategy)
        every = candidates(db, made[:3], [1], moment)
        one = choose_version(db, made[:3], [1], moment, strategy)
        best = choose(every, event, strategy)
        assert (one and one["id"]) == (best and best.id)
        assert [row["id"] for row in closest(every, moment)] == [c.id for c in by_closeness(every, event)]
        db.rollback()


def row_of(v: Version, constant_id: int) -> dict[str, Any]:
    return {
        "name": "v",
        "file_name": "f",
        "path_to_file": "p",
        "data_set_name": "d",
        "calibration_constant_id": constant_id,
        "physical_detector_unit_id": v.unit,
        "begin_at": v.begin,
        "created_at": v.created,
        "end_validity_at": v.end,
        "flg_deployed": v.deployed,
        "flg_good_quality": v.good,
    }


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parameters().filter(bool))
def test_equal_conditions_are_one_and_other_deviations_are_another(
    engine: Engine, request_: dict[int, Given]
) -> None:
    with engine.connect() as db:
        first = create_condition(db, {"name": "a"}, request_, 0)
        turned = dict(reversed(request_.items()))
        assert [row["id"] for row in find_expected(db, turned, 0)] == [first["id"]]
        number = next(iter(request_))
        wider = {**request_, number: replace(request_[number], upper=request_[number].upper + 0.25)}
        assert find_expected(db, wider, 0) == [] or wider[number].upper == request_[number].upper
        with pytest.raises(Invalid, match="already been taken"):
            create_condition(db, {"name": "a"}, wider, 0)
        db.rollback()
