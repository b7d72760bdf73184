"""One channel of a digitiser, whatever signal it digitises.

Time of an acquisition: it begins at `arm`, and each block goes on where the last one ended. What nobody fetches is
kept for `figures.buffer_s`; if a block is asked for later than that, the acquisition goes on at now less the buffer;
`overflows` tells how often and `lost_s` how many seconds were lost. Where the clock does not follow the wall, the
cursor runs ahead of it: the future is made as if nothing changed until then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Final

from sim.degg.clock import DomClock
from sim.degg.digitiser.acquisition import Acquisition, Analogue, Events, Window
from sim.degg.digitiser.block import Block
from sim.degg.digitiser.records import STAMP_BYTES, bytes_of_record, stamps
from sim.degg.digitiser.scaler import Scaler
from sim.degg.digitiser.segment import Flashes, Segment
from sim.degg.digitiser.trigger import Trigger
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.keys import key_of
from sim.degg.refusal import Refused
from sim.kernel import SimTime

MOST_STAMPS: Final = 100_000
MOST_BYTES: Final = 1 << 22
DAC_DEFAULT: Final = 30_000
MOST_DAC: Final = 65_535
LONGEST_PERIOD_US: Final = 60_000_000


class DigitiserChannel(ABC):
    """What both kinds of channel do. Everything raises Refused for what the hardware would refuse."""

    def __init__(
        self, number: int, figures: PhotomultiplierFigures, clock: DomClock, seed: int, serial: str
    ) -> None:
        self.number = number
        self._figures, self._clock, self._seed, self._serial = figures, clock, seed, serial
        self._requests = 0
        self._dac = DAC_DEFAULT
        self._acquisition: Acquisition | None = None
        self._discriminator: Trigger | None = None
        self._scaler: Scaler | None = None
        self._calibration: Flashes | None = None

    @property
    def armed(self) -> bool:
        """Whether an acquisition runs."""
        return self._acquisition is not None

    @property
    def overflows(self) -> int:
        """How often since `arm` events were lost because nobody fetched them."""
        return self._acquisition.overflows if self._acquisition else 0

    @property
    def overflown(self) -> bool:
        """Whether events were lost since `arm` (`isHitBufferOverflown`)."""
        return self.overflows > 0

    @property
    def lost_s(self) -> float:
        """Seconds of simulated time since `arm` whose events were lost so."""
        return self._acquisition.lost_s if self._acquisition else 0.0

    def set_dac(self, value: int) -> None:
        """Set the baseline's converter, 0..65535."""
        if not 0 <= value <= MOST_DAC:
            raise Refused(f"DAC value must be 0..{MOST_DAC}")
        self._dac = value

    def baseline_counts(self) -> float:
        """The baseline that the converter makes, ADC counts."""
        return self._analogue().baseline

    def arm(self, trigger: Trigger, now: SimTime) -> None:
        """Begin an acquisition. Its trigger becomes the scaler's discriminator too, unless it goes by time."""
        self._acquisition = Acquisition(
            self.number, trigger, self._clock, self, self._figures.rearm_ticks, now
        )
        if not trigger.scheduled:
            self._discriminator = trigger

    def disarm(self, now: SimTime) -> None:  # noqa: ARG002  # like the other commands
        """End the acquisition (`endStream`)."""
        self._acquisition = None

    def charge_block(self, n: int, now: SimTime, *, backward: int = 10, forward: int = 15) -> Block:
        """*n* charge stamps of 14 bytes; charge summed from *backward* samples before the peak to *forward* after."""
        return self._stamps(n, Window(False, backward, forward), now)

    def charge_block_fixed(self, n: int, first: int, last: int, now: SimTime) -> Block:
        """*n* charge stamps; charge summed over samples *first*..*last* of the record, both included."""
        return self._stamps(n, Window(True, first, last), now)

    def charge_events(self, n: int, window: Window, now: SimTime) -> Events:
        """The next *n* events with their charges, for streams of two channels."""
        if not 0 <= n <= MOST_STAMPS:
            raise Refused(f"a block holds 0..{MOST_STAMPS} charge stamps")
        if min(window.first, window.last) < 0 or max(window.first, window.last) >= 1 << 16:
            raise Refused("charge window out of range")
        return self._events(n, now, window, waveforms=False)

    def waveform_events(self, n: int, now: SimTime) -> Events:
        """The next *n* events with their records; fewer after `figures.block_wait_s`."""
        return self._events(n, now, None, waveforms=True)

    def waveform_block(self, n_bytes: int, now: SimTime) -> Block:
        """Exactly *n_bytes*: as many records as fit, closed early after `figures.block_wait_s`, then zeros."""
        if not 0 <= n_bytes <= MOST_BYTES:
            raise Refused(f"a block of waveforms holds 0..{MOST_BYTES} bytes")
        samples = self._running().trigger.samples
        events = self.waveform_events(n_bytes // bytes_of_record(samples), now)
        data = events.words.astype("<u2", copy=False).tobytes()
        return Block(data + bytes(n_bytes - len(data)), self._clock.at(events.end_tick))

    def waveform_record(self, now: SimTime) -> Block:
        """One record with its word count (`readDEggWfmStream`); incomplete if there is none in time."""
        self._running()
        events = self.waveform_events(1, now)
        return Block(events.words.astype("<u2").tobytes(), self._clock.at(events.end_tick), events.full)

    def set_discriminator(self, trigger: Trigger | None) -> None:
        """What the scaler counts (kinds threshold and fir); None: `disableDEggTriggers`."""
        self._discriminator = trigger

    def enable_scaler(self, period_us: int, dead_cycles: int, now: SimTime) -> None:
        """Begin to count in periods; after each count the scaler is blind for *dead_cycles* of 240 MHz."""
        if not 1 <= period_us <= LONGEST_PERIOD_US or not 0 <= dead_cycles < 1 << 24:
            raise Refused("scaler period or dead time out of range")
        self._requests += 1
        key = f"{self._seed}/{self._serial}/{self.number}/scaler/{self._requests}"
        self._scaler = Scaler(period_us, dead_cycles, self._clock, self, key, now)

    def scaler_count(self, now: SimTime) -> int:
        """Count of the last full period; 0 before the first has ended, or when nothing is counted."""
        if self._scaler is None:
            return 0
        return self._scaler.count(self._discriminator, self._analogue(), now)

    def flash(self, mask: int, bias: int, period_us: float | None, now: SimTime) -> None:
        """The calibration trigger and the LEDs that it fires; None stops it. To be called on both channels.

        It starts records of kind `external` on both; the lower photomultiplier alone sees the light.
        """
        if period_us is not None and not 0.1 <= period_us <= LONGEST_PERIOD_US:
            raise Refused("calibration trigger out of range")
        if not 0 <= mask < 1 << 16 or not 0 <= bias < 1 << 16:
            raise Refused("flasher mask or bias out of range")
        self._calibration = None if period_us is None else Flashes(now, Fraction(period_us) * 1000)

    def reset(self, now: SimTime) -> None:
        """Power was lost or the board starts anew: as delivered."""
        self.disarm(now)
        self._dac, self._discriminator, self._scaler, self._calibration = DAC_DEFAULT, None, None, None

    @abstractmethod
    def segment(self, at: SimTime) -> Segment:
        """What holds from a moment on."""

    @abstractmethod
    def _analogue(self) -> Analogue: ...

    def _running(self) -> Acquisition:
        if self._acquisition is None:
            raise Refused("no trigger is armed")
        return self._acquisition

    def _stamps(self, n: int, window: Window, now: SimTime) -> Block:
        events = self.charge_events(n, window, now)
        data = stamps(self.number, events.ticks, events.charges)
        assert len(data) == STAMP_BYTES * events.ticks.size
        return Block(data, self._clock.at(events.end_tick), events.full)

    def _events(self, n: int, now: SimTime, window: Window | None, *, waveforms: bool) -> Events:
        acquisition = self._running()
        acquisition.catch_up(now, self._figures.buffer_s)
        self._requests += 1
        key = key_of(self._seed, self._serial, self.number, "block", self._requests)
        return acquisition.take(
            n,
            key,
            self._analogue(),
            now,
            waveforms=waveforms,
            window=window or Window(False, 10, 15),
            wait_s=self._figures.block_wait_s if waveforms else self._figures.patience_s,
            calibration=self._calibration,
        )
