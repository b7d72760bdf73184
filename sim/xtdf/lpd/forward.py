"""From photons to ADU: the forward model of one LPD module, and the gain constants that undo it."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.xtdf.config import LpdTable
from sim.xtdf.illumination import Illumination
from sim.xtdf.kernels import PIXELS
from sim.xtdf.keys import generator
from sim.xtdf.layout import LPD, WireFormat
from sim.xtdf.lpd.kernels import expose
from sim.xtdf.lpd.truth import LpdTruth
from sim.xtdf.module import (
    FORCED_STAGE,
    GainMode,
    LitModule,
    dark_bits,
    normal_deviates,
    stored,
    write_dataset,
)
from sim.xtdf.pixels import BadPixel

FF_GAIN_EVAL_ERROR: Final = 1 << 7
"""Bad-pixel bit of a dead pixel in BadPixelsFF (public definition of the bits)."""


class LpdModule(LitModule):
    """Makes what one LPD module reads out; see `module.ModuleModel`."""

    wire: ClassVar[WireFormat] = LPD
    shape: ClassVar[tuple[int, int]] = (256, 256)

    def __init__(self, truth: LpdTruth, table: LpdTable, seed: int, channel: int) -> None:
        super().__init__(table.geometry, truth.serial, seed, channel, table.flat_photons)
        self.truth, self._table = truth, table
        self._pedestal = truth.pedestal.reshape(len(truth.pedestal), 3, PIXELS)
        self._noise = truth.readout_noise.reshape(3, PIXELS)
        self._gain = truth.gain.reshape(3, PIXELS)
        self._switch = truth.switch.reshape(2, PIXELS)
        self._wrong = (truth.bad == BadPixel.STUCK_GAIN).astype(np.uint8).reshape(PIXELS)

    def make_images(
        self,
        out: NDArray[np.uint16],
        train_id: int,
        gain_mode: GainMode,
        illumination: Illumination,
    ) -> None:
        """Fill *out* with the images of a train.

        out  (frames, 256 × 256) u2: signal and gain bits; frame k is memory cell k

        In parallel gain the frames are those of all pulses in high, then medium, then low gain, and each three see the
        same photons.
        """
        frames = len(out)
        stages = np.full(frames, FORCED_STAGE[gain_mode])
        pulses = frames
        if self._table.parallel_gain:
            pulses = frames // 3
            stages = np.repeat([0, 1, 2], pulses) if gain_mode == "adaptive" else stages
        expose(
            out,
            np.arange(frames),
            np.arange(frames) % pulses,
            self._train_key(train_id),
            stages,
            self._pedestal,
            self._noise,
            self._gain,
            self.truth.cell_gain,
            self._switch,
            self._wrong,
            self._draw(train_id, range(pulses), illumination),
            normal_deviates(),
        )

    def detector_section(self, train_id: int, illumination: Illumination) -> bytes:  # noqa: ARG002 - always the same
        """Zeros: the layout of this section is not public."""
        return bytes(self.wire.detector_bytes)

    def gain_constants(self, seed: int, error: float) -> dict[str, NDArray[Any]]:
        """RelativeGain, GainAmpMap, FFMap (256, 256, cells, 3) f4 and BadPixelsFF u4, fast scan first.

        photons = (adc − Offset[c, g]) × RelativeGain[c, g] × GainAmpMap[c, g] × FFMap[c, g].
        """
        truth = self.truth
        cells, dead = len(truth.cell_gain), truth.photon_gain == 0
        gain = np.where(dead, 1, truth.photon_gain)
        per_photon = gain * truth.cell_gain[:, None, None, None]
        maps: dict[str, NDArray[Any]] = {
            "RelativeGain": np.broadcast_to(truth.ratio, (cells, 3, *self.shape)),
            "GainAmpMap": np.broadcast_to(1 / truth.amplifier, (cells, 3, *self.shape)),
            "FFMap": np.broadcast_to(1 / per_photon, (cells, 3, *self.shape)),
        }
        constants: dict[str, NDArray[Any]] = {
            name: stored(self._blurred(name, values, seed, error)) for name, values in maps.items()
        }
        bits = np.where(dead, FF_GAIN_EVAL_ERROR, 0)
        constants["BadPixelsFF"] = stored(np.broadcast_to(bits, (cells, 3, *self.shape))).astype(np.uint32)
        return constants

    def _blurred(self, name: str, values: NDArray[Any], seed: int, error: float) -> NDArray[Any]:
        """With the error of a calibration: of each pixel and stage on its own, the same in all cells."""
        rng = generator(seed, self.serial, "calibration", name)
        return values * (1 + error * rng.standard_normal((3, *self.shape)))

    def dark_constants(self) -> dict[str, NDArray[Any]]:
        """Offset, Noise and BadPixelsDark, (256, 256, cells, 3)."""
        truth = self.truth
        shape = truth.pedestal.shape
        return {
            "Offset": stored(truth.pedestal),
            "Noise": stored(np.broadcast_to(truth.readout_noise, shape)),
            "BadPixelsDark": stored(np.broadcast_to(dark_bits(truth.bad), shape), "u4"),
        }

    def write_truth(self, group: h5py.Group) -> None:
        """Pedestals, noise, gains, switching points, bad pixels, and the light."""
        truth, pixel = self.truth, ("slow_scan", "fast_scan")
        stages = ("gain", *pixel)
        for name, values, dims, unit in (
            ("offset", truth.pedestal, ("cell", *stages), "ADU"),
            ("readout_noise", truth.readout_noise, stages, "ADU"),
            ("photon_gain", truth.gain, stages, "ADU/photon"),
            ("cell_gain", truth.cell_gain, ("cell",), ""),
            ("switch", truth.switch, ("high_medium", *pixel), "ADU"),
            ("bad_pixels", truth.bad, pixel, ""),
            ("photons/flat", self.expected("flat"), pixel, "photons"),
            ("photons/rings", self.expected("rings"), pixel, "photons"),
        ):
            write_dataset(group, name, values, dims, unit)
