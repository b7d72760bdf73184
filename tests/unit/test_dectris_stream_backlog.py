"""What waits for the streams' sender, and what faults make of it: no image is lost, doubled or moved unasked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.fault_specs import STREAM_FAULTS
from sim.dectris.images.frames import Layout
from sim.dectris.sinks import ImageRun
from sim.dectris.stream.backlog import Backlog, Item, Run, Sending, head, rest
from sim.dectris.stream.faults import StreamFaults
from sim.dectris.stream.series import LegacyMessages
from sim.kernel import FaultBoard

Make = Callable[..., Any]
counts = st.lists(st.integers(1, 9), min_size=1, max_size=8)
IMAGE_FAULTS = ["drop_frame", "duplicate_frame", "reorder_frames", "corrupt_blob"]


def sending_of(armed_series: Make, stream_keys: Make) -> Sending:
    return Sending(LegacyMessages(armed_series(Layout(24, 16, 16, "none")), stream_keys()), "legacy")


def runs_of(sizes: list[int]) -> list[ImageRun]:
    firsts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [ImageRun(first, size, 100 * first, 100, 90, 0) for first, size in zip(firsts, sizes, strict=True)]


def drained(backlog: Backlog, step: int) -> list[Item]:
    """What a sender takes that handles *step* images at a time."""
    taken: list[Item] = []
    while (item := backlog.front()) is not None:
        if isinstance(item, Run):
            part = head(item.run, step)
            taken.append(Run(item.sending, part))
            backlog.advance(item, part.count)
        else:
            taken.append(item)
            backlog.advance(item, item.images)
    return taken


def numbers_of(items: list[Item]) -> list[int]:
    numbers: list[int] = []
    for item in items:
        if isinstance(item, Run):
            numbers += range(item.run.first, item.run.first + item.run.count)
        else:
            part = bytes(item.make()[0])
            if b'"frame":' in part:
                numbers.append(int(part.split(b'"frame":')[1].split(b",")[0]))
    return numbers


@settings(max_examples=50, derandomize=True, deadline=None)
@given(counts, st.integers(1, 5))
def test_runs_leave_as_they_came_however_they_are_cut(
    armed_series: Make, stream_keys: Make, sizes: list[int], step: int
) -> None:
    backlog, sending = Backlog(), sending_of(armed_series, stream_keys)
    for run in runs_of(sizes):
        backlog.put(Run(sending, run))
    assert backlog.images == sum(sizes)
    taken = drained(backlog, step)
    assert numbers_of(taken) == list(range(sum(sizes)))
    assert all(isinstance(item, Run) and item.run.start_ns == 100 * item.run.first for item in taken)
    assert backlog.images == 0
    assert sending.tally.dropped == 0


@settings(max_examples=50, derandomize=True, deadline=None)
@given(counts, st.integers(0, 100), st.sampled_from(IMAGE_FAULTS), st.integers(0, 40), st.integers(1, 5))
def test_a_fault_strikes_the_frames_that_were_asked_for_and_no_other(
    armed_series: Make, stream_keys: Make, sizes: list[int], step: int, fault: str, first: int, times: int
) -> None:
    board, sending, backlog = (
        FaultBoard("dcu", STREAM_FAULTS),
        sending_of(armed_series, stream_keys),
        Backlog(),
    )
    board.switch_on(fault, times=times, from_frame=first)
    faults = StreamFaults(board)
    for run in runs_of(sizes):
        for item in faults.images(sending, run):
            backlog.put(item)
    for item in faults.end(sending):
        backlog.put(item)
    seen, every = numbers_of(drained(backlog, step + 1)), list(range(sum(sizes)))
    struck = every[first : first + times]
    if fault == "drop_frame":
        assert seen == [number for number in every if number not in struck]
    elif fault == "duplicate_frame":
        assert seen == sorted(every + struck)
    else:
        assert sorted(seen) == every
        assert fault == "reorder_frames" or seen == every
        assert seen[:first] == every[:first]


@settings(max_examples=25, derandomize=True, deadline=None)
@given(counts, st.integers(1, 9), st.integers(0, 9))
def test_what_is_discarded_counts_as_dropped_and_what_was_handled_does_not(
    armed_series: Make, stream_keys: Make, sizes: list[int], step: int, late: int
) -> None:
    backlog, sending = Backlog(), sending_of(armed_series, stream_keys)
    for run in runs_of(sizes):
        backlog.put(Run(sending, run))
    item = backlog.front()
    assert isinstance(item, Run)
    part = head(item.run, step)
    backlog.discard_images()  # while the sender is at the front item
    sending.tally.sent += part.count
    backlog.advance(item, part.count)
    assert sending.tally.sent + sending.tally.dropped == sum(sizes)
    assert backlog.images == 0
    assert rest(part, part.count).count == 0
