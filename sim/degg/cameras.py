"""A module's three cameras: raw pictures of 12 bits, dark or with a lit LED.

Size, usable part, ranges, pedestal: fat.md section 7. A picture is sent as 16-bit words, little-endian, whose leading
12 bits are the pixel (public readers of these files shift right by four).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.camera_figures import CameraFigures
from sim.degg.keys import generator, key_of
from sim.degg.refusal import Refused
from sim.degg.surroundings import Room
from sim.kernel import SimTime

ENABLE_MASKS: Final = {1: 0x01, 2: 0x04, 3: 0x10}
"""Of the cameras by number, as `setCameraEnableMask` takes them."""
ROWS: Final = 993
COLUMNS: Final = 1312
USABLE_ROWS: Final = 977
USABLE_COLUMNS: Final = 1309
"""The last ones; what precedes them is covered and sees no light."""
MAX_GAIN: Final = 300
MIN_EXPOSURE_MS: Final = 33
MAX_EXPOSURE_MS: Final = 3700
FULL_SCALE: Final = 4095
IMAGE_BYTES: Final = ROWS * COLUMNS * 2


class Camera:
    """One camera.

    number  1, 2 or 3
    light   how bright an LED shines in front of it at a moment, 0..1; may be set later
    """

    def __init__(
        self,
        seed: int,
        serial: str,
        number: int,
        room: Room,
        figures: CameraFigures,
        light: Callable[[SimTime], float] = lambda _: 0.0,
    ) -> None:
        self.light = light
        self._key = (seed, serial, "camera", number)
        self.enable_mask = ENABLE_MASKS[number]
        self._room, self._figures = room, figures
        self.camera_id = f"{key_of(*self._key, 'id'):016x}"
        made = generator(*self._key, "made")
        spread = figures.pedestal_max - figures.pedestal_min
        self.pedestal = figures.pedestal_min + spread * float(made.uniform())
        """Counts of a pixel without dark current."""
        count = int(made.poisson(figures.hot_pixels))
        self.hot_pixels: NDArray[np.int64] = made.choice(ROWS * COLUMNS, count, replace=False)
        """Flat indices."""
        self._hot_electrons = figures.hot_electrons_per_s * made.lognormal(0.0, 0.8, count)
        self._spot = (0.35 + 0.3 * made.uniform(), 0.35 + 0.3 * made.uniform())
        self._captured = 0
        self._image: NDArray[np.uint16] | None = None

    def capture(self, gain: int, exposure_ms: int, now: SimTime, /) -> None:
        """Take a picture and keep it. Raises Refused when gain (0.1 dB) or exposure are out of range."""
        if not 0 <= gain <= MAX_GAIN:
            raise Refused(f"camera gain {gain} is not between 0 and {MAX_GAIN}")
        if not MIN_EXPOSURE_MS <= exposure_ms <= MAX_EXPOSURE_MS:
            raise Refused(
                f"camera exposure {exposure_ms} ms is not between {MIN_EXPOSURE_MS} and {MAX_EXPOSURE_MS} ms"
            )
        self._captured += 1
        self._image = self._exposed(10 ** (gain / 200), exposure_ms / 1000, now)

    @property
    def image(self) -> NDArray[np.uint16] | None:
        """The last picture, (993, 1312), 0..4095; None: there is none."""
        return self._image

    def image_bytes(self) -> bytes:
        """The last picture as it is sent. Raises Refused when there is none."""
        if self._image is None:
            raise Refused("no camera image was captured")
        return (self._image << 4).astype("<u2").tobytes()

    def forget(self) -> None:
        """Lose the picture, as without power."""
        self._image = None

    def _exposed(self, amplification: float, seconds: float, now: SimTime) -> NDArray[np.uint16]:
        figures = self._figures
        rng = generator(*self._key, "picture", self._captured)
        response = figures.counts_per_electron * amplification
        warming: float = 2 ** ((self._room.board_temperature(now) - 20) / figures.doubling_c)
        dark = figures.dark_electrons_per_s * warming * seconds
        noise = math.hypot(
            figures.read_noise_counts, response * math.sqrt(dark + figures.read_noise_electrons**2)
        )
        counts = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
        counts *= np.float32(noise)
        counts += np.float32(self.pedestal + response * dark)
        hot = rng.poisson(np.minimum(self._hot_electrons * warming * seconds, 1e9))
        counts.reshape(-1)[self.hot_pixels] += (response * hot).astype(np.float32)
        if (light := max(0.0, min(1.0, self.light(now)))) > 0:
            counts[-USABLE_ROWS:, -USABLE_COLUMNS:] += self._picture(light * seconds, response, rng)
        np.rint(counts, out=counts)
        np.clip(counts, 0, FULL_SCALE, out=counts)
        return counts.astype(np.uint16)

    def _picture(self, exposure: float, response: float, rng: np.random.Generator) -> NDArray[np.float32]:
        """The blob of a lit LED with its shot noise, in counts."""
        sigma = self._figures.led_sigma_pixels
        rows = np.exp(
            -0.5 * ((np.arange(USABLE_ROWS) / USABLE_ROWS - self._spot[0]) * USABLE_ROWS / sigma) ** 2
        )
        columns = np.exp(
            -0.5
            * ((np.arange(USABLE_COLUMNS) / USABLE_COLUMNS - self._spot[1]) * USABLE_COLUMNS / sigma) ** 2
        )
        electrons = np.outer(rows, columns).astype(np.float32)
        electrons *= np.float32(self._figures.led_electrons_per_s * exposure)
        shot = rng.standard_normal(electrons.shape, dtype=np.float32)
        shot *= np.sqrt(electrons)
        electrons += shot
        electrons *= np.float32(response)
        return electrons


def cameras(seed: int, serial: str, room: Room, figures: CameraFigures) -> dict[int, Camera]:
    """The three cameras of a module, by number."""
    return {number: Camera(seed, serial, number, room, figures) for number in ENABLE_MASKS}
