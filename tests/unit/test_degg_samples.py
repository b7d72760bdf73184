"""Samples that nobody looks at are not made, and nothing that is sent shows it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.degg.channel import Trigger
from sim.degg.clock import DomClock
from sim.degg.digitiser.acquisition import AROUND, Window
from sim.degg.digitiser.segment import Flashes
from sim.degg.readout import records_of
from sim.degg.surroundings import Light
from sim.kernel import SimTime
from sim.kernel.transcript import printable

HEADER = 19
"""Words before the samples of a record."""
LASER = Light(SimTime(1_012_345), 500.0, 0.01)
COUNTS = {"within the noise": 4, "just above the noise": 12, "high": 150, "below the baseline": -40}


def trigger_of(kind: str, degg: Any, channel: Any) -> Any:
    if kind == "software":
        return Trigger("software", period_ms=0.3)
    return degg.fir(12) if kind == "filter" else degg.level(channel, COUNTS[kind], samples=48)


@pytest.mark.parametrize("kind", [*COUNTS, "filter", "software"])
@pytest.mark.parametrize("window", [AROUND, Window(True, 14, 30), Window(True, 30, 14)], ids=str)
def test_charges_alone_are_those_of_the_waveforms_that_the_same_events_would_send(
    degg: Any, kind: str, window: Window
) -> None:
    charges, samples = (degg.channel(degg.Room(on=LASER))[0] for _ in range(2))
    for of in (charges, samples):
        of.arm(trigger_of(kind, degg, of), degg.at(60))
    for _ in range(2):  # the second block goes on behind the first: so much was drawn of one as of the other
        alone = charges.charge_events(150, window, degg.at(60))
        sent = samples.waveform_events(150, degg.at(60))
        assert alone.ticks.tolist() == sent.ticks.tolist()
        # Summed anew from the samples as they were sent.
        counts = (sent.words[:, HEADER:-2] >> 2).astype(float) - samples.baseline_counts()
        peaks = np.zeros(150, int) if window.fixed else counts.argmax(axis=1)
        first, last = (
            (window.first, window.last) if window.fixed else (peaks - window.first, peaks + window.last)
        )
        place = np.arange(counts.shape[1])[None, :]
        inside = (place >= np.reshape(first, (-1, 1))) & (place <= np.reshape(last, (-1, 1)))
        np.testing.assert_allclose(alone.charges, (counts * inside).sum(axis=1), rtol=0, atol=1e-6)


@given(
    ppm=st.floats(-20, 20),
    offset=st.integers(0, 3_600 * 10**9),
    at=st.integers(0, 10**15),
    base=st.integers(0, 10**15),
)
def test_ticks_in_whole_numbers_are_those_of_the_fractions(
    ppm: float, offset: int, at: int, base: int
) -> None:
    clock, moment = DomClock(offset, ppm), SimTime(at)
    exact = clock.exact(moment)
    assert clock.after(moment, base) == float(exact - base)
    assert clock.ceiling(moment) - 1 < exact <= clock.ceiling(moment)


@given(
    ppm=st.floats(-20, 20),
    since=st.integers(0, 10**14),
    hz=st.floats(0.01, 1e6),
    base=st.integers(0, 10**14),
    after=st.floats(-1e12, 1e12),
)
def test_the_next_flash_is_that_of_the_fractions(
    ppm: float, since: int, hz: float, base: int, after: float
) -> None:
    clock = DomClock(12_345, ppm)
    flashes = Flashes(SimTime(since), Fraction(10**9) / Fraction(hz))
    period, begins = flashes.period_ns * clock.rate, clock.exact(flashes.since) - base
    skipped = max(0, -((begins - Fraction(after)) // period))
    assert flashes.first(clock, base, after) == (float(begins + skipped * period), float(period))


def test_records_of_a_block_end_where_a_word_count_is_zero() -> None:
    record, other = (5).to_bytes(4, "little") + b"x" * 10, (2).to_bytes(4, "little") + b"y" * 4
    for records in (b"", record, record * 40, record * 3 + other * 2 + record, other):
        for zeros in (0, 3, 4, 500):
            assert records_of(records + bytes(zeros)) == records


def test_a_transcript_shows_each_byte_as_python_would_write_it() -> None:
    for byte in range(256):
        expected = chr(byte) if 32 <= byte < 127 and byte != 92 else repr(bytes([byte]))[2:-1]
        assert printable(bytes([byte])) == expected
