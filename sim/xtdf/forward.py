"""From truth to raw images: the forward model of one module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.illumination import Illumination, expected_photons
from sim.xtdf.kernels import F32, FAST, PIXELS, SLOW, draw_photons, expose, normal_table
from sim.xtdf.keys import generator, key64
from sim.xtdf.layout import AGIPD
from sim.xtdf.light import Light, tabulate
from sim.xtdf.truth import ModuleTruth

GainMode = Literal["adaptive", "fixed_high", "fixed_medium", "fixed_low"]

FORCED_STAGE: Final[dict[GainMode, int]] = {
    "adaptive": -1,
    "fixed_high": 0,
    "fixed_medium": 1,
    "fixed_low": 2,
}
ASICS: Final = 16


@cache
def _normal() -> F32:
    return normal_table()


class AgipdModule:
    """Makes what one AGIPD module reads out; see `module.ModuleModel`."""

    wire = AGIPD

    def __init__(self, truth: ModuleTruth, seed: int, channel: int, flat_photons: float) -> None:
        self.truth, self.channel = truth, channel
        self._seed, self._flat_photons = seed, flat_photons
        self._pedestal = truth.pedestal.reshape(len(truth.pedestal), 3, PIXELS)
        self._noise = truth.readout_noise.reshape(3, PIXELS)
        self._gain = truth.photon_gain.reshape(3, PIXELS)
        self._switch = truth.switch.reshape(2, PIXELS)
        self._level = truth.level.reshape(3, PIXELS)
        self._light: dict[Illumination, Light] = {}

    def make_images(
        self,
        out: NDArray[np.uint16],
        train_id: int,
        gain_mode: GainMode,
        illumination: Illumination,
    ) -> None:
        """Fill *out* with the images of a train.

        out  (frames, 2 × 512 × 128) u2 ADU: analogue plane, then digital plane; frame k is memory cell k
        """
        expose(
            out,
            np.arange(len(out)),
            self._train_key(train_id),
            FORCED_STAGE[gain_mode],
            self._pedestal,
            self._noise,
            self._gain,
            self.truth.cell_gain,
            self._switch,
            self._level,
            np.float32(self.truth.level_noise),
            self._common_mode(train_id, len(out)),
            self._draw(train_id, range(len(out)), illumination),
            _normal(),
        )

    @property
    def serial(self) -> str:
        """Physical name of the module."""
        return self.truth.serial

    def detector_section(self, train_id: int) -> bytes:  # noqa: ARG002 - the same for every train
        """Zeros: the layout of this section is not public."""
        return bytes(self.wire.detector_bytes)

    def photons(self, train_id: int, cells: Sequence[int], illumination: Illumination) -> NDArray[np.int32]:
        """The photons that fell on each pixel in a train, (frames, 512, 128) i4: exactly those in its images."""
        drawn = self._draw(train_id, cells, illumination)
        if illumination == "dark":
            drawn = np.zeros((len(cells), PIXELS), np.int32)
        return drawn.reshape(len(cells), SLOW, FAST)

    def _draw(self, train_id: int, cells: Sequence[int], illumination: Illumination) -> NDArray[np.int32]:
        """Photons as `expose` takes them: (frames, pixels) i4, or (0, pixels) in the dark."""
        if illumination == "dark":
            return np.empty((0, PIXELS), np.int32)
        light, key = self._lit(illumination), self._train_key(train_id)
        drawn = np.empty((len(cells), PIXELS), np.int32)
        for frame, cell in enumerate(cells):
            draw_photons(drawn[frame], np.uint64(cell), key, *light, _normal())
        return drawn

    def _train_key(self, train_id: int) -> np.uint64:
        return np.uint64(key64(self._seed, self.truth.serial, "train", train_id))

    def _common_mode(self, train_id: int, frames: int) -> F32:
        rng = generator(self._seed, self.truth.serial, "common mode", train_id)
        return self.truth.common_mode * rng.standard_normal((frames, ASICS), np.float32)

    def _lit(self, illumination: Illumination) -> Light:
        light = self._light.get(illumination)
        if light is None:
            mean = expected_photons(illumination, self.channel, self._flat_photons)
            light = self._light[illumination] = tabulate(mean)
        return light
