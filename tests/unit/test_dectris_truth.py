"""The truth of a series: sums over any images from those of the distinct ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.images.frames import Layout
from sim.dectris.images.scene_source import SceneSource
from sim.dectris.images.scenes import Stem4D
from sim.dectris.images.sensor import Sensor
from sim.dectris.images.truth import SeriesTruth, image_sums, shown, sum_image, total

LAYOUT = Layout(48, 32, 16, "bslz4", ("threshold_1", "threshold_2", "difference"))
SOURCE = SceneSource("dcu", Stem4D(1.0, (2, 3)), Sensor(48, 32, 24, 32, 0, 0), key=1, distinct=5)


@settings(max_examples=50, derandomize=True)
@given(st.integers(0, 40), st.integers(0, 60), st.integers(1, 12))
def test_images_are_counted_as_one_by_one(first: int, count: int, distinct: int) -> None:
    slow = np.zeros(distinct, np.int64)
    for number in range(first, first + count):
        slow[number % distinct] += 1
    assert np.array_equal(shown(first, count, distinct), slow)


def test_the_sum_is_that_of_the_images_one_by_one() -> None:
    ring = SOURCE.ring(LAYOUT)
    numbers = range(3, 14)
    for channel in range(3):
        images = [ring.image(channel, number) for number in numbers]
        slow = np.sum(images, axis=0, dtype=np.uint64)
        assert np.array_equal(sum_image(ring, channel, shown(3, 11, ring.distinct)), slow)
        sums = ring.channels[channel].sums
        assert total(sums, 3, 11) == int(slow.sum())
        assert image_sums(sums, 3, 11).tolist() == [int(image.sum()) for image in images]


def test_a_day_of_images_costs_no_more_than_a_handful() -> None:
    ring = SOURCE.ring(LAYOUT)
    truth = SeriesTruth(ring)
    truth.add(0, 14_400_000)
    assert truth.totals()["threshold_1"] == 2_880_000 * int(ring.channels[0].sums.sum())


def test_the_file_has_sums_masks_and_facts(tmp_path: Path) -> None:
    ring = SOURCE.ring(LAYOUT)
    truth = SeriesTruth(ring)
    truth.add(0, 4)
    truth.add(4, 3)
    path = tmp_path / "truth" / "series_000001.npz"
    truth.save(path, {"threshold_1": SOURCE.pixel_mask(LAYOUT)}, {"series": 1, "first_start_unix_ns": 5})
    with np.load(path) as saved:
        assert saved["times"].tolist() == [2, 2, 1, 1, 1]
        assert saved["pixel_mask_threshold_1"].shape == (32, 48)
        for channel, name in enumerate(LAYOUT.channels):
            slow = np.sum([ring.image(channel, number) for number in range(7)], axis=0, dtype=np.uint64)
            assert np.array_equal(saved[f"sum_{name}"], slow)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["series"] == 1
    assert facts["images"] == 7
    assert facts["totals"]["threshold_1"] == total(ring.channels[0].sums, 0, 7)
    assert sorted(file.name for file in path.parent.iterdir()) == ["series_000001.json", "series_000001.npz"]
