"""What a mainboard knows of the parts that it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sim.kernel import SimTime


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
