"""The engine on a real socket: what comes, what does not, and that the next series is never hurt by it."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from pipeline.dectris.engine import Engine, Settings
from pipeline.dectris.reduce import FrameSums, Sum
from pipeline.errors import ControlUnitError, SettingRejected, StreamBroken

SHAPE = (64, 32)
COUNT = 40
SMALL = Settings(num_slots=4, bytes_per_frame=2048, frame_stack_size=8)


@pytest.fixture
def sender(wire):
    sender = wire.Sender()
    yield sender
    sender.close()


@pytest.fixture
def engine(sender):
    with Engine(sender.url, SMALL) as engine:
        yield engine


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(4).poisson(2, (COUNT, *SHAPE)).astype(np.uint16)


class Series:
    """A whole series of messages, to be spoilt."""

    def __init__(self, wire, number, pictures, **more):
        self.wire, self.number, self.pictures = wire, number, pictures
        self.start = wire.start1(number, len(pictures), SHAPE)
        self.images = [wire.image1(number, i, image, **more) for i, image in enumerate(pictures)]
        self.end = [wire.end1(number)]

    def messages(self):
        return [self.start, *self.images, *self.end]


def take(engine, *, idle_s=0.3, **more):
    start = engine.wait_for_start(5)
    assert start is not None
    total, sums = Sum(), FrameSums()
    report = engine.run(start, [total, sums], idle_timeout_s=idle_s, **more)
    return report, total.result(), sums.result()


def check(pictures, report, total, sums, without=()):
    kept = np.array([index not in without for index in range(len(pictures))])
    np.testing.assert_array_equal(total, pictures[kept].sum(axis=0, dtype=np.uint64))
    np.testing.assert_array_equal(sums, np.where(kept, pictures.sum(axis=(1, 2), dtype=np.uint64), 0))
    assert report.frames == kept.sum()


@pytest.mark.parametrize("coding", ["bslz4", "lz4", "none"])
def test_a_series_of_stream_1(wire, engine, sender, pictures, coding):
    sender.send(*Series(wire, 4, pictures, coding=coding).messages())
    report, total, sums = take(engine)
    check(pictures, report, total, sums)
    assert report.complete
    assert report.sentences() == ("series 4: all 40 frames came",)
    # Everything but the first image went the fast way; every hash was looked at.
    assert report.measured.slow_images == 1
    assert report.hashes_checked == COUNT


def test_a_series_of_stream_2_with_three_channels(wire, engine, sender, pictures):
    names = ("threshold_1", "threshold_2", "difference")
    sender.send(wire.start2(9, COUNT, SHAPE, names, dtype=None, user_data={"sample": 5}))
    sender.send(
        *(
            wire.image2(9, i, dict(zip(names, (p, p // 2, p - p // 2), strict=True)))
            for i, p in enumerate(pictures)
        )
    )
    sender.send(wire.end2(9))
    start = engine.wait_for_start(5)
    assert start.appendix == {"sample": 5}
    assert start.unique_id == wire.UNIQUE
    sums = [Sum(), *(Sum(channel=name) for name in names)]
    report = engine.run(start, sums, idle_timeout_s=1)
    assert report.complete
    assert report.measured.slow_images == 1
    first, one, two, difference = (each.result() for each in sums)
    np.testing.assert_array_equal(first, pictures.sum(axis=0, dtype=np.uint64))
    np.testing.assert_array_equal(first, one)
    np.testing.assert_array_equal(two, (pictures // 2).sum(axis=0, dtype=np.uint64))
    np.testing.assert_array_equal(difference, one - two)


def corrupt(series):
    part = series.images[20]
    blob = bytearray(part[2])
    middle = len(blob) // 2
    blob[middle : middle + 16] = bytes(255 - byte for byte in blob[middle : middle + 16])
    part[2] = bytes(blob)


def swap(series):
    series.images[10], series.images[11] = series.images[11], series.images[10]


def lose(series):
    del series.images[30], series.images[12:15]


def garbage(series):
    series.images[5:5] = [
        [os.urandom(50)],
        [b""],
        [b"\xd9\xd9\xf7" + os.urandom(9)],
        [b"{}"] * 30,
        [b"[" * 100_000],
    ]


def of_stream_2(series):
    series.images.insert(7, series.wire.image2(5, 0, {"threshold_1": series.pictures[0]}))


def other_layout(series):
    image = np.zeros((8, 8), np.uint16)
    series.images.insert(7, series.wire.image1(4, 7, image))
    series.images.insert(9, series.wire.image1(4, 7, series.pictures[7].astype(np.uint32)))


FAULTS = {
    "corrupt": (corrupt, {"corrupt": 1, "corrupt_frames": (20,)}, [20], "frame 20"),
    "truncated": (
        lambda series: series.images[6].__setitem__(2, series.images[6][2][:-9]),
        {"truncated": 1, "gaps": ((6, 6),)},
        [6],
        "frame 6 did not come",
    ),
    "lost": (lose, {"gaps": ((12, 14), (30, 30))}, [12, 13, 14, 30], "frames 12-14 and 30 did not come"),
    "doubled": (
        lambda series: series.images.insert(8, series.images[7]),
        {"duplicates": 1},
        [],
        "1 image came again",
    ),
    "swapped": (swap, {"reordered": 1}, [], "came after a later one"),
    "garbage": (garbage, {"broken": 5}, [], "5 messages did not follow"),
    "beyond": (
        lambda series: series.images.append(series.wire.image1(4, 99, series.pictures[0])),
        {"unexpected": 1},
        [],
        "a number beyond the series",
    ),
    "of a later series": (
        lambda series: series.images.insert(3, series.wire.image1(5, 0, series.pictures[0])),
        {"wrong_series": 1},
        [],
        "of a later series",
    ),
    "stale end": (
        lambda series: series.images.insert(0, series.wire.end1(3)),
        {"stale": 1},
        [],
        "of earlier series",
    ),
    "of the other stream": (of_stream_2, {"wrong_series": 1}, [], "of a later series"),
    "of another layout": (other_layout, {"broken": 2}, [], "2 messages did not follow"),
    "too few parts": (
        lambda series: series.images.__setitem__(4, series.images[4][:3]),
        {"broken": 1, "gaps": ((4, 4),)},
        [4],
        "frame 4 did not come",
    ),
    "too many parts": (
        lambda series: series.images.__setitem__(4, [*series.images[4], b"x", b"y"]),
        {"broken": 1, "gaps": ((4, 4),)},
        [4],
        "did not follow",
    ),
    "no end": (
        lambda series: series.end.clear(),
        {"ended": False},
        [],
        "no end came, and nothing more for 0.",
    ),
    "start again": (
        lambda series: series.images.insert(2, series.start),
        {"broken": 1},
        [],
        "did not follow",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_named_and_the_next_series_is_whole(wire, engine, sender, pictures, name):
    spoil, found, without, sentence = FAULTS[name]
    series = Series(wire, 4, pictures)
    spoil(series)
    sender.send(*series.messages())
    report, total, sums = take(engine)
    check(pictures, report, total, sums, without)
    for counter, value in found.items():
        assert getattr(report, counter) == value, report
    assert report.complete == (name == "stale end")
    assert any(sentence in each for each in report.sentences()), report.sentences()
    sender.send(*Series(wire, 5, pictures).messages())
    report, total, sums = take(engine)
    check(pictures, report, total, sums)
    assert report.complete


def test_an_appendix_and_images_larger_than_a_slot_come_through(wire, sender, pictures):
    series = Series(wire, 4, pictures)
    series.images = [[*parts, b"an appendix"] for parts in series.images]
    with Engine(sender.url, Settings(num_slots=2, bytes_per_frame=50, frame_stack_size=2)) as engine:
        sender.send(*series.messages())
        report, total, sums = take(engine)
    check(pictures, report, total, sums)
    assert report.complete
    assert report.measured.slow_images == COUNT


def test_a_series_whose_end_is_lost_ends_when_the_next_one_starts(wire, engine, sender, pictures):
    first, second = Series(wire, 4, pictures), Series(wire, 5, pictures)
    sender.send(first.start, *first.images, *second.messages())
    report, *_ = take(engine, idle_s=20)
    assert not report.ended
    assert report.missing == 0
    assert "series 5 began before series 4 had ended" in report.reasons
    report, total, sums = take(engine)
    assert report.complete
    check(pictures, report, total, sums)


def test_a_wait_ends_and_passes_by_what_is_not_asked_for(wire, engine, sender, pictures):
    assert engine.wait_for_start(0.05) is None
    sender.send(*Series(wire, 3, pictures[:2]).messages(), *Series(wire, 4, pictures).messages())
    start = engine.wait_for_start(5, series=4)
    assert start.series == 4
    report = engine.run(start, [], idle_timeout_s=1)
    assert report.stale == 4
    assert report.frames == COUNT


def test_an_unusable_start_is_one_sentence(wire, engine, sender):
    sender.send([b'{"htype":"dheader-1.0","series":1,"header_detail":"none"}'])
    with pytest.raises(StreamBroken, match="header_detail none"):
        engine.wait_for_start(5)
    sender.send(wire.start2(1, 0, SHAPE))
    with pytest.raises(StreamBroken, match="0 frames"):
        engine.wait_for_start(5)


def test_stopping_ends_at_once_and_the_next_series_is_whole(wire, engine, sender, pictures):
    series = Series(wire, 4, pictures)
    sender.send(series.start, *series.images[:17])
    start, stop = engine.wait_for_start(5), threading.Event()
    seen = []

    def progress(now):
        seen.append(now)
        if now.frames == 17:
            stop.set()

    report = engine.run(start, [Sum()], idle_timeout_s=60, stop=stop, progress=progress, progress_s=0.01)
    assert report.stopped
    assert report.frames == 17
    assert report.gaps == ((17, COUNT - 1),)
    assert seen[-1].missing_so_far == 0
    sender.send(*series.images[17:], *series.end, *Series(wire, 5, pictures).messages())
    report, total, sums = take(engine)
    check(pictures, report, total, sums)
    assert report.stale == COUNT - 17 + 1


def test_a_reduction_that_fails_ends_the_run_with_its_own_error(wire, engine, sender, pictures):
    class Full:
        channel = None

        def begin(self, start):
            pass

        def take(self, frames, stack):
            raise OSError("no space left")

    sender.send(*Series(wire, 4, pictures).messages())
    with pytest.raises(OSError, match="no space left"):
        engine.run(engine.wait_for_start(5), [Full()], idle_timeout_s=5)
    sender.send(*Series(wire, 5, pictures).messages())
    report, total, sums = take(engine)
    check(pictures, report, total, sums)


def test_hashes_are_checked_for_the_share_of_a_core_that_is_allowed(wire, sender, pictures):
    with Engine(sender.url, Settings(num_slots=4, frame_stack_size=8, hash_share=0)) as engine:
        sender.send(*Series(wire, 4, pictures).messages())
        report, *_ = take(engine)
    assert (report.hashes_checked, report.hashes_unchecked) == (0, COUNT)
    assert report.complete
    assert "the hashes of 40 of 40 images were not checked" in report.sentences()[-1]


def test_closing_from_another_thread_ends_a_wait(sender):
    engine = Engine(sender.url)
    closer = threading.Timer(0.05, engine.close)
    closer.start()
    began = time.monotonic()
    assert engine.wait_for_start(30) is None
    closer.join()
    assert time.monotonic() - began < 20
    with pytest.raises(ControlUnitError, match="is closed"):
        engine.wait_for_start(1)


def test_bad_addresses_and_settings_are_one_sentence():
    with pytest.raises(ControlUnitError, match="no address of a stream"):
        Engine("somewhere:9999")
    with pytest.raises(SettingRejected, match="num_slots"):
        Settings(num_slots=1)
    with pytest.raises(SettingRejected, match="at most"):
        Settings(num_slots=1 << 20, bytes_per_frame=1 << 20)
