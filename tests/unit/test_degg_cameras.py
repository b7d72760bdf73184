"""Pictures of the cameras and readings of the sensors, against figures and limits of fat.md."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sim.degg.camera_figures import CameraFigures, SensorFigures
from sim.degg.cameras import Camera, cameras
from sim.degg.refusal import Refused
from sim.degg.sensors import Sensors
from sim.kernel import SimTime

NOW = SimTime(0)


def room(board_c: float = 20.0, glass_c: float = 20.0) -> Any:
    return SimpleNamespace(board_temperature=lambda _: board_c, glass_temperature=lambda _: glass_c)


def camera(number: int = 1, *, seed: int = 5, board_c: float = 20.0, light: float = 0.0) -> Camera:
    made = Camera(seed, "DEgg2021-3-133", number, room(board_c), CameraFigures())
    made.light = lambda _: light
    return made


def picture(one: Camera, gain: int, exposure_ms: int) -> np.ndarray[Any, Any]:
    """As a public reader takes it from the bytes: 16-bit words, little-endian, the leading 12 bits."""
    one.capture(gain, exposure_ms, NOW)
    words = np.frombuffer(one.image_bytes(), "<u2").reshape(993, 1312)
    assert not (words & 0xF).any()
    return words >> 4


def test_dark_pictures_have_the_pedestal_of_their_camera_within_the_limits() -> None:
    means = []
    for number in (1, 2, 3):
        one = camera(number)
        dark = picture(one, 0, 33)
        means.append(float(dark.mean()))
        assert abs(np.median(dark) - one.pedestal) < 0.6
        assert 200 <= picture(camera(number, board_c=35.0), 300, 3700).mean() <= 460
    assert all(200 <= mean <= 460 for mean in means)
    assert len(set(means)) == 3


def test_noise_grows_with_gain_and_exposure() -> None:
    one = camera(board_c=30.0)
    spread = [
        float(np.subtract(*np.percentile(picture(one, gain, ms), [84.1, 15.9])) / 2)
        for gain, ms in ((0, 33), (200, 33), (300, 33), (300, 3700))
    ]
    assert spread == sorted(spread)
    # 1.3 counts, and 4 electrons at 0.1 counts each: 1.36, with the rounding 1.4; 30 dB more: 12.7
    assert spread[0] == pytest.approx(1.4, abs=0.15)
    assert spread[2] == pytest.approx(12.7, rel=0.05)


def test_hot_pixels_stay_where_they_are_and_others_do_not_light_up() -> None:
    one = camera()
    frames = [picture(one, 100, 3700) for _ in range(3)]
    limits = [frame.mean() + 5 * np.percentile(frame - frame.mean(), 84.1) for frame in frames]
    hot = np.sum([frame > limit for frame, limit in zip(frames, limits, strict=True)], axis=0) >= 2
    assert np.flatnonzero(hot).tolist() == sorted(one.hot_pixels.tolist())
    assert set(camera(2).hot_pixels.tolist()) != set(one.hot_pixels.tolist())


def test_a_lit_led_makes_one_blob() -> None:
    lit, dark = picture(camera(light=1.0), 0, 100), picture(camera(), 0, 100)
    difference = lit.astype(float) - dark
    bright = difference > 0.5 * difference.max()
    rows, columns = np.nonzero(bright)
    assert difference.max() > 1000
    # Half maximum of a Gaussian of 55 pixels: radius 1.177 x 55
    assert bright.sum() == pytest.approx(math.pi * (1.177 * 55) ** 2, rel=0.1)
    assert np.hypot(rows - rows.mean(), columns - columns.mean()).max() < 80
    assert picture(camera(light=0.1), 0, 100).max() < lit.max()
    assert picture(camera(light=1.0), 300, 3700).max() == 4095


def test_covered_pixels_see_no_light() -> None:
    everywhere = CameraFigures(led_sigma_pixels=3000.0)
    one = Camera(5, "DEgg2021-3-133", 1, room(), everywhere, light=lambda _: 1.0)
    counts = picture(one, 0, 100).astype(float)
    assert np.median(counts[16:, 3:]) > 1000
    assert np.median(counts[:16]) == pytest.approx(one.pedestal, abs=1)
    assert np.median(counts[:, :3]) == pytest.approx(one.pedestal, abs=1)


def test_same_seed_same_pictures_whatever_the_time() -> None:
    first, second = camera(), camera()
    a = [picture(first, 0, 33).copy() for _ in range(2)]
    second.capture(0, 33, SimTime(10**15))
    assert np.array_equal(a[0], second.image)
    assert not np.array_equal(a[0], a[1])
    assert not np.array_equal(picture(camera(seed=6), 0, 33), a[0])
    assert first.camera_id == second.camera_id != camera(2).camera_id


@pytest.mark.parametrize(("gain", "exposure_ms"), [(-1, 33), (301, 33), (0, 32), (0, 3701)])
def test_out_of_range_is_refused(gain: int, exposure_ms: int) -> None:
    one = camera()
    with pytest.raises(Refused):
        one.capture(gain, exposure_ms, NOW)
    with pytest.raises(Refused, match="no camera image"):
        one.image_bytes()


def test_enable_masks() -> None:
    assert [one.enable_mask for one in cameras(1, "a", room(), CameraFigures()).values()] == [1, 4, 16]


def test_sensors_read_the_sealed_vessel_and_the_earth() -> None:
    figures = SensorFigures()
    warm, cold = (Sensors(5, "DEgg2021-3-133", room(glass_c=c), figures) for c in (20.0, -40.0))
    assert cold.pressure(NOW) / warm.pressure(NOW) == pytest.approx(233.15 / 293.15, rel=2e-3)
    field = np.array([warm.b_field(NOW) for _ in range(50)])
    assert np.linalg.norm(field.mean(axis=0)) == pytest.approx(46.9e-6, rel=0.25)
    assert field.mean(axis=0)[2] < 0
    assert np.linalg.norm(warm.acceleration(NOW)) == pytest.approx(9.798, abs=0.15)
    assert warm.acceleration(NOW)[2] > 9.5


def test_modules_differ_and_readings_are_reproducible() -> None:
    figures = SensorFigures()
    one, same, other = (Sensors(5, serial, room(), figures) for serial in ("a", "a", "b"))
    readings = [(one.pressure(NOW), one.b_field(NOW), one.acceleration(NOW)) for _ in range(2)]
    assert readings == [(same.pressure(NOW), same.b_field(NOW), same.acceleration(NOW)) for _ in range(2)]
    assert readings[0] != readings[1]
    assert abs(readings[0][0] - other.pressure(NOW)) > 0.1
