"""Script, ledger and verdict of a soak: what passes, and what must not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from fat.soak.command import seconds_of
from fat.soak.ledger import Book, Counted, Ledger, reasons_for
from fat.soak.script import draw_script
from fat.soak.verdict import Sample, growth_of, judge, longest_silence_s

FAULTS = {
    "drop_packets": {"module": -1, "fraction": 0.01},
    "module_missing": {"module": 0},
    "unasked_train": {},
}


def sample(at_s: float, out: int, memory: float = 500.0, sending: bool = True) -> Sample:
    return Sample(at_s, out, 10.0, 40.0, 20.0, 40.0, {"pipeline": memory}, 100, sending)


def steady(seconds: int = 600, slope_mb_per_s: float = 0.0) -> list[Sample]:
    return [sample(float(t), 10 * t, 500 + slope_mb_per_s * t) for t in range(seconds)]


def good() -> Ledger:
    ledger = Ledger()
    assert ledger.acquisition.enter(100, 97, {"trains_unusable": 3}) == 0
    return ledger


def test_a_good_soak_passes_and_says_so() -> None:
    verdict = judge(steady(), good(), 600)
    assert verdict.passed
    assert verdict.sentences[0] == "100 module trains sent, 3 lost, each with a reason"


def test_a_loss_without_a_reason_fails() -> None:
    ledger = good()
    assert ledger.acquisition.enter(100, 98, {"trains_unusable": 1}) == 1
    verdict = judge(steady(), ledger, 600)
    assert not verdict.passed
    assert "1 of 200 module trains were lost without a reason" in verdict.sentences[0]


def test_reasons_counted_twice_in_one_segment_do_not_explain_losses_in_another() -> None:
    book = Book()
    book.enter(100, 100, {"trains_unusable": 5})
    book.enter(100, 97, {})
    assert (book.unexplained, book.surplus, book.lost) == (3, 5, 3)


def test_a_part_that_was_received_and_never_came_out_fails() -> None:
    ledger = good()
    ledger.correction.enter(97, 90, {"shed": 4})
    verdict = judge(steady(), ledger, 600)
    assert "3 of 97 received module trains never came out" in verdict.sentences[0]


def test_what_was_gained_is_counted_by_name() -> None:
    before = Counted(5, 4, {"no_slot": 1}, {"shed": 2})
    after = Counted(9, 6, {"no_slot": 1, "malformed_frames": 1}, {"shed": 4})
    assert after.since(before) == Counted(4, 2, {"no_slot": 0, "malformed_frames": 1}, {"shed": 2})


def test_a_stage_in_error_fails() -> None:
    assert not judge(steady(), good(), 600, ["daq is in ERROR: full"]).passed


def test_a_stall_fails_and_a_pause_between_acquisitions_does_not() -> None:
    paused = [*steady(100), *(sample(100.0 + t, 990, sending=False) for t in range(30))]
    assert longest_silence_s(paused) < 2
    stalled = [*steady(100), *(sample(100.0 + t, 990) for t in range(30))]
    assert longest_silence_s(stalled) == 30
    assert not judge(stalled, good(), 130).passed


def test_a_leak_fails_whatever_one_sample_says() -> None:
    leaking = steady(slope_mb_per_s=0.2)
    leaking[400] = sample(400.0, 4000, 5000.0)
    growth = growth_of(leaking)
    assert growth is not None
    assert growth.low == pytest.approx(720, rel=0.05)
    assert not judge(leaking, good(), 600).passed
    settling = steady()
    settling[400] = sample(400.0, 4000, 5000.0)
    assert judge(settling, good(), 600).passed


def test_a_slope_that_is_only_noise_is_no_leak_and_a_small_sure_one_is() -> None:
    rng = random.Random(1)
    noisy = [sample(float(t), 10 * t, 500 + rng.uniform(-20, 20)) for t in range(600)]
    growth = growth_of(noisy)
    assert growth is not None
    assert growth.low < 0 < growth.high
    assert judge(noisy, good(), 600).passed
    assert not judge(steady(slope_mb_per_s=0.03), good(), 600).passed  # 108 MB in an hour


def test_threads_that_pile_up_fail() -> None:
    piling = [replace(one, threads=20 + t // 5) for t, one in enumerate(steady())]
    assert "threads more" in str(judge(piling, good(), 600).sentences)


def test_a_short_soak_says_that_it_cannot_judge_leaks() -> None:
    assert "too short to judge leaks (24 s)" in judge(steady(24, 1.0), good(), 24).sentences


def test_nothing_sent_is_no_pass() -> None:
    assert not judge(steady(), Ledger(), 600).passed


@given(st.integers(), st.floats(20, 2000), st.integers(1, 16))
def test_the_same_seed_gives_the_same_script_within_the_time(seed: int, seconds: float, modules: int) -> None:
    script = draw_script(seed, seconds, {"agipd": FAULTS}, modules)
    assert script == draw_script(seed, seconds, {"agipd": FAULTS}, modules)
    assert all(0 < strike.at_s < seconds for strike in script)
    assert [s.at_s for s in script] == sorted(s.at_s for s in script)
    assert all(s.fault != "unasked_train" and s.parameters["module"] < modules for s in script)


def test_only_parts_that_never_left_count_as_reasons_of_the_detector() -> None:
    counters = {"trains_unusable": 2, "malformed_frames": 0}
    assert reasons_for(counters, {"module_missing": 3, "drop_packets": 5}) == {
        "trains_unusable": 2,
        "fault module_missing": 3,
    }


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5 h", 5400)])
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "0m", "5 days", "-3s"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write it like"):
        seconds_of(text)
