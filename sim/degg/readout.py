"""What the digitiser's channels send together: charge stamps and waveforms of whichever are armed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from sim.degg.both_channels import at_once
from sim.degg.clock import DomClock
from sim.degg.digitiser.block import Block
from sim.degg.digitiser.merge import BATCH, Merge
from sim.degg.digitiser.queues import Queue
from sim.degg.digitiser.records import STAMP_BYTES
from sim.degg.digitiser.trigger import DEFAULT_COEFFICIENTS, Trigger, TriggerKind, pre_samples_of
from sim.degg.parts import ReadoutChannel
from sim.degg.refusal import Refused
from sim.kernel import SimTime

WORTH_A_THREAD: Final = 64
"""Stamps; fewer are made sooner than handed over."""
WORTH_A_THREAD_BYTES: Final = 16 << 10
"""Of waveforms: some 60 records."""
MAX_BLOCK: Final = 4 << 20
"""Bytes of a block: 300 000 charge stamps."""
STREAM_BYTES: Final = 4096
"""The public client takes 2048 words of a streamed record at once."""
HIT_BUFFER: Final = 64
"""Added to a stream's number when channels are chosen by a mask and thresholds were set before."""
_KINDS: Final[dict[int, TriggerKind]] = {0: "threshold", 1: "software", 2: "external", 4: "fir"}
_DUAL: Final[dict[int, TriggerKind]] = {3: "dual", 5: "dual_fir"}

Stamps = Callable[[ReadoutChannel, int], Block]


@dataclass(slots=True)
class _Setting:
    """What one channel was told."""

    pre_samples: int = 16
    samples: int = 128
    thresholds: dict[str, int] = field(default_factory=lambda: {"threshold": 16383, "fir": 1 << 20})
    coefficients: tuple[int, ...] = DEFAULT_COEFFICIENTS
    armed: Trigger | None = None
    left: bytearray = field(default_factory=bytearray)
    """Stamps that were made and not sent yet."""
    record: Block | None = None
    """A record of the stream that waits for its turn."""


