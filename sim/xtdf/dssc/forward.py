"""From photons to ADU: the forward model of one DSSC module."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.xtdf.config import DsscTable
from sim.xtdf.dssc.dummy import dummy_readout
from sim.xtdf.dssc.kernels import expose
from sim.xtdf.dssc.section import detector_section
from sim.xtdf.dssc.truth import DsscTruth
from sim.xtdf.illumination import Illumination
from sim.xtdf.kernels import PIXELS
from sim.xtdf.layout import DSSC, WireFormat
from sim.xtdf.module import GainMode, LitModule, dark_bits, normal_deviates, write_dataset

PULSES_OF_A_TRAIN: Final = 2700


class DsscModule(LitModule):
    """Makes what one DSSC module reads out; see `module.ModuleModel`."""

    wire: ClassVar[WireFormat] = DSSC
    shape: ClassVar[tuple[int, int]] = (128, 512)

    def __init__(self, truth: DsscTruth, table: DsscTable, seed: int, channel: int) -> None:
        super().__init__(table.geometry, truth.serial, seed, channel, table.flat_photons)
        self.truth, self._table = truth, table
        self._pedestal = truth.pedestal.reshape(len(truth.pedestal), PIXELS)

    def make_images(
        self,
        out: NDArray[np.uint16],
        train_id: int,
        gain_mode: GainMode,  # noqa: ARG002 - a DSSC has no gain stages
        illumination: Illumination,
    ) -> None:
        """Fill *out*, (frames, 128 × 512) u2 ADU, with the images of a train; frame k is memory cell k.

        Under `dummy` every frame is the dummy readout.
        """
        if illumination == "dummy":
            out[:] = dummy_readout(self._table.eight_bit).reshape(PIXELS)
            return
        expose(
            out,
            np.arange(len(out)),
            self._train_key(train_id),
            self._pedestal,
            self.truth.readout_noise.reshape(PIXELS),
            self.truth.photon_gain.reshape(PIXELS),
            256 if self._table.eight_bit else 511,
            self._draw(train_id, range(len(out)), illumination),
            normal_deviates(),
        )

    def detector_section(self, train_id: int, illumination: Illumination) -> bytes:  # noqa: ARG002 - of every train
        """Board words and ASIC trailers; the vetoes are the pulses of a train that were not kept."""
        vetoes = PULSES_OF_A_TRAIN - self._table.frames
        return detector_section(self.channel, vetoes, dummy=illumination == "dummy")

    def gain_constants(self, seed: int, error: float) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """None: the correction of a DSSC subtracts offsets."""
        return {}

    def dark_constants(self) -> dict[str, NDArray[Any]]:
        """Offset, Noise and BadPixelsDark, (512, 128, cells)."""
        truth, shape = self.truth, self.truth.pedestal.shape
        maps = {
            "Offset": truth.pedestal,
            "Noise": np.broadcast_to(truth.readout_noise, shape),
            "BadPixelsDark": np.broadcast_to(dark_bits(truth.bad), shape),
        }
        return {name: np.ascontiguousarray(values.transpose(2, 1, 0)) for name, values in maps.items()}

    def write_truth(self, group: h5py.Group) -> None:
        """Pedestals, noise, gain, bad pixels, and the light."""
        truth, pixel = self.truth, ("slow_scan", "fast_scan")
        for name, values, dims, unit in (
            ("offset", truth.pedestal, ("cell", *pixel), "ADU"),
            ("readout_noise", truth.readout_noise, pixel, "ADU"),
            ("photon_gain", truth.photon_gain, pixel, "ADU/photon"),
            ("bad_pixels", truth.bad, pixel, ""),
            ("photons/flat", self.expected("flat"), pixel, "photons"),
            ("photons/rings", self.expected("rings"), pixel, "photons"),
        ):
            write_dataset(group, name, values, dims, unit)
