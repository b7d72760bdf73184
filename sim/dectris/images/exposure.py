"""One image: from the photons of a scene to what the control unit sends of each channel.

The order is that of the hardware: photons, thresholds, binning, the pixels' responses, dead time, the counter's end;
then the unit's corrections: count rate, flat field, difference of thresholds, pixel mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images import countrate, kernels, sensor
from sim.dectris.images.frames import Layout, Uploaded
from sim.dectris.images.scenes import F32, Scene

U32 = NDArray[np.uint32]

DIFFERENCE: Final = "difference"
"""Channel of threshold 1 less threshold 2."""
HARMONIC: Final = 0.02
"""Photons of three times the energy in all photons."""
SHARED: Final = 0.4
"""How much more is counted when the threshold sinks by the photons' whole energy: charge shared by neighbours."""
RESOLUTION: Final = 0.06
"""Noise of a pulse's height, as a part of the photon energy."""
NOISY_COUNTS: Final = 500.0
"""Mean counts of a noisy pixel beyond its photons, at the lowest threshold in use."""


def passing_share(threshold: float) -> float:
    """Counts above a threshold (in photon energies) for each photon; 1 at half the photon energy but for harmonics."""
    return (1 - HARMONIC) * _above(threshold) + HARMONIC * _above(threshold / 3)


def _above(threshold: float) -> float:
    sharing = max(0.0, 1 + SHARED * (0.5 - threshold))
    return sharing * 0.5 * erfc((threshold - 1) / (RESOLUTION * sqrt(2)))


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """What the unit makes of raw counts in a layout, for one threshold."""

    mask: NDArray[np.bool_]
    """(height, width), true where the unit masks; all false when it does not."""
    flatfield: F32
    """(pixels,) factors, or of size 0."""
    table: NDArray[np.float32]
    """(2, n) countrate table; n = 0: not corrected."""


class Exposure:
    """Makes images of a scene in one layout."""

    def __init__(
        self, scene: Scene, on: sensor.Sensor, key: int, layout: Layout, uploaded: Uploaded, distinct: int
    ) -> None:
        """key: 64 bits, from seed and serial number. Raises ValueError when the sensor has no such images."""
        self._scene, self._sensor, self._key = scene, on, key
        self._layout, self.distinct = layout, distinct
        self._region = sensor.region(on, layout)
        self._dead_time = layout.dead_share
        mask = sensor.factory_mask(on, key)
        self._blind = (mask & (sensor.GAP | sensor.DEAD)) != 0
        self._noisy = (mask & sensor.NOISY) != 0
        response = 1 / sensor.layout_flatfield(on, key, layout).reshape(-1)
        self._response = np.ascontiguousarray(response, np.float32)
        self._used = _thresholds_used(layout)
        self._corrections = {n: self._corrections_of(n, uploaded) for n in self._used}

    def photons(self, index: int) -> dict[int, U32]:
        """Photons above each threshold in use, (height, width) of the layout: the truth of a distinct image."""
        mean = self._scene.mean((self._sensor.height, self._sensor.width), index, self.distinct)
        lowest, *higher = self._used
        mean = mean * np.float32(passing_share(self._layout.thresholds[lowest - 1]))
        mean[self._noisy] += NOISY_COUNTS
        mean[self._blind] = 0
        counts: U32 = np.empty(mean.shape, np.uint32)
        flat = mean.reshape(-1)
        # numpy's exponential of single precision is several times faster than one by one in the kernel.
        kernels.photons(flat, np.exp(-flat), _key(self._key, index, 0), counts.reshape(-1))
        found = {lowest: counts}
        for upper in higher:
            share = passing_share(self._layout.thresholds[upper - 1])
            below = passing_share(self._layout.thresholds[lowest - 1])
            passed = np.empty_like(counts)
            ratio = share / below if below > 0 else 0.0
            kernels.passing(
                counts.reshape(-1), min(1.0, ratio), _key(self._key, index, upper), passed.reshape(-1)
            )
            found[upper] = counts = passed
            lowest = upper
        return {threshold: self._cut(image) for threshold, image in found.items()}

    def images(self, index: int) -> list[NDArray[Any]]:
        """What is sent of distinct image *index*: for each channel (height, width) of the layout's dtype."""
        seen = {n: self._sent_counts(n, counts) for n, counts in self.photons(index).items()}
        return [self._finished(name, seen) for name in self._layout.channels]

    def _cut(self, image: U32) -> U32:
        cut = image[self._region]
        return np.ascontiguousarray(
            cut if sensor.binning(self._sensor, self._layout) == 1 else sensor.binned(cut)
        )

    def _sent_counts(self, threshold: int, counts: U32) -> U32:
        limit = countrate.counter_limit(self._layout)
        how = self._corrections[threshold]
        raw = np.empty(counts.size, np.uint32)
        kernels.read_out(counts.reshape(-1), self._response, self._dead_time, limit, raw)
        if how.table.shape[1] == 0 and how.flatfield.size == 0:
            return raw.reshape(counts.shape)
        out = np.empty_like(raw)
        kernels.corrected(raw, how.table, how.flatfield, countrate.cutoff(self._layout), limit, out)
        return out.reshape(counts.shape)

    def _finished(self, name: str, seen: dict[int, U32]) -> NDArray[Any]:
        if name == DIFFERENCE:
            lower, upper = seen[1], seen[2]
            # Corrections with arrays of each threshold's own may leave more above the upper one.
            image = lower - np.minimum(lower, upper)
            mask = self._corrections[1].mask | self._corrections[2].mask
        else:
            number = _threshold_number(name)
            image, mask = seen[number], self._corrections[number].mask
        sent = image.astype(self._layout.dtype)
        sent[mask] = 0 if self._layout.mask_to_zero else np.iinfo(self._layout.dtype).max
        return sent

    def _corrections_of(self, threshold: int, uploaded: Uploaded) -> Corrections:
        layout, name = self._layout, f"threshold_{threshold}"
        shape = (layout.height, layout.width)
        mask = uploaded.pixel_mask.get(name)
        if mask is None:
            mask = sensor.layout_mask(self._sensor, self._key, layout)
        flatfield = uploaded.flatfield.get(name)
        if flatfield is None:
            flatfield = sensor.layout_flatfield(self._sensor, self._key, layout)
        if mask.shape != shape or flatfield.shape != shape:
            raise ValueError(f"pixel mask and flat field of {name} must have {shape[0]} x {shape[1]} pixels")
        return Corrections(
            (mask != 0) & layout.pixel_mask_applied,
            np.ascontiguousarray(
                flatfield.reshape(-1) if layout.flatfield_applied else flatfield[:0, 0], np.float32
            ),
            countrate.table(layout)
            if layout.countrate_applied and layout.dead_share > 0
            else np.zeros((2, 0), np.float32),
        )


def _thresholds_used(layout: Layout) -> list[int]:
    used: set[int] = set()
    for name in layout.channels:
        used |= {1, 2} if name == DIFFERENCE else {_threshold_number(name)}
    if max(used) > len(layout.thresholds):
        raise ValueError(f"the layout tells no energy for threshold {max(used)}")
    return sorted(used)


def _threshold_number(name: str) -> int:
    number = name.removeprefix("threshold_")
    if number not in ("1", "2", "3", "4"):
        raise ValueError(f"{name!r} is no channel; channels are threshold_1 to threshold_4 and difference")
    return int(number)


def _key(key: int, index: int, purpose: int) -> np.uint64:
    """A key of its own for each image and purpose."""
    random = np.random.SeedSequence([key, index, purpose])
    return np.uint64(random.generate_state(1, np.uint64)[0])
