"""Events of one module: arm, read block after block, disarm.

A block is answered when its last event has happened, so its size follows the rate: some seconds of events, whatever
the rate is. On a bench whose clock does not follow the wall blocks come at once and the acquisition runs ahead of the
clock; `Station.spend` gives the clock what the events span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fat.degg.station.console import MAX_BLOCK, Console
from fat.degg.station.errors import EventsMissing
from fat.degg.station.records import (
    STAMP_BYTES,
    TICKS_PER_S,
    ChargeStamps,
    Waveforms,
    joined_stamps,
    joined_waveforms,
    read_stamps,
    read_waveforms,
    record_bytes,
)

Trigger = Literal["threshold", "fir", "external", "software"]

FIR_COEFFICIENTS: Final = (0,) * 10 + (1, 1) + (0,) * 4
"""Two neighbouring samples, as the module has them after power-on; we set them, so that it is sure."""
FIR_SCALE: Final = 16
"""Public code computes the filter's threshold as counts over the baseline x sum of the coefficients x 16."""
PATIENCE_S: Final = 30.0
"""How long a block may take."""
LONGEST_S: Final = 900.0
"""Of acquisition time, after which what has come is what there is."""
BLOCK_S: Final = 4.0
"""Events of so many seconds make a block. A board closes a block of waveforms after 5 s."""
FIRST_EVENTS: Final = 50
MOST_BYTES: Final = 1 << 20
EMPTY_BLOCKS: Final = 3
"""After so many blocks without an event a channel has none."""
_STREAMS: Final[Mapping[Trigger, int]] = {"threshold": 0, "software": 1, "external": 2, "fir": 4}
_DUAL: Final[Mapping[Trigger, int]] = {"threshold": 3, "fir": 5}


class Events(Protocol):
    """Waveforms or charge stamps of one channel."""

    @property
    def ticks(self) -> NDArray[np.int64]:
        """(n) times, 240 MHz."""
        ...


E_ = TypeVar("E_", bound=Events)


def fir_threshold(counts: float) -> int:
    """The filter's threshold for pulses so many counts over the baseline."""
    return round(counts * sum(FIR_COEFFICIENTS) * FIR_SCALE)


