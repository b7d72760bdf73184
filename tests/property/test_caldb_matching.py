"""Matching of conditions and choice of versions, against the rules said in other words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from sim.caldb.matching import Given, Stored, by_closeness, choose, expected, possible

numbers = st.integers(-1000, 1000).map(float)
deviations = st.integers(0, 20).map(float)
conditions = st.lists(
    st.builds(Stored, st.integers(1, 30), numbers, st.none(), deviations, deviations),
    max_size=8,
    unique_by=lambda stored: stored.parameter_id,
)


@dataclass(frozen=True)
class Version:
    id: int
    begin_at: int


versions = st.lists(
    st.builds(Version, st.integers(1, 10_000), st.integers(0, 200)), max_size=20, unique_by=lambda v: v.id
)


def asked(stored: list[Stored], **change: float) -> dict[int, Given]:
    return {
        s.parameter_id: replace(Given(s.parameter_id, s.value, s.text, s.lower, s.upper), **change)  # type: ignore[arg-type]
        for s in stored
    }


@given(conditions)
def test_a_condition_fits_what_made_it(stored: list[Stored]) -> None:
    assert expected(stored, asked(stored))
    assert possible(stored, asked(stored))


@given(conditions, st.data())
def test_deviations_include_their_ends_and_nothing_beyond(stored: list[Stored], data: st.DataObject) -> None:
    request = asked(stored)
    for parameter in stored:
        inside = data.draw(st.sampled_from([-parameter.lower, 0.0, parameter.upper]))
        name = parameter.parameter_id
        moved = {**request, name: replace(request[name], value=parameter.value + inside)}
        assert possible(stored, moved)
        below = {**request, name: replace(request[name], value=parameter.value - parameter.lower - 0.5)}
        above = {**request, name: replace(request[name], value=parameter.value + parameter.upper + 0.5)}
        assert not possible(stored, below)
        assert not possible(stored, above)


@given(conditions.filter(bool), st.integers(31, 40))
def test_the_set_of_parameters_must_be_the_same(stored: list[Stored], other: int) -> None:
    request = asked(stored)
    more = {**request, other: Given(other, 0.0)}
    fewer = dict(list(request.items())[1:])
    for wrong in (more, fewer):
        assert not possible(stored, wrong)
        assert not expected(stored, wrong)


@given(conditions.filter(bool))
def test_the_same_values_with_other_deviations_are_another_condition(stored: list[Stored]) -> None:
    request = asked(stored)
    first = next(iter(request))
    wider = {**request, first: replace(request[first], upper=request[first].upper + 1)}
    assert possible(stored, wider)
    assert not expected(stored, wider)


def test_the_stored_text_must_begin_as_the_requested_one() -> None:
    order = Stored(30, 0.0, "8,24,40,", 0.0, 0.0)
    assert possible([order], {30: Given(30, 0.0, "8,24,40,")})
    assert possible([order], {30: Given(30, 0.0, "8,24,")})
    assert not expected([order], {30: Given(30, 0.0, "8,24,")})
    for other in ("", "24,40,", "8,24,40,56,", "8,24,4,"):
        assert not possible([order], {30: Given(30, 0.0, other)})
    assert not possible([order], {30: Given(30, 0.0)})


@given(versions, st.integers(0, 200))
def test_prior_is_the_latest_that_had_begun(found: list[Version], event: int) -> None:
    begun = [v.begin_at for v in found if v.begin_at <= event]
    chosen = choose(found, event, "prior")
    assert (chosen.begin_at if chosen else None) == (max(begun) if begun else None)


@given(versions, st.integers(0, 200))
def test_closest_has_no_closer_one_and_of_equals_is_the_earlier_then_newer(
    found: list[Version], event: int
) -> None:
    chosen = choose(found, event, "closest")
    assert (chosen is None) == (not found)
    for other in found:
        assert chosen is not None
        ours, theirs = abs(chosen.begin_at - event), abs(other.begin_at - event)
        assert ours <= theirs
        if ours == theirs:
            assert (chosen.begin_at, -chosen.id) <= (other.begin_at, -other.id)


@given(versions, st.integers(0, 200))
def test_all_versions_come_in_the_order_of_closeness(found: list[Version], event: int) -> None:
    distances = [abs(v.begin_at - event) for v in by_closeness(found, event)]
    assert distances == sorted(distances)
    assert len(distances) == len(found)
