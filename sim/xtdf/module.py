"""What is common to the modules of all detectors: what the sender needs of one, and how light falls on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar, Final, Literal, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.xtdf.illumination import Illumination, expected_photons
from sim.xtdf.kernels import F32, PIXELS, draw_photons, normal_table
from sim.xtdf.keys import key64
from sim.xtdf.layout import WireFormat
from sim.xtdf.light import Light, tabulate

GainMode = Literal["adaptive", "fixed_high", "fixed_medium", "fixed_low"]

FORCED_STAGE: Final[dict[GainMode, int]] = {
    "adaptive": -1,
    "fixed_high": 0,
    "fixed_medium": 1,
    "fixed_low": 2,
}


@cache
def normal_deviates() -> F32:
    """The table of `normal_table`, made once."""
    return normal_table()


class ModuleModel(Protocol):
    """Makes what one module reads out. The same train id gives the same bytes, whatever was made before."""

    channel: int
    """Module number, 0 … modules-1."""
    transmission: float
    """Share of the light that an attenuator before the detector lets through."""

    @property
    def wire(self) -> WireFormat:
        """Sizes on the wire."""
        ...

    @property
    def serial(self) -> str:
        """Physical name of the module, by which the catalogue knows it."""
        ...

    def make_images(
        self,
        out: NDArray[np.uint16],
        train_id: int,
        gain_mode: GainMode,
        illumination: Illumination,
    ) -> None:
        """Fill *out*, (frames, u16 values of one image), with all images of a train."""
        ...

    def detector_section(self, train_id: int, illumination: Illumination) -> bytes:
        """The detector-specific section of a train, `wire.detector_bytes` bytes."""
        ...

    def gain_constants(self, seed: int, error: float) -> dict[str, NDArray[Any]]:
        """Gain constants as an earlier calibration would have left them, by calibration.

        Arrays as the catalogue stores them, (fast, slow, cell, k); *error* relative, rms.
        """
        ...

    def dark_constants(self) -> dict[str, NDArray[Any]]:
        """Dark constants as they are true, by calibration, axes likewise; the type's own k."""
        ...

    def write_truth(self, group: h5py.Group) -> None:
        """Write what is true of the module, for tests only."""
        ...


class LitModule:
    """A module with light on it."""

    wire: ClassVar[WireFormat]
    shape: ClassVar[tuple[int, int]]
    """Slow and fast scan pixels."""

    def __init__(self, detector: str, serial: str, seed: int, channel: int, flat_photons: float) -> None:
        self.channel = channel
        self._detector, self._serial, self._seed, self._flat_photons = detector, serial, seed, flat_photons
        self.transmission = 1.0
        """Share of the light that an attenuator before the detector lets through."""
        self._light: dict[Illumination, tuple[float, Light]] = {}

    @property
    def serial(self) -> str:
        """Physical name of the module."""
        return self._serial

    def photons(self, train_id: int, cells: Sequence[int], illumination: Illumination) -> NDArray[np.int32]:
        """The photons that fell on each pixel in a train, (frames, slow, fast) i4: exactly those in its images."""
        drawn = self._draw(train_id, cells, illumination)
        if not len(drawn):
            drawn = np.zeros((len(cells), PIXELS), np.int32)
        return drawn.reshape(len(cells), *self.shape)

    def expected(self, illumination: Illumination) -> F32:
        """Mean photons of each pixel in one frame without an attenuator, (slow, fast) f4."""
        return expected_photons(illumination, self._detector, self.channel, self._flat_photons)

    def _draw(self, train_id: int, cells: Sequence[int], illumination: Illumination) -> NDArray[np.int32]:
        """Photons as the forward models take them: (frames, pixels) i4, or (0, pixels) in the dark."""
        if illumination in ("dark", "dummy"):
            return np.empty((0, PIXELS), np.int32)
        light, key = self._lit(illumination), self._train_key(train_id)
        drawn = np.empty((len(cells), PIXELS), np.int32)
        for frame, cell in enumerate(cells):
            draw_photons(drawn[frame], np.uint64(cell), key, *light, normal_deviates())
        return drawn

    def _train_key(self, train_id: int) -> np.uint64:
        return np.uint64(key64(self._seed, self.serial, "train", train_id))

    def _lit(self, illumination: Illumination) -> Light:
        known = self._light.get(illumination)
        if known is None or known[0] != self.transmission:
            light = tabulate(self.expected(illumination) * np.float32(self.transmission))
            known = self._light[illumination] = self.transmission, light
        return known[1]


DARK_BITS: Final = {1: 1, 2: 2, 3: 1 << 13, 4: 1}
"""Public bad-pixel bits of the kinds of `pixels.BadPixel`: offset, noise and gain thresholding, as darks find them."""


def dark_bits(bad: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """BadPixelsDark of each pixel, the shape of *bad*."""
    bits = np.zeros(bad.shape, np.uint32)
    for kind, bit in DARK_BITS.items():
        bits[bad == kind] = bit
    return bits


def stored(values: NDArray[Any], dtype: str = "f4") -> NDArray[Any]:
    """From (cell, k, slow, fast) to the catalogue's (fast, slow, cell, k)."""
    return np.ascontiguousarray(values.transpose(3, 2, 0, 1), dtype)


def write_dataset(group: h5py.Group, name: str, values: Any, dims: Sequence[str], unit: str) -> None:
    """One dataset of a truth file with its axes and unit."""
    dataset = group.create_dataset(name, data=values)
    dataset.attrs["dims"] = list(dims)
    dataset.attrs["unit"] = unit
