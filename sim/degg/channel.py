"""One channel of a mainboard: photomultiplier, high voltage and digitiser, as the console's words use them.

Time of an acquisition: it begins at `arm`, and each block goes on where the last one ended. What nobody fetches is
kept for `figures.buffer_s`; if a block is asked for later than that, the acquisition goes on at now less the buffer,
and `overflows` tells how often and `lost_s` how many seconds were lost. Where the clock does not follow the wall, the
cursor runs ahead of it: the future is made as if nothing changed until then.
"""

from __future__ import annotations

from sim.degg.clock import DomClock
from sim.degg.digitiser.block import Block
from sim.degg.digitiser.trigger import Trigger
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.photomultiplier.high_voltage import HighVoltage
from sim.degg.surroundings import Room
from sim.degg.truth import PmtTruth
from sim.kernel import FaultBoard, SimTime

__all__ = ["Block", "Channel", "SyncChannel", "Trigger"]


class DigitiserChannel:
    """What both kinds of channel do. Raises Refused for what the hardware would refuse."""

    overflows: int
    """How often events were lost because nobody fetched them."""
    lost_s: float
    """Seconds of simulated time whose events were lost so."""

    @property
    def overflown(self) -> bool:
        """Whether events were lost since `arm`."""
        raise NotImplementedError

    @property
    def armed(self) -> bool:
        """Whether an acquisition runs."""
        raise NotImplementedError

    def set_dac(self, value: int) -> None:
        """Set the baseline's converter, 0..65535."""
        raise NotImplementedError

    def baseline_counts(self) -> float:
        """The baseline that the converter makes, ADC counts."""
        raise NotImplementedError

    def arm(self, trigger: Trigger, now: SimTime) -> None:
        """Begin an acquisition; its trigger also becomes the scaler's discriminator unless time triggers it."""
        raise NotImplementedError

    def disarm(self, now: SimTime) -> None:
        """End the acquisition (`endStream`)."""
        raise NotImplementedError

    def charge_block(self, n: int, now: SimTime, *, backward: int = 10, forward: int = 15) -> Block:
        """*n* charge stamps, 14 bytes each; charge summed from *backward* samples before the peak to *forward* after."""
        raise NotImplementedError

    def charge_block_fixed(self, n: int, first: int, last: int, now: SimTime) -> Block:
        """*n* charge stamps; charge summed over samples *first*..*last* of the record, both included."""
        raise NotImplementedError

    def waveform_block(self, n_bytes: int, now: SimTime) -> Block:
        """Exactly *n_bytes*: as many records as fit, closed early after `figures.block_wait_s`, then zeros."""
        raise NotImplementedError

    def waveform_record(self, now: SimTime) -> Block:
        """One record with its word count, for `readDEggWfmStream`."""
        raise NotImplementedError

    def set_discriminator(self, trigger: Trigger | None) -> None:
        """What the scaler counts (kinds threshold and fir); None: `disableDEggTriggers`."""
        raise NotImplementedError

    def enable_scaler(self, period_us: int, dead_cycles: int, now: SimTime) -> None:
        """Begin to count in periods; after each count the scaler is blind for *dead_cycles* of 240 MHz."""
        raise NotImplementedError

    def scaler_count(self, now: SimTime) -> int:
        """Count of the last full period; 0 before the first has ended."""
        raise NotImplementedError

    def flash(self, mask: int, bias: int, period_us: float | None, now: SimTime) -> None:
        """The calibration trigger and the LEDs it fires; None stops it. Call it on both channels of a module.

        The trigger starts records of kind `external` on both; the lower photomultiplier alone sees the light.
        """
        raise NotImplementedError

    def reset(self, now: SimTime) -> None:
        """Power was lost or the board starts anew: as delivered."""
        raise NotImplementedError


class Channel(DigitiserChannel):
    """A photomultiplier's channel."""

    hv: HighVoltage

    def __init__(
        self,
        truth: PmtTruth,
        number: int,
        room: Room,
        faults: FaultBoard,
        seed: int,
        serial: str,
        figures: PhotomultiplierFigures,
        clock: DomClock,
    ) -> None:
        raise NotImplementedError


class SyncChannel(DigitiserChannel):
    """A channel of the tabletop mainboard: the laser's sync signal on channel 0, nothing on channel 1."""

    def __init__(
        self, number: int, room: Room, seed: int, serial: str, figures: PhotomultiplierFigures, clock: DomClock
    ) -> None:
        raise NotImplementedError
