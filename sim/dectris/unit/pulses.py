"""Electrical triggers: trains of pulses on the unit's trigger input, as arithmetic instead of events.

A train of 100 000 pulses a second costs as much as one pulse: what asks, asks for *the pulses from here on* and gets
the rest of a train.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from sim.errors import SimError
from sim.kernel import NS_PER_S

MAX_TRAINS: Final = 10_000
"""Trains that an input remembers while the unit has not looked at them."""


class PulsesRefused(SimError):
    """These pulses cannot be made; one sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class PulseTrain:
    """Pulses at regular times. Times in ns of simulated time."""

    first_ns: int
    period_ns: int = 1
    count: int = 1
    width_ns: int = 0
    """How long the line stays high; 0: a pulse that says nothing of exposure."""

    @property
    def last_ns(self) -> int:
        """When the last pulse comes."""
        return self.first_ns + (self.count - 1) * self.period_ns

    def before(self, when_ns: int) -> int:
        """How many pulses come before a moment."""
        return min(self.count, max(0, -((self.first_ns - when_ns) // self.period_ns)))

    def without(self, pulses: int) -> PulseTrain:
        """What is left after the first *pulses*, at least one."""
        first = self.first_ns + pulses * self.period_ns
        return PulseTrain(first, self.period_ns, self.count - pulses, self.width_ns)


class PulseLine(Protocol):
    """The trigger input of a unit: pulses in the order of time, each of which is looked at once."""

    def begin(self, series: int, armed_ns: int, cycle_ns: int) -> None:
        """A series was armed. *cycle_ns* is how soon after one trigger the unit takes the next."""
        ...

    def head(self) -> PulseTrain | None:
        """The next pulses; None: none are known."""
        ...

    def discard_before(self, when_ns: int) -> int:
        """Forget the pulses before a moment; returns how many those were."""
        ...


class ExternalLine:
    """Pulses that somebody outside makes, now."""

    def __init__(self) -> None:
        self._trains: deque[PulseTrain] = deque()

    def begin(self, series: int, armed_ns: int, cycle_ns: int) -> None:
        """Whoever makes the pulses does not know of the series."""

    def add(self, train: PulseTrain) -> None:
        """Put pulses on the line. Raises PulsesRefused while an earlier train runs, and when too many wait."""
        if self._trains and self._trains[-1].last_ns > train.first_ns:
            left_s = (self._trains[-1].last_ns - train.first_ns) / NS_PER_S
            raise PulsesRefused(f"a train of pulses still runs for {left_s:.6g} s")
        if len(self._trains) >= MAX_TRAINS:
            raise PulsesRefused(f"{MAX_TRAINS} pulses wait for the control unit, which stands still")
        self._trains.append(train)

    def head(self) -> PulseTrain | None:
        """The next pulses."""
        return self._trains[0] if self._trains else None

    def discard_before(self, when_ns: int) -> int:
        """Forget the pulses before a moment."""
        discarded = 0
        while self._trains:
            train = self._trains[0]
            gone = train.before(when_ns)
            discarded += gone
            if gone == train.count:
                self._trains.popleft()
                continue
            if gone:
                self._trains[0] = train.without(gone)
            break
        return discarded


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a generator does after each arm. Times in ns."""

    delay_ns: int
    """From arm to the first pulse."""
    period_ns: int
    """From one burst to the next; 0: as soon as the unit takes the next trigger."""
    jitter_ns: int
    """Each pulse comes at most this much early or late."""
    bursts: int
    """How many; 0: without end."""
    burst: int
    """Pulses of a burst."""
    burst_period_ns: int
    width_ns: int


ENDLESS: Final = 1 << 60


class Generator:
    """Pulses that follow each arm in a fixed rhythm, as from a generator that is started by the unit's ready output."""

    def __init__(self, rhythm: Rhythm, seed: int, serial: str) -> None:
        self._rhythm = rhythm
        self._key = f"{seed}/{serial}/pulses"
        self._series, self._first_ns, self._period_ns = 0, 0, 1
        self._pulse = 0
        self._pulses = 0

    def begin(self, series: int, armed_ns: int, cycle_ns: int) -> None:
        """Start again with the armed series."""
        rhythm = self._rhythm
        self._series, self._first_ns = series, armed_ns + rhythm.delay_ns
        within_ns = rhythm.burst_period_ns if rhythm.burst > 1 else 0
        self._period_ns = rhythm.period_ns or rhythm.burst * max(cycle_ns, within_ns)
        self._pulse = 0
        self._pulses = (rhythm.bursts or ENDLESS) * rhythm.burst

    def head(self) -> PulseTrain | None:
        """The rest of the train or burst, or the next pulse alone when pulses jitter."""
        if self._pulse >= self._pulses:
            return None
        rhythm = self._rhythm
        if rhythm.jitter_ns:
            return PulseTrain(self._time(self._pulse), 1, 1, rhythm.width_ns)
        start = self._time(self._pulse)
        if rhythm.burst == 1:
            return PulseTrain(start, self._period_ns, self._pulses - self._pulse, rhythm.width_ns)
        left = rhythm.burst - self._pulse % rhythm.burst
        return PulseTrain(start, rhythm.burst_period_ns, left, rhythm.width_ns)

    def discard_before(self, when_ns: int) -> int:
        """Forget the pulses before a moment."""
        discarded = 0
        while (train := self.head()) is not None:
            gone = train.before(when_ns)
            self._pulse += gone
            discarded += gone
            if gone < train.count:
                break
        return discarded

    def _time(self, pulse: int) -> int:
        burst, within = divmod(pulse, self._rhythm.burst)
        nominal = self._first_ns + burst * self._period_ns + within * self._rhythm.burst_period_ns
        return nominal + self._early_or_late(pulse)

    def _early_or_late(self, pulse: int) -> int:
        jitter = self._rhythm.jitter_ns
        if not jitter:
            return 0
        digest = hashlib.sha256(f"{self._key}/{self._series}/{pulse}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % (2 * jitter + 1) - jitter
