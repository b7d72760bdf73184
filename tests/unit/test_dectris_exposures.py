"""Exposures of a control unit: what becomes of triggers, image by image and at 100 kHz."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.sinks import ImageRun
from sim.dectris.unit.exposures import TICK_NS, Exposures
from sim.dectris.unit.pulses import ExternalLine, Generator, PulsesRefused, PulseTrain, Rhythm
from sim.dectris.unit.series import GATE_READOUT_NS, Plan

US = 1_000
MS = 1_000_000
PLAN = Plan(mode="ints", nimages=1, ntrigger=1, count_ns=10 * MS, frame_ns=10 * MS + 100, delay_ns=0)


def follow(exposures: Exposures, now: int, *, until: int) -> list[ImageRun]:
    """The runs that a clock makes, waking whenever it is asked to."""
    runs = []
    while True:
        while (run := exposures.next_run(now)) is not None:
            runs.append(run)
        wake = exposures.wake(now)
        if wake is None or wake > until:
            return runs
        assert wake > now, "it would wake for ever"
        now = wake


def starts(runs: list[ImageRun]) -> list[tuple[int, int]]:
    return [(run.first + i, run.start_ns + i * run.period_ns) for run in runs for i in range(run.count)]


def test_slow_images_leave_each_at_its_time() -> None:
    exposures = Exposures(replace(PLAN, nimages=3), ExternalLine(), 7)
    exposures.trigger(50, None)
    frame = PLAN.frame_ns
    assert exposures.wake(50) == 50 + frame
    assert exposures.next_run(49 + frame) is None
    assert exposures.next_run(50 + frame) == ImageRun(0, 1, 0, frame, PLAN.count_ns, 57)
    assert starts(follow(exposures, 50 + frame, until=10**12)) == [(1, frame), (2, 2 * frame)]
    assert exposures.complete


def test_short_images_leave_together() -> None:
    plan = replace(PLAN, nimages=120_000, count_ns=8 * US, frame_ns=8 * US + 100)
    exposures = Exposures(plan, ExternalLine(), 0)
    exposures.trigger(0, None)
    runs = follow(exposures, 0, until=10**12)
    assert len(runs) <= plan.nimages * plan.frame_ns // TICK_NS + 2
    assert starts(runs) == [(i, i * plan.frame_ns) for i in range(plan.nimages)]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    mode=st.sampled_from(["exts", "exte", "eies"]),
    nimages=st.integers(1, 3),
    ntrigger=st.integers(1, 40),
    count_ns=st.integers(1, 9 * MS),
    dead_ns=st.integers(0, MS),
    delay_ns=st.integers(0, 5 * MS),
    period_ns=st.integers(1, 12 * MS),
    pulses=st.integers(1, 200),
    width_ns=st.integers(0, 9 * MS),
    late=st.booleans(),
)
def test_a_train_does_what_its_pulses_one_by_one_do(
    mode: str,
    nimages: int,
    ntrigger: int,
    count_ns: int,
    dead_ns: int,
    delay_ns: int,
    period_ns: int,
    pulses: int,
    width_ns: int,
    late: bool,
) -> None:
    """Against a model that looks at each pulse; whether the clock wakes often or only once, at the end."""
    single = mode == "exte"
    plan = Plan(
        mode, 1 if single else nimages, ntrigger, count_ns, count_ns + dead_ns, 0 if single else delay_ns
    )
    train = PulseTrain(1000, period_ns, pulses, width_ns)
    expected, busy, missed, used = [], 0, 0, 0
    for pulse in range(pulses):
        at = train.first_ns + pulse * period_ns
        if used == ntrigger:
            break
        if at < busy:
            missed += 1
            continue
        used += 1
        exposure = (width_ns or count_ns) if single else count_ns
        expected += [at + plan.delay_ns + i * (exposure + dead_ns) for i in range(plan.per_trigger)]
        busy = at + plan.delay_ns + plan.per_trigger * (exposure + dead_ns)
    line = ExternalLine()
    line.add(train)
    exposures = Exposures(plan, line, 0)
    runs = follow(exposures, 10**15 if late else 0, until=10**15)
    assert starts(runs) == [(i, at - expected[0]) for i, at in enumerate(expected)]
    assert exposures.complete == (used == ntrigger)
    if not exposures.complete:
        exposures.next_run(10**15)
    assert exposures.missed == missed


def test_gates_are_counted_into_images_and_the_readout_misses_some() -> None:
    plan = replace(PLAN, mode="extg", nimages=2, nexpi=3)
    line = ExternalLine()
    line.add(PulseTrain(0, MS, 100, 100 * US))
    exposures = Exposures(plan, line, 0)
    runs = follow(exposures, 0, until=10**12)
    second = 2 * MS + 100 * US + GATE_READOUT_NS
    assert [(run.start_ns, run.exposure_ns) for run in runs] == [(0, 300 * US), (5 * MS, 300 * US)]
    assert 4 * MS < second < 5 * MS
    assert exposures.missed == 2
    assert exposures.complete
    assert not exposures.ends_by_itself


def test_two_counters_give_even_and_odd_images() -> None:
    plan = replace(PLAN, mode="extg", nimages=4, nexpi=2, double=True)
    line = ExternalLine()
    line.add(PulseTrain(0, MS, 100, 100 * US))
    runs = follow(Exposures(plan, line, 0), 0, until=10**12)
    assert [run.first for run in runs] == [0, 1, 2, 3]
    assert [run.exposure_ns for run in runs] == [200 * US, 900 * US, 200 * US, 900 * US]
    assert runs[0].start_ns == runs[1].start_ns


def test_cancel_lets_the_present_image_finish() -> None:
    exposures = Exposures(replace(PLAN, nimages=5), ExternalLine(), 0)
    exposures.trigger(0, None)
    exposures.next_run(PLAN.frame_ns)
    exposures.stop_after_current(PLAN.frame_ns + 5)
    assert not exposures.complete
    assert len(follow(exposures, PLAN.frame_ns + 5, until=10**12)) == 1
    assert exposures.images_done == 2
    assert exposures.complete


def test_a_generator_follows_each_arm_in_bursts() -> None:
    rhythm = Rhythm(MS, 10 * MS, 0, bursts=2, burst=3, burst_period_ns=MS, width_ns=5)
    line = Generator(rhythm, 1, "E-1")
    for armed in (0, 500 * MS):
        line.begin(1, armed, 0)
        seen = []
        while (train := line.head()) is not None:
            seen += [train.first_ns + i * train.period_ns - armed for i in range(train.count)]
            line.discard_before(train.last_ns + 1)
        assert seen == [MS, 2 * MS, 3 * MS, 11 * MS, 12 * MS, 13 * MS]


def test_jitter_is_small_drawn_from_the_seed_and_told_by_the_images() -> None:
    def taken(seed: int) -> list[tuple[int, int]]:
        line = Generator(Rhythm(MS, 20 * MS, 100 * US, 0, 1, 1, 0), seed, "E-1")
        line.begin(4, 0, 0)
        return starts(follow(Exposures(replace(PLAN, mode="exts", ntrigger=20), line, 0), 0, until=10**12))

    assert taken(1) == taken(1) != taken(2)
    offsets = [at - i * 20 * MS for i, at in taken(1)]
    assert len(set(offsets)) > 10
    assert max(map(abs, offsets)) <= 200 * US


def test_a_second_train_during_the_first_is_refused() -> None:
    line = ExternalLine()
    line.add(PulseTrain(0, MS, 1000))
    with pytest.raises(PulsesRefused, match="still runs"):
        line.add(PulseTrain(5 * MS))
    assert line.discard_before(10 * MS) == 10


def test_without_a_rate_the_generator_is_as_fast_as_the_unit() -> None:
    plan = replace(PLAN, mode="exte", ntrigger=1000, count_ns=8 * US, frame_ns=8 * US + 100)
    line = Generator(Rhythm(MS, 0, 0, 0, 1, MS, 0), 1, "E-1")
    line.begin(1, 0, plan.cycle_ns)
    exposures = Exposures(plan, line, 0)
    assert starts(follow(exposures, 0, until=10**12)) == [(i, i * plan.frame_ns) for i in range(1000)]
    assert exposures.missed == 0
