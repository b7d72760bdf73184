"""Sizes chosen from facts and measurements, and which side limits, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dectris.limits import explain
from pipeline.dectris.tune import BUFFER_BYTES, Facts, Overrides, Probe, choose

ARINA = Facts(96, 96, 16, "bslz4", frame_time_s=1 / 120_000, cores=4, memory_bytes=16 << 30)
QUADRO = Facts(512, 512, 16, "bslz4", frame_time_s=1 / 4500, cores=4, memory_bytes=16 << 30)
GOOD = Probe(
    images=100_000,
    seconds=100_000 / 120_000,
    mean_bytes=2400,
    max_bytes=2500,
    images_per_slot=600,
    receiver_busy=0.4,
    waits_for_slots=0,
    workers_busy=0.5,
    work_us=6.0,
)


def test_small_fast_images_are_stacked_by_the_hundreds_and_larger_ones_by_the_hundred() -> None:
    arina, quadro = choose(ARINA), choose(QUADRO)
    assert arina.frame_stack_size == 600
    assert quadro.frame_stack_size == 128
    assert arina.bytes_per_frame * 8 >= ARINA.raw_bytes
    assert "120,000 images/s are announced" in arina.reasons["frame_stack_size"]


def test_a_measurement_replaces_the_guess() -> None:
    chosen = choose(ARINA, GOOD)
    assert 2400 * 1.2 < chosen.bytes_per_frame < 2400 * 1.4
    assert "in the mean" in chosen.reasons["bytes_per_frame"]
    assert chosen.workers == 2
    assert "(measured)" in chosen.reasons["workers"]


def test_what_is_given_is_taken_and_said() -> None:
    chosen = choose(ARINA, None, Overrides(num_slots=7, workers=3))
    assert (chosen.num_slots, chosen.workers) == (7, 3)
    assert chosen.reasons["num_slots"] == chosen.reasons["workers"] == "as given"


def test_there_are_no_more_workers_than_cores() -> None:
    chosen = choose(replace(ARINA, cores=2), replace(GOOD, work_us=40))
    assert chosen.workers == 2
    assert "there are 2 cores" in chosen.reasons["workers"]


def test_large_images_come_many_to_a_slot_where_memory_allows() -> None:
    large = Facts(4148, 4362, 16, "bslz4", 1, 1 / 133, 2, 16 << 30)
    assert choose(large).frame_stack_size == 16
    assert choose(replace(large, memory_bytes=1 << 29)).frame_stack_size < 16


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    bit_depth=st.sampled_from([8, 16, 32]),
    compression=st.sampled_from(["bslz4", "lz4", "none"]),
    frame_time_s=st.none() | st.floats(1e-7, 3600),
    cores=st.integers(1, 128),
    memory=st.integers(1 << 28, 1 << 40),
    size=st.none() | st.integers(1, 1 << 20),
)
def test_a_slot_always_holds_an_image_and_memory_is_bounded(
    width: int,
    height: int,
    bit_depth: int,
    compression: str,
    frame_time_s: float | None,
    cores: int,
    memory: int,
    size: int | None,
) -> None:
    facts = Facts(width, height, bit_depth, compression, 1, frame_time_s, cores, memory)
    chosen = choose(facts, None, Overrides(bytes_per_frame=size))
    assert chosen.slot_bytes >= facts.largest_bytes
    assert chosen.buffer_bytes <= max(min(BUFFER_BYTES, memory // 4), 2 * chosen.slot_bytes)
    assert chosen.num_slots >= 2
    assert 1 <= chosen.workers <= cores
    assert set(chosen.reasons) == {"num_slots", "bytes_per_frame", "frame_stack_size", "workers"}


SYMPTOMS = {
    "detector": ({}, "would carry 2.0 times as many"),
    "workers": ({"workers_busy": 0.95, "waits_for_slots": 8}, "the workers limit"),
    "reduction": ({"workers_busy": 0.95, "reduce_us": 5.0}, "the reduction limits"),
    "receiver": ({"receiver_busy": 0.95}, "the receiver limits"),
    "buffer": ({"waits_for_slots": 1}, "none free once"),
    "sender": ({"seconds": 10.0}, "the sender or the network limits"),
}


@pytest.mark.parametrize("side", SYMPTOMS)
def test_each_symptom_names_its_side(side: str) -> None:
    changes, words = SYMPTOMS[side]
    verdict = explain(ARINA, choose(ARINA, GOOD), replace(GOOD, **changes))
    assert verdict.side == side
    assert words in verdict.sentences[0]


def test_sizes_that_do_not_fit_and_losses_are_said() -> None:
    small = choose(ARINA, None, Overrides(bytes_per_frame=500, frame_stack_size=600))
    said = explain(ARINA, small, replace(GOOD, images_per_slot=125)).sentences
    assert any("bytes_per_frame is too small" in sentence for sentence in said)
    large = choose(ARINA, None, Overrides(bytes_per_frame=20_000))
    said = explain(ARINA, large, replace(GOOD, dropped=12)).sentences
    assert any("bytes_per_frame is too large" in sentence for sentence in said)
    assert any("dropped 12 images" in sentence for sentence in said)
