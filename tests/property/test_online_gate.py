"""The gate: whole trains, one decision for each, every part accounted for, recovery after easing."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.online.gate import Gate

ARRIVALS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["come", "leave", "anew"])), max_size=160)


@given(ARRIVALS, st.sampled_from(["block", "shed"]), st.integers(1, 6), st.integers(0, 5))
def test_modules_of_a_train_share_one_decision_and_nothing_is_unaccounted(
    arrivals: list[tuple[int, str]], policy: str, high: int, low: int
) -> None:
    now = [0.0]
    gate = Gate(policy, high, min(low, high - 1), now=lambda: now[0])  # type: ignore[arg-type]
    decided: dict[int, bool] = {}
    inside: Counter[int] = Counter()
    for train_id, what in arrivals:
        if what == "come":
            passes = gate.admit(train_id)
            assert decided.setdefault(train_id, passes) == passes
            inside[train_id] += passes
        elif what == "leave" and inside[train_id]:
            inside[train_id] -= 1
            gate.left(train_id)
        elif what == "anew":
            gate.begin_anew()  # what was decided a moment ago still holds
            now[0] += 2
            gate.begin_anew()
            decided.clear()
        counted = gate.accounting()
        assert counted["seen"] == counted["admitted"] + counted["shed"]
        assert counted["parts_admitted"] == counted["parts_left"] + gate.parts_in_work
        assert gate.parts_in_work == inside.total()
        assert counted["in_work"] == sum(1 for parts in inside.values() if parts)
        assert policy == "shed" or counted["shed"] == 0
    for train_id, parts in inside.items():
        for _ in range(parts):
            gate.left(train_id)
    assert gate.in_work == 0
    assert not gate.decoupled  # nothing in work never holds the gate shut


def test_refusing_begins_at_the_high_mark_and_ends_at_the_low_one() -> None:
    gate = Gate("shed", 3, 1)
    assert [gate.admit(train) for train in range(5)] == [True, True, True, False, False]
    assert gate.decoupled
    gate.left(0)
    assert not gate.admit(5)
    gate.left(1)
    assert not gate.decoupled
    assert gate.admit(6)
    assert gate.accounting()["shed"] == 3


def test_a_part_that_comes_after_its_train_left_is_in_work_until_it_leaves_too() -> None:
    gate = Gate("shed", 8, 4)
    gate.admit(1)
    gate.left(1)
    assert gate.in_work == 0
    gate.admit(1)
    assert gate.in_work == 1
    gate.left(1)
    assert gate.accounting()["admitted"] == 1


def test_blocking_lets_all_pass_and_still_says_that_it_is_too_much() -> None:
    gate = Gate("block", 2, 0)
    assert all(gate.admit(train) for train in range(5))
    assert gate.decoupled
    assert gate.oldest_s >= 0


def test_trains_that_only_wait_for_a_missing_module_are_no_load() -> None:
    waiting = [0]
    gate = Gate("shed", 3, 1, lambda: waiting[0])
    for train in range(8):
        assert gate.admit(train)
        waiting[0] += 1  # its other modules went through the correction and wait
    assert not gate.decoupled
    waiting[0] = 0
    assert gate.admit(8) is False
