"""A block of charge stamps of two channels: in the order of time, none lost, none twice, both made at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.degg import readout
from sim.degg.both_channels import at_once
from sim.degg.channel import Channel
from sim.degg.digitiser.merge import BATCH, GROWTH, Merge
from sim.degg.digitiser.queues import Queue
from sim.degg.digitiser.records import STAMP_BYTES, stamps
from sim.degg.faults import MODULE_FAULTS
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.readout import Readout
from sim.degg.surroundings import Light
from sim.degg.truth import ModuleTruth
from sim.kernel import FaultBoard, SimTime

NEVER = 1 << 60


class Source:
    """A channel that has stamps at given ticks, and then none."""

    def __init__(self, number: int, ticks: list[int]) -> None:
        self.number, self.ticks, self.sent = number, ticks, 0

    def make(self, n: int) -> tuple[bytes, bool]:
        part = self.ticks[self.sent : self.sent + n]
        self.sent += len(part)
        charges = np.arange(self.sent - len(part), self.sent, dtype=float)
        return stamps(self.number, np.array(part, np.int64), charges), len(part) == n


def filled(merge: Merge, sources: list[Source]) -> Merge:
    while asked := merge.asked():
        for ch, n in asked.items():
            assert BATCH <= n <= max(BATCH, GROWTH * sources[ch].sent)
            data, goes_on = sources[ch].make(n)
            merge.add(ch, data, goes_on=goes_on)
    return merge


ticks_of_a_channel = st.lists(st.integers(0, 3000), max_size=400).map(sorted)


@given(ticks_of_a_channel, ticks_of_a_channel, st.lists(st.integers(1, 150), min_size=1, max_size=6))
def test_blocks_are_the_stamps_in_order(first: list[int], second: list[int], counts: list[int]) -> None:
    sources = [Source(0, first), Source(1, second)]
    left = {0: Queue(b""), 1: Queue(b"")}
    sent: list[tuple[int, int]] = []
    for count in counts:
        merge = filled(Merge(left, count, NEVER), sources)
        rows, ticks, stay = merge.in_order()
        assert len(rows) == min(count, len(first) + len(second) - len(sent))
        sent += zip(ticks.tolist(), rows[:, 1].tolist(), strict=True)
        left = {ch: Queue(stays.tobytes()) for ch, stays in stay.items()}
    every = sorted([(tick, 0) for tick in first] + [(tick, 1) for tick in second])
    assert sent == every[: len(sent)]


@given(ticks_of_a_channel, ticks_of_a_channel, st.integers(0, 3000))
def test_nothing_is_waited_for_beyond_the_patience(first: list[int], second: list[int], until: int) -> None:
    sources = [Source(0, first), Source(1, second)]
    merge = filled(Merge({0: Queue(b""), 1: Queue(b"")}, 10_000, until), sources)
    _, ticks, stay = merge.in_order()
    assert ticks.tolist() == sorted(tick for tick in first + second if tick <= until)
    made = sources[0].sent + sources[1].sent
    assert made == len(ticks) + sum(len(rows) for rows in stay.values())


class Lit:
    """A laboratory with light at 500 Hz."""

    def light(self, at: SimTime) -> Light:
        return Light(SimTime(0), 500.0, 0.001)

    sync = light

    def light_changes_after(self, at: SimTime) -> None:
        return None

    def dark_for_s(self, at: SimTime) -> float:
        return 0.0

    def glass_temperature(self, at: SimTime) -> float:
        return -20.0

    board_temperature = glass_temperature

    def powered_since(self, at: SimTime) -> SimTime:
        return SimTime(0)


def board() -> tuple[Readout, list[Channel]]:
    truth, faults = ModuleTruth.of(3, "DEgg2021-3-100"), FaultBoard("degg.5000", MODULE_FAULTS)
    channels = [
        Channel(pmt, number, Lit(), faults, 3, "DEgg2021-3-100", PhotomultiplierFigures(), truth.clock())
        for number, pmt in enumerate(truth.channels)
    ]
    for channel in channels:
        channel.hv.enable(True, SimTime(0))
        channel.hv.set(1450.0, SimTime(0))
    return Readout(channels, truth.clock()), channels


def blocks() -> list[bytes]:
    """Charge stamps and waveforms of both channels."""
    now = SimTime(60_000_000_000)
    both, channels = board()
    for ch, channel in enumerate(channels):
        both.set_threshold(ch, "threshold", int(channel.baseline_counts()) + 15, now)
        both.enable(ch, "threshold", now)
    later = SimTime(2 * now)
    found = [both.charges(n * STAMP_BYTES, lambda channel, k: channel.charge_block(k, now), now, later)
             for n in (100, 1000)]  # fmt: skip
    assert all(block.complete for block in found)
    return [*(block.data for block in found), both.waveforms(100_000, now).data]


def test_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def told(works: list[Callable[[], object]]) -> list[object]:
        def named(work: Callable[[], object]) -> object:
            used.append(threading.current_thread().name)
            return work()

        return at_once([partial(named, work) for work in works])

    monkeypatch.setattr(readout, "at_once", told)
    together = blocks()
    assert {name.startswith("second channel") for name in used} == {True, False}
    monkeypatch.setattr(readout, "at_once", lambda works: [work() for work in works])
    assert blocks() == together


def test_what_fails_on_the_other_thread_is_raised_when_both_have_ended() -> None:
    ended = threading.Event()

    def fails() -> None:
        raise ValueError("no signal")

    with pytest.raises(ValueError, match="no signal"):
        at_once([ended.set, fails])
    assert ended.is_set()
    waited = threading.Event()
    with pytest.raises(ValueError, match="no signal"):
        at_once([fails, waited.set])
    assert waited.is_set()
    assert at_once([lambda: 1, lambda: 2]) == [1, 2]
    assert at_once([]) == []
