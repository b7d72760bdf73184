"""What the monitor promises: images that Pillow opens, a buffer with the vendor's rules, the private tag."""

from __future__ import annotations

import importlib
import io
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.monitor import MonitorSink, tiff
from sim.dectris.sinks import ArmedSeries, ImageRun

HEIGHT, WIDTH = 9, 7
MS = 1_000_000


def made_series(
    number: int = 3, channels: tuple[str, ...] = ("threshold_1",), bit_depth: int = 16
) -> ArmedSeries:
    layout = Layout(WIDTH, HEIGHT, bit_depth, "none", channels)
    made = []
    for place, name in enumerate(channels):
        images = np.random.default_rng(place).poisson(3, (4, HEIGHT, WIDTH)).astype(layout.dtype)
        size = images[0].nbytes
        pool = np.frombuffer(images.tobytes(), np.uint8)
        sums = images.sum(axis=(1, 2), dtype=np.uint64)
        made.append(
            Channel(
                name, pool, np.arange(4, dtype=np.int64) * size, np.full(4, size, np.int64), ("",) * 4, sums
            )
        )
    config: dict[str, Any] = {
        "incident_energy": 12000.0,
        "threshold/1/energy": 6000.0,
        "threshold/2/energy": 9000.0,
        "threshold/difference/lower_threshold": 1,
        "threshold/difference/upper_threshold": 2,
        "beam_center_x": 3.5,
        "beam_center_y": 4.5,
        "detector_distance": 0.2,
    }
    return ArmedSeries(
        number=number,
        unique_id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        armed_unix_ns=0,
        nimages=100,
        ntrigger=1,
        trigger_mode="ints",
        expected=100,
        ring=Ring(layout, tuple(made)),
        config=config,
        pixel_mask=(),
        flatfield=(),
        countrate_table=np.ones((2, 1000), np.float32),
    )


def slow_run(first: int, count: int) -> ImageRun:
    return ImageRun(
        first, count, first * 500 * MS, 500 * MS, 490 * MS, 1_767_225_601_000_000_000 + 123_456_789
    )


class Bench:
    def __init__(self, **more: Any) -> None:
        self.config: dict[str, Any] = {"mode": "enabled", "buffer_size": 3, "discard_new": True}
        self.monitor = MonitorSink(lambda: self.config, **more)

    def show(self, series: ArmedSeries, count: int) -> None:
        self.monitor.begin(series)
        assert self.monitor.images(slow_run(0, count)) == count
        self.monitor.end()


def picture(file: bytes | None) -> np.ndarray[Any, Any]:
    assert file is not None
    with Image.open(io.BytesIO(file)) as image:
        return np.array(image)


def private_directory(file: bytes) -> dict[int, tuple[Any, ...] | str]:
    """The entries of tag 51192, read by hand from the TIFF specification."""
    with Image.open(io.BytesIO(file)) as image:
        begin = image.tag_v2[51192]  # type: ignore[attr-defined]
    found: dict[int, tuple[Any, ...] | str] = {}
    (count,) = struct.unpack_from("<H", file, begin)
    for place in range(count):
        tag, kind, number = struct.unpack_from("<HHI", file, begin + 2 + 12 * place)
        code = {2: "c", 3: "H", 4: "I", 12: "d"}[kind]
        size = struct.calcsize(f"<{number}{code}")
        at = begin + 2 + 12 * place + 8
        if size > 4:
            (at,) = struct.unpack_from("<I", file, at)
            assert at % 2 == 0
        raw = struct.unpack_from(f"<{number}{code}", file, at)
        found[tag] = b"".join(raw).rstrip(b"\0").decode() if kind == 2 else raw
    return found


@pytest.mark.parametrize("bit_depth", [8, 16, 32])
def test_pillow_opens_what_the_monitor_shows(bit_depth: int) -> None:
    bench, series = Bench(), made_series(bit_depth=bit_depth)
    bench.show(series, 2)
    assert np.array_equal(picture(bench.monitor.newest()), series.ring.image(0, 1))
    assert np.array_equal(picture(bench.monitor.get(3, 0, None)), series.ring.image(0, 0))


