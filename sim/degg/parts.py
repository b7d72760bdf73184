"""What a mainboard knows of the parts that it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sim.degg.digitiser.block import Block
from sim.degg.digitiser.trigger import Trigger
from sim.kernel import SimTime


class ReadoutChannel(Protocol):
    """A channel of the digitiser (`sim.degg.channel`); raises Refused for what the hardware would refuse."""

    @property
    def overflown(self) -> bool:
        """Whether events were lost."""
        ...

    def set_dac(self, value: int, /) -> None:
        """Set the baseline's converter."""
        ...

    def baseline_counts(self) -> float:
        """The baseline that it makes."""
        ...

    def arm(self, trigger: Trigger, now: SimTime, /) -> None:
        """Begin an acquisition."""
        ...

    def disarm(self, now: SimTime, /) -> None:
        """End it."""
        ...

    def charge_block(self, n: int, now: SimTime, /, *, backward: int, forward: int) -> Block:
        """So many charge stamps."""
        ...

    def charge_block_fixed(self, n: int, first: int, last: int, now: SimTime, /) -> Block:
        """The same, summed over fixed samples."""
        ...

    def waveform_block(self, n_bytes: int, now: SimTime, /) -> Block:
        """So many bytes of records."""
        ...

    def waveform_record(self, now: SimTime, /) -> Block:
        """One record with its word count."""
        ...

    def set_discriminator(self, trigger: Trigger | None, /) -> None:
        """What the scaler counts."""
        ...

    def enable_scaler(self, period_us: int, dead_cycles: int, now: SimTime, /) -> None:
        """Count in periods."""
        ...

    def scaler_count(self, now: SimTime, /) -> int:
        """Count of the last one."""
        ...

    def flash(self, mask: int, bias: int, period_us: float | None, now: SimTime, /) -> None:
        """The calibration trigger and its LEDs."""
        ...

    def reset(self, now: SimTime, /) -> None:
        """As delivered."""
        ...


class Sensors(Protocol):
    """Sensors on the mainboard."""

    def pressure(self, now: SimTime, /) -> float:
        """HPa inside the vessel."""
        ...

    def b_field(self, now: SimTime, /) -> tuple[float, float, float]:
        """Magnetic field, T."""
        ...

    def acceleration(self, now: SimTime, /) -> tuple[float, float, float]:
        """Acceleration, m/s2."""
        ...


class Camera(Protocol):
    """One camera."""

    camera_id: str
    light: Callable[[SimTime], float]
    """How bright it is in front of it, 0..1; the board sets this."""

    def capture(self, gain: int, exposure_ms: int, now: SimTime, /) -> None:
        """Take an image: gain in 0.1 dB, exposure in ms."""
        ...

    def image_bytes(self) -> bytes:
        """The last image, as it is sent."""
        ...
