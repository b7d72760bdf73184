"""Books of a series against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dectris.engine.books import Books
from pipeline.dectris.engine.ranges import FrameSet
from pipeline.dectris.engine.wording import ranges
from pipeline.errors import StreamBroken

FRAMES = st.lists(st.integers(0, 40), max_size=60)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(order=FRAMES, cuts=st.lists(st.integers(1, 7), min_size=1, max_size=60))
def test_whatever_comes_in_whatever_stacks_is_counted_as_one_by_one(order, cuts):
    expected = 30
    books, came = Books(3, expected), set()
    duplicates = reordered = unexpected = 0
    at = 0
    for cut in cuts * 60:
        stack = order[at : at + cut]
        if not stack:
            break
        accepted = books.take(np.array(stack, np.int64))
        at += cut
        for frame, taken in zip(stack, accepted, strict=True):
            assert taken == (frame < expected and frame not in came)
            if frame >= expected:
                unexpected += 1
            elif frame in came:
                duplicates += 1
            else:
                reordered += frame < max(came, default=-1)
                came.add(frame)
    assert (books.duplicates, books.reordered, books.unexpected) == (duplicates, reordered, unexpected)
    assert books.received == len(order)
    assert books.frames == len(came)
    missing = [frame for first, last in books.gaps() for frame in range(first, last + 1)]
    assert missing == [frame for frame in range(expected) if frame not in came]
    assert all(first <= last for first, last in books.gaps())


def test_frames_of_two_to_the_thirty_two_cost_nothing_until_they_come():
    books = Books(1, 1 << 32)
    books.take(np.arange((1 << 32) - 3, 1 << 32))
    assert books.gaps() == ((0, (1 << 32) - 4),)
    assert books.frames == 3


def test_a_sender_that_scatters_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr("pipeline.dectris.engine.ranges.MAX_RANGES", 10)
    frames = FrameSet()
    for frame in range(0, 20, 2):
        frames.add(frame)
    with pytest.raises(StreamBroken, match="more than 10 gaps"):
        frames.add(30)


def test_gaps_are_named_by_frame_number():
    assert ranges(((120, 131), (140, 140))) == "frames 120-131 and 140"
    assert ranges(((7, 7),)) == "frame 7"
    assert ranges(tuple((3 * i, 3 * i + 1) for i in range(10))).endswith("21-22 and 2 more ranges")