def test_the_private_tag_tells_where_the_image_comes_from() -> None:
    bench, series = Bench(), made_series(channels=("threshold_1", "threshold_2", "difference"))
    bench.show(series, 2)
    file = bench.monitor.get(3, 1, 3)
    assert file is not None
    tags = private_directory(file)
    assert tags[0x0000] == (0,)
    assert tags[0x0001] == "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert (tags[0x0002], tags[0x0003]) == ((3,), (1,))
    assert tags[0x0004] == "2026-01-01T00:00:01.623456789Z"
    assert (tags[0x0005], tags[0x0006]) == ((1, 2), (6000.0, 9000.0))
    assert tags[0x0007] == (0.49,)
    assert tags[0x000A] == pytest.approx((1.03320165,))
    assert (tags[0x0016], tags[0x0017]) == ((3.5, 4.5), (0.2,))


def test_images_leave_in_order_and_all_thresholds_before_the_level_falls() -> None:
    bench, series = Bench(), made_series(channels=("threshold_1", "threshold_2"))
    bench.show(series, 2)
    monitor = bench.monitor
    assert monitor.listing() == [(3, [0, 1])]
    assert monitor.next_image == (3, 0)
    assert np.array_equal(picture(monitor.take_next()), series.ring.image(0, 0))
    assert monitor.fill_level == (2, 3)
    assert np.array_equal(picture(monitor.take_next()), series.ring.image(1, 0))
    assert monitor.fill_level == (1, 3)
    assert np.array_equal(picture(monitor.get(3, 1, 2)), series.ring.image(1, 1))
    assert monitor.get(3, 1, 3) is None
    assert monitor.get(3, 0, None) is None
    assert monitor.fill_level == (1, 3)


def test_a_full_buffer_drops_the_new_ones_and_recovers() -> None:
    bench = Bench()
    bench.show(made_series(), 5)
    monitor = bench.monitor
    assert (monitor.state, monitor.dropped) == ("overflow", 2)
    assert monitor.listing() == [(3, [0, 1, 2])]
    assert monitor.newest_image == (3, 4)
    monitor.take_next()
    assert monitor.state == "normal"
    monitor.clear()
    assert (monitor.dropped, monitor.fill_level, monitor.listing()) == (0, (0, 3), [])
    assert monitor.newest() is not None
    monitor.initialize()
    assert monitor.newest() is None


def test_the_oldest_go_when_the_user_wants_the_new_ones() -> None:
    bench = Bench()
    bench.config["discard_new"] = False
    bench.show(made_series(), 5)
    assert bench.monitor.listing() == [(3, [2, 3, 4])]
    assert (bench.monitor.state, bench.monitor.dropped) == ("overflow", 2)


def test_a_buffer_has_a_limit_in_bytes() -> None:
    series = made_series()
    bench = Bench(buffer_bytes=2 * HEIGHT * WIDTH * 2)
    bench.show(series, 3)
    assert (bench.monitor.buffer_free, bench.monitor.dropped) == (0, 1)
    smaller = Bench(buffer_bytes=10)
    smaller.config["discard_new"] = False
    smaller.show(series, 1)
    assert (smaller.monitor.listing(), smaller.monitor.dropped) == ([], 1)


def test_of_a_fast_series_ten_images_each_second_are_shown() -> None:
    bench = Bench()
    bench.config["buffer_size"] = 1000
    bench.monitor.begin(made_series())
    period, tick = 8_333, 480
    for first in range(0, 250 * tick, tick):
        assert bench.monitor.images(ImageRun(first, tick, first * period, period, period, 0)) == tick
    ((_, numbers),) = bench.monitor.listing()
    assert 9 <= len(numbers) <= 11
    assert all(later - earlier >= 12_000 for earlier, later in pairwise(numbers))


def test_disabled_shows_nothing() -> None:
    bench = Bench()
    bench.config["mode"] = "disabled"
    bench.show(made_series(), 2)
    assert (bench.monitor.listing(), bench.monitor.newest(), bench.monitor.take_next()) == ([], None, None)


async def test_whoever_waits_is_told() -> None:
    bench = Bench()
    arrived = bench.monitor.arrived
    bench.show(made_series(), 1)
    assert arrived.is_set()


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12))
DTYPES = st.sampled_from(["u1", "u2", "u4", "f4"])


@settings(max_examples=50, derandomize=True, deadline=None)
@given(SHAPES, DTYPES, st.integers(0, 2**32 - 1))
def test_every_image_survives_its_file(shape: tuple[int, int], dtype: str, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
    assert np.array_equal(picture(tiff(image)), image)
    if importlib.util.find_spec("tifffile") is not None:
        tifffile = importlib.import_module("tifffile")
        assert np.array_equal(tifffile.imread(io.BytesIO(tiff(image))), image)
