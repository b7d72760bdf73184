"""The gate: whole trains, one decision for each, every train accounted for, recovery after easing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.online.gate import FORGOTTEN_AFTER_S, Gate


class Time:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


ARRIVALS = st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=120)


@given(ARRIVALS, st.sampled_from(["block", "shed"]), st.integers(1, 6), st.integers(0, 5))
def test_modules_of_a_train_share_one_decision_and_nothing_is_unaccounted(
    arrivals: list[tuple[int, bool]], policy: str, high: int, low: int
) -> None:
    gate = Gate(policy, high, min(low, high - 1), Time())  # type: ignore[arg-type]
    decided: dict[int, bool] = {}
    for train_id, settles in arrivals:
        passes = gate.admit(train_id)
        assert decided.setdefault(train_id, passes) == passes
        if settles:
            gate.settled(train_id)
        counted = gate.accounting()
        assert counted["seen"] == counted["admitted"] + counted["shed"] == len(decided)
        assert counted["admitted"] == counted["settled"] + counted["vanished"] + counted["in_work"]
        assert policy == "shed" or counted["shed"] == 0
        assert policy == "block" or counted["in_work"] <= high


def test_refusing_begins_at_the_high_mark_and_ends_at_the_low_one() -> None:
    gate = Gate("shed", 3, 1, Time())
    assert [gate.admit(train) for train in range(5)] == [True, True, True, False, False]
    assert gate.decoupled
    gate.settled(0)
    assert not gate.admit(5)
    gate.settled(1)
    assert not gate.decoupled
    assert gate.admit(6)
    assert gate.accounting()["shed"] == 3


def test_a_train_of_which_nothing_is_heard_does_not_hold_the_gate_shut() -> None:
    time = Time()
    gate = Gate("shed", 1, 0, time)
    assert gate.admit(1)
    assert not gate.admit(2)
    time.now_s += FORGOTTEN_AFTER_S + 1
    assert gate.admit(3)
    assert gate.accounting()["vanished"] == 1


def test_blocking_lets_all_pass_and_still_says_that_it_is_too_much() -> None:
    gate = Gate("block", 2, 0, Time())
    assert all(gate.admit(train) for train in range(5))
    assert gate.decoupled
    assert gate.oldest_s == 0
