"""From photons to ADU: the forward model of one AGIPD module."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.xtdf.agipd.constants import CALIBRATIONS, make_constant
from sim.xtdf.agipd.kernels import FAST, SLOW, expose
from sim.xtdf.agipd.truth import ModuleTruth
from sim.xtdf.illumination import Illumination
from sim.xtdf.kernels import F32, PIXELS
from sim.xtdf.keys import generator
from sim.xtdf.layout import AGIPD, WireFormat
from sim.xtdf.module import (
    FORCED_STAGE,
    GainMode,
    LitModule,
    dark_bits,
    normal_deviates,
    stored,
    write_dataset,
)

ASICS: Final = 16


class AgipdModule(LitModule):
    """Makes what one AGIPD module reads out; see `module.ModuleModel`."""

    wire: ClassVar[WireFormat] = AGIPD
    shape: ClassVar[tuple[int, int]] = (SLOW, FAST)

    def __init__(
        self, truth: ModuleTruth, seed: int, channel: int, flat_photons: float, detector: str = "AGIPD1M"
    ) -> None:
        super().__init__(detector, truth.serial, seed, channel, flat_photons)
        self.truth = truth
        self._pedestal = truth.pedestal.reshape(len(truth.pedestal), 3, PIXELS)
        self._noise = truth.readout_noise.reshape(3, PIXELS)
        self._gain = truth.photon_gain.reshape(3, PIXELS)
        self._switch = truth.switch.reshape(2, PIXELS)
        self._level = truth.level.reshape(3, PIXELS)

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
            normal_deviates(),
        )

    def detector_section(self, train_id: int, illumination: Illumination) -> bytes:  # noqa: ARG002 - always the same
        """Zeros: the layout of this section is not public."""
        return bytes(self.wire.detector_bytes)

    def gain_constants(self, seed: int, error: float) -> dict[str, NDArray[Any]]:
        """SlopesPC and SlopesFF."""
        return {name: make_constant(name, self.truth, seed, error) for name in CALIBRATIONS}

    def dark_constants(self) -> dict[str, NDArray[Any]]:
        """Offset, Noise, ThresholdsDark and BadPixelsDark, (128, 512, cells, k)."""
        truth, cells = self.truth, len(self.truth.pedestal)
        thresholds = np.concatenate([truth.thresholds, truth.level])
        shape = (cells, 3, *self.shape)
        return {
            "Offset": stored(truth.pedestal),
            "Noise": stored(np.broadcast_to(truth.total_noise, shape)),
            "ThresholdsDark": stored(np.broadcast_to(thresholds, (cells, 5, *self.shape))),
            "BadPixelsDark": stored(np.broadcast_to(dark_bits(truth.bad), shape), "u4"),
        }

    def write_truth(self, group: h5py.Group) -> None:
        """Pedestals, noise, gains, switching points, levels, bad pixels, and the light."""
        truth, pixel = self.truth, ("slow_scan", "fast_scan")
        stages = ("gain", *pixel)
        for name, values, dims, unit in (
            ("offset", truth.pedestal, ("cell", *stages), "ADU"),
            ("readout_noise", truth.readout_noise, stages, "ADU"),
            ("total_noise", truth.total_noise, stages, "ADU"),
            ("photon_gain", truth.photon_gain, stages, "ADU/photon"),
            ("cell_gain", truth.cell_gain, ("cell",), ""),
            ("slopes_pc", truth.slope_pc, ("high_medium", *pixel), "ADU/DAC step"),
            ("photons_ff", truth.photons_ff, pixel, "ADU/photon"),
            ("switch", truth.switch, ("high_medium", *pixel), "ADU"),
            ("digital_level", truth.level, stages, "ADU"),
            ("thresholds", truth.thresholds, ("threshold", *pixel), "ADU"),
            ("bad_pixels", truth.bad, pixel, ""),
            ("photons/flat", self.expected("flat"), pixel, "photons"),
            ("photons/rings", self.expected("rings"), pixel, "photons"),
        ):
            write_dataset(group, name, values, dims, unit)
        for name, value in (("common_mode", truth.common_mode), ("level_noise", truth.level_noise)):
            group.create_dataset(name, data=value).attrs["unit"] = "ADU"

    def _common_mode(self, train_id: int, frames: int) -> F32:
        rng = generator(self._seed, self.serial, "common mode", train_id)
        return self.truth.common_mode * rng.standard_normal((frames, ASICS), np.float32)