class Readout:
    """Triggers and streams of a board's two channels. Methods raise Refused."""

    def __init__(self, channels: Sequence[ReadoutChannel], clock: DomClock) -> None:
        self._channels, self._clock = channels, clock
        self._settings = [_Setting() for _ in channels]
        self._record: bytes = b""

    @property
    def armed(self) -> list[int]:
        """Channels with an acquisition."""
        return [ch for ch, setting in enumerate(self._settings) if setting.armed is not None]

    def reset(self) -> None:
        """Forget everything; the channels are reset by whoever calls this."""
        self._settings = [_Setting() for _ in self._channels]
        self._record = b""

    def restart(self, now: SimTime) -> None:
        """Begin the running acquisitions anew: somebody gave up waiting for them."""
        for ch in self.armed:
            trigger = self._settings[ch].armed
            if trigger is not None:
                self._arm(ch, trigger, now)

    def set_shape(self, ch: int, pre_config: int, samples: int) -> None:
        """Shape of the records of the next acquisition."""
        setting = self._settings[ch]
        pre = pre_samples_of(pre_config)
        Trigger("threshold", samples=samples, pre_samples=pre)  # refuses what cannot be
        setting.pre_samples, setting.samples = pre, samples

    def set_threshold(self, ch: int, kind: TriggerKind, threshold: int, now: SimTime) -> None:
        """Threshold of one kind of trigger, at once if it is in use; without any in use, what the scaler counts."""
        setting = self._settings[ch]
        setting.thresholds[kind] = threshold
        if setting.armed is None:
            self._channels[ch].set_discriminator(self._trigger(ch, kind))
        elif setting.armed.kind == kind:
            self._arm(ch, self._trigger(ch, kind), now)

    def set_coefficients(self, ch: int, coefficients: Sequence[int], now: SimTime) -> None:
        """Coefficients of the filter."""
        setting = self._settings[ch]
        Trigger("fir", coefficients=tuple(coefficients))
        setting.coefficients = tuple(coefficients)
        if setting.armed is not None and setting.armed.filtered:
            self._arm(ch, self._trigger(ch, setting.armed.kind, setting.armed.threshold_counts), now)

    def coefficients(self, ch: int) -> tuple[int, ...]:
        """Those of the filter."""
        return self._settings[ch].coefficients

    def enable(self, ch: int, kind: TriggerKind, now: SimTime) -> None:
        """Arm one channel with a threshold that was set before."""
        self._arm(ch, self._trigger(ch, kind), now)

    def disable(self, ch: int, now: SimTime) -> None:
        """End a channel's acquisition; its scaler counts nothing then."""
        self._settings[ch].armed = None
        self._settings[ch].left.clear()
        self._channels[ch].disarm(now)
        self._channels[ch].set_discriminator(None)

    def start_stream(self, first: int, second: int, number: int, now: SimTime) -> None:
        """`startDEggWfmStream`: what the two numbers mean depends on the third. Other acquisitions end."""
        triggers = self._stream(first, second, number)
        for ch in self.armed:
            if ch not in triggers:
                self.disable(ch, now)
        for ch, trigger in triggers.items():
            self._arm(ch, trigger, now)

    def _stream(self, first: int, second: int, number: int) -> dict[int, Trigger]:
        if number in _DUAL:
            kind = _DUAL[number]
            return {ch: self._trigger(ch, kind, (first, second)[ch]) for ch in range(len(self._channels))}
        kind_number = number - HIT_BUFFER if number >= HIT_BUFFER else number
        if kind_number not in _KINDS:
            raise Refused(f"no stream {number}")
        kind = _KINDS[kind_number]
        if number >= HIT_BUFFER:
            chosen = [ch for ch in range(len(self._channels)) if first >> ch & 1]
            return {ch: self._trigger(ch, kind) for ch in chosen}
        if not 0 <= first < len(self._channels):
            raise Refused(f"Bad channel {first}")
        if kind == "software":
            setting = self._settings[first]
            return {first: Trigger(kind, 0, setting.samples, setting.pre_samples, float(second))}
        return {first: self._trigger(first, kind, second)}

    def _trigger(self, ch: int, kind: TriggerKind, threshold: int | None = None) -> Trigger:
        setting = self._settings[ch]
        if threshold is None:
            threshold = setting.thresholds.get(kind, 0)
        return Trigger(
            kind, threshold, setting.samples, setting.pre_samples, coefficients=setting.coefficients
        )

    def _arm(self, ch: int, trigger: Trigger, now: SimTime) -> None:
        self._record = b""
        setting = self._settings[ch]
        setting.left.clear()
        setting.record = None
        self._channels[ch].arm(trigger, now)
        setting.armed = trigger

    def charges(self, n_bytes: int, stamps: Stamps, now: SimTime, until: SimTime) -> Block:
        """Exactly *n_bytes* of charge stamps in the order of time, zeros where no whole stamp fits.

        stamps  asks one channel for so many
        until   what happens later is not waited for: the block is incomplete then
        """
        count = _length(n_bytes) // STAMP_BYTES
        armed = self.armed
        if count == 0:
            return Block(bytes(n_bytes), now)
        if not armed:
            return Block(b"", now, complete=False)
        if len(armed) == 1:
            block = _gathered(self._channels[armed[0]], count, stamps, until)
        else:
            block = self._merged(armed, count, stamps, now, until)
        return Block(block.data + bytes(n_bytes - len(block.data)), block.ready_at, block.complete)

    def _merged(
        self, armed: Sequence[int], count: int, stamps: Stamps, now: SimTime, until: SimTime
    ) -> Block:
        left = {ch: Queue(self._settings[ch].left) for ch in armed}
        merge = Merge(left, count, self._clock.ticks(until))
        while asked := merge.asked():
            takes = [partial(stamps, self._channels[ch], n) for ch, n in asked.items()]
            worth = max(asked.values()) >= WORTH_A_THREAD
            blocks = at_once(takes) if worth else [take() for take in takes]
            for ch, block in zip(asked, blocks, strict=True):
                merge.add(ch, block.data, goes_on=block.complete)
        rows, ticks, stay = merge.in_order()
        for ch, stays in stay.items():
            self._settings[ch].left = bytearray(stays.tobytes())
        ready_at = max(now, self._clock.at(int(ticks[-1]))) if ticks.size else now
        return Block(rows.tobytes(), ready_at, len(rows) == count)

    def waveforms(self, n_bytes: int, now: SimTime) -> Block:
        """Exactly *n_bytes* of records; two channels get half of them each."""
        armed = self.armed
        if not armed:
            return Block(b"", now, complete=False)
        if len(armed) == 1:
            return self._channels[armed[0]].waveform_block(_length(n_bytes), now)
        half = _length(n_bytes) // 4 * 2
        takes = [partial(self._channels[ch].waveform_block, half, now) for ch in armed]
        blocks = at_once(takes) if half >= WORTH_A_THREAD_BYTES else [take() for take in takes]
        data = b"".join(records_of(block.data) for block in blocks)
        ready_at = max(block.ready_at for block in blocks)
        return Block(data + bytes(n_bytes - len(data)), ready_at, any(block.complete for block in blocks))

    def stream_part(self, now: SimTime) -> Block:
        """`readDEggWfmStream`: by turns the word count of a record, and so many of its words as it takes at once."""
        if self._record:
            part, self._record = self._record[:STREAM_BYTES], self._record[STREAM_BYTES:]
            return Block(part, now)
        settings = [self._settings[ch] for ch in self.armed]
        for ch, setting in zip(self.armed, settings, strict=True):
            if setting.record is None:
                setting.record = self._channels[ch].waveform_record(now)
        waiting = [setting.record for setting in settings if setting.record is not None]
        block = min(waiting, key=lambda record: (not record.complete, record.ready_at), default=None)
        if block is None or not block.complete:
            return Block(b"", now, complete=False)
        for setting in settings:
            if setting.record is block or (setting.record is not None and not setting.record.complete):
                setting.record = None
        self._record = block.data[4:]
        return Block(block.data[:4], block.ready_at)


def _gathered(channel: ReadoutChannel, count: int, stamps: Stamps, until: SimTime) -> Block:
    """So many stamps of one channel, in growing pieces."""
    data = bytearray()
    while True:
        got = len(data) // STAMP_BYTES
        block = stamps(channel, min(count - got, max(BATCH, got)))
        data += block.data
        done = len(data) >= count * STAMP_BYTES
        if done or not block.complete or block.ready_at > until:
            return Block(bytes(data), block.ready_at, done and block.complete and block.ready_at <= until)


def records_of(block: bytes) -> bytes:
    """The records of a block of waveforms, without the zeros that fill it."""
    size = 4 + 2 * int.from_bytes(block[:4], "little")
    if size == 4:
        return b""
    # As a rule all are of one size: those are passed in one look.
    counts = np.frombuffer(block, np.uint8, len(block) // size * size).reshape(-1, size)[:, :4]
    others = np.flatnonzero((counts != counts[:1]).any(axis=1))
    end = size * int(others[0] if others.size else len(counts))
    while end + 4 <= len(block) and (words := int.from_bytes(block[end : end + 4], "little")):
        end += 4 + 2 * words
    return block[:end]


def _length(n_bytes: int) -> int:
    if not 0 <= n_bytes <= MAX_BLOCK:
        raise Refused(f"bad length {n_bytes}")
    return n_bytes
