"""The matcher: every module part comes out once, in one train or dropped with a counted reason."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gathering import Refusal, Refused
from pipeline.model import CorrectedModule, MatchedTrain, TrainClock
from pipeline.online.matcher import Disagreement, Matcher

CLOCK = TrainClock(0, 0)


def part(train_id: int, module: int, first_pulse: int = 0) -> CorrectedModule:
    nothing = np.zeros((1, 0, 0))
    return CorrectedModule(
        module, train_id, nothing.astype("f4"), nothing.astype("u1"), nothing.astype("u4"),
        np.zeros(1, np.uint16), np.array([first_pulse], np.uint64),
    )  # fmt: skip


PARTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3), st.sampled_from([0, 0, 0, 4])), max_size=40)


@given(PARTS, st.integers(1, 4), st.integers(1, 5), st.lists(st.floats(0, 2), max_size=40))
def test_nothing_is_lost_or_doubled_and_order_holds(
    sent: list[tuple[int, int, int]], min_modules: int, max_waiting: int, pauses: list[float]
) -> None:
    matcher = Matcher(4, min_modules, 1.0, CLOCK, max_waiting)
    fed = [part(*one) for one in sent]
    out: list[MatchedTrain | Refused] = []
    now = 0.0
    for index, one in enumerate(fed):
        now += pauses[index] if index < len(pauses) else 0.0
        out += matcher.feed(one, now)
    out += matcher.flush()
    seen = [
        id(p) for item in out for p in ([item.part] if isinstance(item, Refused) else item.modules.values())
    ]
    assert sorted(seen) == sorted(id(one) for one in fed)
    trains = [item for item in out if isinstance(item, MatchedTrain)]
    assert [t.train_id for t in trains] == sorted({t.train_id for t in trains})
    assert all(len(t.modules) >= min_modules for t in trains)
    for train in trains:
        assert len({p.pulse_id.tobytes() for p in train.modules.values()}) == 1
    dropped = [item for item in out if isinstance(item, Refused)]
    for reason in (*Refusal, *Disagreement):
        assert matcher.counters[f"modules_{reason}"] == sum(d.reason is reason for d in dropped)
    assert len(matcher) == 0


def test_a_complete_train_goes_out_at_once_and_an_incomplete_one_at_its_deadline() -> None:
    matcher = Matcher(2, 1, 1.0, CLOCK)
    assert matcher.feed(part(1, 0), 0.0) == []
    assert [t.train_id for t in matcher.feed(part(1, 1), 0.1) if isinstance(t, MatchedTrain)] == [1]
    matcher.feed(part(2, 0), 1.0)
    assert matcher.due(1.9) == []
    (late,) = matcher.due(2.0)
    assert isinstance(late, MatchedTrain)
    assert list(late.modules) == [0]
    (dropped,) = matcher.feed(part(2, 1), 2.1)
    assert isinstance(dropped, Refused)
    assert dropped.reason is Refusal.LATE


def test_a_module_with_other_pulses_is_left_out() -> None:
    matcher = Matcher(3, 1, 1.0, CLOCK)
    matcher.feed(part(1, 0), 0.0)
    matcher.feed(part(1, 1, first_pulse=4), 0.0)
    differing, train = matcher.feed(part(1, 2), 0.0)
    assert isinstance(differing, Refused)
    assert differing.reason is Disagreement.PULSES_DIFFER
    assert isinstance(train, MatchedTrain)
    assert sorted(train.modules) == [0, 2]


def test_one_module_with_wrong_ids_does_not_stop_the_others() -> None:
    """Its trains run 100 ahead for a while; the other modules' trains go out as if it were missing."""
    matcher = Matcher(3, 1, 1.0, CLOCK)
    out: list[MatchedTrain[CorrectedModule] | Refused[CorrectedModule]] = []
    for train in range(1, 61):
        now = train / 10
        wrong = 10 <= train < 16
        for module in (0, 1, 2):
            out += matcher.feed(part(train + 100 if wrong and module == 0 else train, module), now)
        out += matcher.due(now)
    out += matcher.flush()
    trains = [item for item in out if isinstance(item, MatchedTrain)]
    assert [train.train_id for train in trains] == list(range(1, 61))
    assert sum(len(train.modules) for train in trains) == 3 * 60 - 6
    assert matcher.counters["modules_ahead"] == 6


def test_a_module_that_is_missing_for_long_does_not_make_the_others_look_ahead() -> None:
    matcher = Matcher(2, 1, 0.3, CLOCK)
    out: list[MatchedTrain[CorrectedModule] | Refused[CorrectedModule]] = []
    for train in range(1, 61):
        modules = (0, 1) if train < 5 or train > 50 else (0,)
        for module in modules:
            out += matcher.feed(part(train, module), train / 10)
    out += matcher.flush()
    assert [item.train_id for item in out if isinstance(item, MatchedTrain)] == list(range(1, 61))


def test_train_ids_that_begin_anew_are_followed_after_a_few() -> None:
    matcher = Matcher(2, 1, 1.0, CLOCK)
    out: list[MatchedTrain[CorrectedModule] | Refused[CorrectedModule]] = []
    for now, train in enumerate([*range(1000, 1010), *range(1, 11)]):
        for module in (0, 1):
            out += matcher.feed(part(train, module), now / 10)
    trains = [item.train_id for item in out if isinstance(item, MatchedTrain)]
    assert trains == [*range(1000, 1010), *range(4, 11)]
    assert matcher.counters["restarts"] == 1
    assert matcher.counters["modules_late"] == 6
