"""The calibration boards of a module: its flasher and its cameras, with their common power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sim.degg.refusal import Refused

if TYPE_CHECKING:
    from sim.degg.parts import Camera, ReadoutChannel
    from sim.kernel import SimTime

MAX_BIAS: Final = 0xFFFF
ALL_LEDS: Final = 0x0FFF
ILLUMINATION: Final = 0x2A
"""Bits of the LEDs beside the cameras."""
CAMERA_BITS: Final = 2
"""Bits of the enable mask for each camera with its LED: 0x01 and 0x02 for camera 1, 0x04 and 0x08 for 2, and so on."""
MIN_EXPOSURE_MS: Final = 33
MAX_EXPOSURE_MS: Final = 3700
MAX_GAIN: Final = 300


@dataclass(slots=True)
class CameraState:
    """What a camera was told."""

    ready: bool = False
    standby: bool = True
    gain: int = 0
    exposure_ms: int = MIN_EXPOSURE_MS
    registers: dict[int, int] = field(default_factory=dict)
    has_image: bool = False


class Lights:
    """Flasher and cameras. Both channels hear of the flashes; the lower photomultiplier sees them."""

    def __init__(self, channels: Sequence[ReadoutChannel], cameras: Mapping[int, Camera]) -> None:
        self._channels, self.cameras = channels, cameras
        self.states = {number: CameraState() for number in cameras}
        for camera in cameras.values():
            camera.light = lambda _: float(self.illuminated)
        self._powered, self._camera_mask = False, 0
        self._leds, self._bias = 0, 0
        self._period_us: float | None = None
        self._triggers = False

    def reset(self, now: SimTime) -> None:
        """All off."""
        self._powered, self._camera_mask = False, 0
        self._leds, self._bias, self._period_us = 0, 0, None
        self.states = {number: CameraState() for number in self.cameras}
        self._settle(now)

    def power(self, on: bool, now: SimTime) -> None:
        """Supply the boards, or not: then they forget everything."""
        if not on:
            self.reset(now)
        self._powered = on
        self._settle(now)

    def set_leds(self, mask: int, now: SimTime) -> None:
        """Choose LEDs. Raises Refused."""
        if not 0 <= mask <= MAX_BIAS:
            raise Refused(f"bad mask {mask}")
        self._leds = mask & ALL_LEDS
        self._settle(now)

    def set_bias(self, bias: int, now: SimTime) -> None:
        """Choose their brightness. Raises Refused."""
        if not 0 <= bias <= MAX_BIAS:
            raise Refused(f"bad bias {bias}")
        self._bias = bias
        self._settle(now)

    def set_trigger(self, period_us: float | None, now: SimTime) -> None:
        """Flash this often, or not. Raises Refused."""
        if period_us is not None and not 1.0 <= period_us <= 60e6:
            raise Refused(f"bad period {period_us:g}")
        self._period_us = period_us
        self._settle(now)

    def set_camera_mask(self, mask: int) -> None:
        """Supply cameras; one without supply forgets what it was told."""
        self._camera_mask = mask & 0x3F
        for number in self.states:
            if not self.supplied(number):
                self.states[number] = CameraState()

    def supplied(self, number: int) -> bool:
        """Whether a camera has supply."""
        return self._powered and bool(self._camera_mask >> CAMERA_BITS * (number - 1) & 1)

    @property
    def illuminated(self) -> bool:
        """Whether an LED beside a camera shines: they light the vessel for all three."""
        return self._powered and bool(self._camera_mask & ILLUMINATION)

    def camera(self, number: int) -> tuple[Camera, CameraState]:
        """A camera that has supply. Raises Refused."""
        if number not in self.cameras:
            raise Refused(f"no camera {number}")
        if not self.supplied(number):
            raise Refused(f"camera {number} has no supply")
        return self.cameras[number], self.states[number]

    def _settle(self, now: SimTime) -> None:
        triggers = self._powered and self._period_us is not None
        if triggers or self._triggers:
            for channel in self._channels:
                channel.flash(self._leds, self._bias, self._period_us if triggers else None, now)
        self._triggers = triggers
