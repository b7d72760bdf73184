"""Images of a control unit: one photon truth, detected, corrected, encoded and added up."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from sim.dectris.images import countrate
from sim.dectris.images.exposure import passing_share
from sim.dectris.images.frames import Layout, Uploaded
from sim.dectris.images.scene_source import SceneSource, source_key
from sim.dectris.images.scenes import Bragg, Flat, Rings, Scene, Stem4D
from sim.dectris.images.sensor import GAP, Sensor, custom_sensor
from sim.dectris.images.tables import FilesTable, SceneTable, SyntheticTable, image_source
from sim.errors import ConfigurationRejected

SENSOR = Sensor(130, 96, 64, 96, 2, 0)
LAYOUT = Layout(130, 96, 16, "bslz4")
ALL = ("threshold_1", "threshold_2", "difference")
SCENES = (Flat(0.5), Rings(0.5), Bragg(0.5, 7), Stem4D(0.5, (4, 4)))


def source(
    scene: Scene = SCENES[3], *, seed: int = 1, distinct: int = 4, sensor: Sensor = SENSOR
) -> SceneSource:
    return SceneSource("dcu", scene, sensor, key=source_key(seed, "E-1"), distinct=distinct)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: type(scene).__name__)
def test_scenes_have_the_mean_that_was_asked_for(scene: Scene) -> None:
    means = [float(scene.mean((96, 128), index, 16).mean()) for index in range(16)]
    assert np.mean(means) == pytest.approx(0.5, rel=0.1)
    assert all(scene.mean((96, 128), index, 16).min() >= 0 for index in range(16))


def test_a_scan_moves_and_dims_from_position_to_position() -> None:
    scan = Stem4D(0.5, (4, 4))
    images = [scan.mean((96, 96), index, 16) for index in range(16)]
    x = np.arange(96) - 47.5
    bright = [float((image.sum(0) * x).sum() / image.sum()) for image in images]
    expected = [scan.shift(*scan.position(index, 16))[1] for index in range(16)]
    assert np.corrcoef(bright, expected)[0, 1] > 0.9
    dims = [float(image.mean()) / 0.5 for image in images]
    assert dims == pytest.approx([scan.brightness(*scan.position(index, 16)) for index in range(16)])


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not() -> None:
    first, again = source().ring(LAYOUT), source().ring(LAYOUT)
    assert first.channels[0].pool.tobytes() == again.channels[0].pool.tobytes()
    assert first.channels[0].md5 == again.channels[0].md5
    assert source(seed=2).ring(LAYOUT).channels[0].md5 != first.channels[0].md5
    assert len(set(first.channels[0].md5)) == first.distinct == 4


def test_a_ring_is_made_once_for_a_layout() -> None:
    images = source()
    ring = images.ring(LAYOUT)
    assert images.ring(LAYOUT) is ring
    assert images.ring(replace(LAYOUT, compression="lz4")) is not ring


@pytest.mark.parametrize("bit_depth", [8, 16, 32])
@pytest.mark.parametrize("compression", ["bslz4", "lz4", "none"])
def test_depth_and_compression_do_not_change_what_is_shown(bit_depth: int, compression: str) -> None:
    layout = replace(LAYOUT, bit_depth=bit_depth, compression=compression, mask_to_zero=True)
    ring, plain = source().ring(layout), source().ring(replace(LAYOUT, mask_to_zero=True))
    for number in (0, 3, 5):
        image = ring.image(0, number)
        assert image.dtype == layout.dtype
        assert np.array_equal(image, plain.image(0, number))
        assert int(ring.channels[0].sums[number % 4]) == int(image.sum(dtype=np.uint64))


def test_thresholds_are_nested_and_the_difference_is_exact() -> None:
    layout = replace(LAYOUT, channels=ALL, thresholds=(0.5, 0.9))
    ring = source(Flat(5.0)).ring(layout)
    masked = source().pixel_mask(layout) != 0
    for number in range(4):
        low, high, difference = (ring.image(channel, number).astype(np.int64) for channel in range(3))
        assert np.array_equal((low - high)[~masked], difference[~masked])
        assert (difference[masked] == 65535).all()
        assert (high <= low)[~masked].all()
    share = high[~masked].sum() / low[~masked].sum()
    assert share == pytest.approx(passing_share(0.9) / passing_share(0.5), rel=0.02)


def test_threshold_1_does_not_depend_on_the_others_being_on() -> None:
    both = source().ring(replace(LAYOUT, channels=ALL))
    assert both.channels[0].md5 == source().ring(LAYOUT).channels[0].md5


def test_with_all_corrections_the_image_is_the_truth_within_rounding() -> None:
    images, layout = source(Flat(100.0)), replace(LAYOUT, dead_share=1e-3)
    photons = images.exposure(layout).photons(0)[1].astype(np.int64)
    good = images.pixel_mask(layout) == 0
    image = images.ring(layout).image(0, 0).astype(np.int64)
    assert np.abs(image - photons)[good].max() <= 1
    raw = (
        images.ring(replace(layout, countrate_applied=False, flatfield_applied=False))
        .image(0, 0)
        .astype(np.int64)
    )
    response = 1 / images.flatfield(layout)
    seen = photons * response
    assert np.abs(raw - seen * np.exp(-seen * 1e-3))[good].max() <= 0.51
    assert raw[good].mean() < 0.92 * photons[good].mean()


def test_counters_end_one_below_what_means_masked() -> None:
    layout = replace(LAYOUT, bit_depth=8, flatfield_applied=False)
    images = source(Flat(400.0))
    good = images.pixel_mask(layout) == 0
    assert (images.ring(layout).image(0, 0)[good] == 254).all()
    short = replace(layout, bit_depth=16, dead_share=1 / 400)
    assert countrate.cutoff(short) == 200
    assert images.ring(short).image(0, 0)[good].max() == 200


def test_the_countrate_table_undoes_the_loss() -> None:
    table = countrate.table(replace(LAYOUT, dead_share=1e-4))
    assert table.shape == (2, 1000)
    assert table[1, -1] == countrate.cutoff(replace(LAYOUT, dead_share=1e-4)) == 5000
    assert np.allclose(table[1] * np.exp(-table[1] * 1e-4), table[0], atol=1e-3)


def test_masked_pixels_read_the_highest_value_or_nothing() -> None:
    images = source(Flat(3.0))
    mask = images.pixel_mask(LAYOUT)
    assert (mask & GAP).astype(bool).sum() == 2 * 96
    assert (mask & ~np.uint32(GAP)).astype(bool).any()
    assert (images.ring(LAYOUT).image(0, 0)[mask != 0] == 65535).all()
    assert (images.ring(replace(LAYOUT, mask_to_zero=True)).image(0, 0)[mask != 0] == 0).all()
    bare = images.ring(replace(LAYOUT, pixel_mask_applied=False)).image(0, 0)
    assert (bare[mask == GAP] == 0).all()
    assert (bare[mask == 16] > 100).all()


def test_uploaded_arrays_take_the_place_of_the_factorys() -> None:
    images = source(Flat(50.0))
    mask = np.zeros((96, 130), np.uint32)
    mask[:10] = 2
    flatfield = np.full((96, 130), 2, np.float32)
    ring = images.ring(LAYOUT, Uploaded({"threshold_1": mask}, {"threshold_1": flatfield}))
    raw = images.ring(replace(LAYOUT, flatfield_applied=False, pixel_mask_applied=False)).image(0, 0)
    assert (ring.image(0, 0)[:10] == 65535).all()
    assert np.array_equal(ring.image(0, 0)[10:], 2 * raw[10:])
    assert images.ring(LAYOUT).channels[0].md5 != ring.channels[0].md5
    with pytest.raises(ConfigurationRejected, match="96 x 130"):
        images.ring(LAYOUT, Uploaded({"threshold_1": mask[1:]}))


def test_a_difference_is_masked_where_either_threshold_is() -> None:
    layout = replace(LAYOUT, channels=ALL)
    mask = np.zeros((96, 130), np.uint32)
    mask[:10] = 2
    ring = source(Flat(3.0)).ring(layout, Uploaded({"threshold_1": mask, "threshold_2": mask[::-1]}))
    masked = (ring.image(2, 0) == 65535).all(axis=1)
    assert masked[:10].all()
    assert masked[-10:].all()
    assert not masked[10:-10].any()


def test_a_small_loss_of_a_large_count_is_exact() -> None:
    images = source(Flat(20_000.0))
    layout = replace(LAYOUT, flatfield_applied=False, countrate_applied=False, dead_share=1e-6)
    seen = images.exposure(layout).photons(0)[1] / images.flatfield(layout)
    good = images.pixel_mask(layout) == 0
    assert np.abs(images.ring(layout).image(0, 0) - seen * np.exp(-seen * 1e-6))[good].max() < 0.52


def test_binned_pixels_are_corrected_by_a_flat_field_of_their_own() -> None:
    sensor = Sensor(128, 96, 128, 96, 0, 0)
    images, layout = source(Flat(2000.0), sensor=sensor), Layout(64, 48, 16, "none")
    good = images.pixel_mask(layout) == 0
    photons = images.exposure(layout).photons(0)[1].astype(np.int64)
    image = images.ring(layout).image(0, 0).astype(np.int64)
    assert np.abs(image - photons)[good].max() <= 1
    parts = images.flatfield(Layout(128, 96, 16, "none")).reshape(48, 2, 64, 2)
    assert np.allclose(1 / images.flatfield(layout), (1 / parts).mean((1, 3)), rtol=1e-5)


def test_a_hash_is_of_what_stream_1_sends() -> None:
    channel = source().ring(replace(LAYOUT, compression="lz4")).channels[0]
    assert channel.md5[1] == hashlib.md5(channel.blob(1)[16:]).hexdigest()
    channel = source().ring(LAYOUT).channels[0]
    assert channel.md5[1] == hashlib.md5(channel.blob(1)).hexdigest()


def test_a_region_shows_the_same_photons_and_a_binned_pixel_their_sum() -> None:
    sensor = Sensor(128, 96, 128, 96, 0, 0)
    whole = Layout(128, 96, 16, "none", pixel_mask_applied=False, flatfield_applied=False)
    images = source(Flat(1.0), sensor=sensor)
    photons = images.exposure(whole).photons(1)[1]
    lines = replace(whole, height=32)
    assert np.array_equal(images.exposure(lines).photons(1)[1], photons[32:64])
    corner = replace(whole, width=50, height=40, origin=(10, 20))
    assert np.array_equal(images.exposure(corner).photons(1)[1], photons[20:60, 10:60])
    small = replace(whole, width=64, height=48)
    assert np.array_equal(images.exposure(small).photons(1)[1], photons.reshape(48, 2, 64, 2).sum((1, 3)))
    with pytest.raises(ConfigurationRejected, match="do not lie on a sensor of 128 x 96"):
        images.ring(replace(whole, width=129))


def test_impossible_channels_are_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigurationRejected, match="no energy for threshold 3"):
        source().ring(replace(LAYOUT, channels=("threshold_3",)))
    with pytest.raises(ConfigurationRejected, match="'blue' is no channel"):
        source().ring(replace(LAYOUT, channels=("blue",)))


def test_photons_are_poisson_distributed_at_small_and_large_means() -> None:
    sensor = Sensor(512, 512, 512, 512, 0, 0)
    layout = Layout(512, 512, 32, "none", thresholds=(0.5, 1.4))
    for mean in (0.5, 20.0, 2000.0):
        images = source(Flat(mean), sensor=sensor)
        counts = images.exposure(layout).photons(0)[1][images.pixel_mask(layout) == 0].astype(float)
        expected = mean * passing_share(0.5)
        assert counts.mean() == pytest.approx(expected, abs=5 * (expected / counts.size) ** 0.5)
        assert counts.max() < expected + 8 * (expected + 1) ** 0.5
        assert counts.var() == pytest.approx(expected, rel=0.02)


def test_tables_make_sources() -> None:
    sensor = Sensor(192, 192, 192, 192, 0, 0)
    scan = image_source("dcu", SceneTable(source="scene", nav=[2, 3]), sensor, seed=1, serial="E-1")
    assert scan.fixed is None
    assert scan.ring(Layout(96, 96, 16, "bslz4")).distinct == 6
    rings = image_source("dcu", SyntheticTable(width=64, height=48), sensor, seed=1, serial="E-1")
    assert rings.ring(Layout(64, 48, 16, "bslz4")).distinct == 16
    with pytest.raises(ConfigurationRejected, match="no file matches"):
        image_source("dcu", FilesTable(source="files", files=["/none/*.h5"]), sensor, seed=1, serial="E-1")


def test_a_custom_sensor_has_the_gaps_of_its_size() -> None:
    assert custom_sensor(514, 514).gap_x == 2
    assert custom_sensor(1028, 1062).gap_y == 38