@dataclass(frozen=True, slots=True)
class Window:
    """Where a charge is summed: samples before and after the peak, or a fixed range of samples, both included."""

    first: int = 10
    last: int = 15
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an acquisition is to bring.

    n           events of each channel
    thresholds  of each channel: ADC counts, baseline included; of trigger `fir` the filter's output
                (`fir_threshold`); of `software` the period in ms
    samples     of a record, a multiple of 4
    pre         what `setDEggConstReadout` takes for the samples before the trigger: 1 means 16, each more 8 more
    patience_s  how long a block may take
    longest_s   of acquisition time
    """

    n: int
    thresholds: Mapping[int, int]
    trigger: Trigger = "threshold"
    samples: int = 128
    pre: int = 1
    patience_s: float = PATIENCE_S
    longest_s: float = LONGEST_S

    @property
    def channels(self) -> Sequence[int]:
        """Those that take part."""
        return sorted(self.thresholds)


def take_waveforms(console: Console, wanted: Wanted) -> dict[int, Waveforms]:
    """Waveforms by channel: *n* of each, or fewer where no more came."""

    def read(events: int) -> dict[int, Waveforms]:
        length = record_bytes(wanted.samples) * events
        data = console.block(f"{length} readDEggWfmBlock", length, wanted.patience_s)
        return read_waveforms(data, wanted.samples, console.name)

    parts = _in_turns(console, wanted, _start_stream, read, record_bytes(wanted.samples))
    return {ch: joined_waveforms(parts[ch], wanted.n, wanted.samples) for ch in wanted.channels}


def take_stamps(console: Console, wanted: Wanted, window: Window) -> dict[int, ChargeStamps]:
    """Charge stamps by channel: *n* of each, or fewer where no more came."""
    word = "readDEggChargeBlockFixed" if window.fixed else "readDEggChargeBlock"

    def read(events: int) -> dict[int, ChargeStamps]:
        length = STAMP_BYTES * events
        data = console.block(f"{length} {window.first} {window.last} {word}", length, wanted.patience_s)
        return read_stamps(data, console.name)

    parts = _in_turns(console, wanted, arm_words, read, STAMP_BYTES)
    return {ch: joined_stamps(parts[ch], wanted.n) for ch in wanted.channels}


def shape_words(wanted: Wanted) -> list[str]:
    """What tells the board what the records look like."""
    words = [f"{ch} {wanted.pre} {wanted.samples} setDEggConstReadout" for ch in wanted.channels]
    if wanted.trigger == "fir":
        taps = " ".join(map(str, FIR_COEFFICIENTS))
        words += [f"{ch} {taps} setDEggFIRCoefficients" for ch in wanted.channels]
    return words


def _in_turns(
    console: Console,
    wanted: Wanted,
    start: Callable[[Wanted], list[str]],
    read: Callable[[int], dict[int, E_]],
    size: int,
) -> dict[int, list[E_]]:
    """Both channels at once where the board can, else one after the other."""
    if len(wanted.channels) > 1 and wanted.trigger not in _DUAL:
        found: dict[int, list[E_]] = {}
        for ch in wanted.channels:
            alone = Wanted(
                wanted.n,
                {ch: wanted.thresholds[ch]},
                wanted.trigger,
                wanted.samples,
                wanted.pre,
                wanted.patience_s,
                wanted.longest_s,
            )
            found |= _in_turns(console, alone, start, read, size)
        return found
    console.do(*shape_words(wanted), *start(wanted))  # one line: a scan does this 160 times
    try:
        return _Collection(wanted, size, read).run()
    finally:
        console.do(*(f"{ch} disableDEggTriggers" for ch in wanted.channels))


def _start_stream(wanted: Wanted) -> list[str]:
    channels = wanted.channels
    if len(channels) > 1:
        first, second = (wanted.thresholds[ch] for ch in channels)
        return [f"{first} {second} {_DUAL[wanted.trigger]} startDEggWfmStream"]
    ch = channels[0]
    value = 0 if wanted.trigger == "external" else wanted.thresholds[ch]
    return [f"{ch} {value} {_STREAMS[wanted.trigger]} startDEggWfmStream"]


def arm_words(wanted: Wanted) -> list[str]:
    """Charge stamps: thresholds first, then the channels; external and software triggers have a stream alone."""
    if wanted.trigger not in _DUAL:
        return _start_stream(wanted)
    kind = "ADC" if wanted.trigger == "threshold" else "FIR"
    words = [f"{ch} {wanted.thresholds[ch]} setDEgg{kind}TriggerThreshold" for ch in wanted.channels]
    return [*words, *(f"{ch} enableDEgg{kind}Trigger" for ch in wanted.channels)]


class _Collection(Generic[E_]):
    """Blocks of an acquisition, until there are enough events."""

    def __init__(self, wanted: Wanted, size: int, read: Callable[[int], dict[int, E_]]) -> None:
        self._wanted, self._size, self._read = wanted, size, read
        self._parts: dict[int, list[E_]] = {ch: [] for ch in wanted.channels}
        self._count = dict.fromkeys(wanted.channels, 0)
        self._empty = dict.fromkeys(wanted.channels, 0)
        self._block = FIRST_EVENTS * len(wanted.channels)

    def run(self) -> dict[int, list[E_]]:
        """Read until each channel has its events, or has none any more."""
        while waiting := [ch for ch in self._count if self._waits(ch)]:
            left = max(self._wanted.n - self._count[ch] for ch in waiting) * len(self._count)
            try:
                block = self._read(min(left, self._block, min(MOST_BYTES, MAX_BLOCK) // self._size))
            except EventsMissing:
                break
            self._take(block)
        return self._parts

    def _waits(self, ch: int) -> bool:
        return (
            self._count[ch] < self._wanted.n
            and self._empty[ch] < EMPTY_BLOCKS
            and self._covered_s() < self._wanted.longest_s
        )

    def _take(self, block: Mapping[int, E_]) -> None:
        rate = 0.0
        for ch in self._count:
            events = block.get(ch)
            if events is None or not events.ticks.size:
                self._empty[ch] += 1
                continue
            self._empty[ch] = 0
            self._parts[ch].append(events)
            self._count[ch] += events.ticks.size
            span = float(events.ticks[-1] - events.ticks[0]) / TICKS_PER_S
            rate += (events.ticks.size - 1) / span if span > 0 else 0.0
        # Half a block for each channel, however their rates differ: the board divides blocks so.
        self._block = max(FIRST_EVENTS, int(rate * BLOCK_S))

    def _covered_s(self) -> float:
        spans = [
            float(parts[-1].ticks[-1] - parts[0].ticks[0]) / TICKS_PER_S
            for parts in self._parts.values()
            if parts
        ]
        return max(spans, default=0.0)
