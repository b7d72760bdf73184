"""Images of a scene: rings of them, made once for a layout and kept."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images import countrate, sensor
from sim.dectris.images.encode import encode
from sim.dectris.images.exposure import DIFFERENCE, Exposure
from sim.dectris.images.frames import Layout, Ring, Uploaded
from sim.dectris.images.packing import RING_BYTES, channel_of
from sim.dectris.images.scenes import Scene
from sim.errors import ConfigurationRejected

KEPT_RINGS: Final = 8
KEPT_BYTES: Final = 2 * RING_BYTES
"""Rings that are kept for a series with the same layout, at most so many and so large; the newest always."""
_PIXELS_AT_ONCE: Final = 1 << 26
"""Distinct images that are made when nobody says how many hold about so many pixels, and at least 4."""
_THREADS: Final = 2


def default_distinct(sensor_pixels: int) -> int:
    """64 for small detectors, fewer for large ones, so that arming does not take long."""
    return max(4, min(64, _PIXELS_AT_ONCE // sensor_pixels))


class SceneSource:
    """An ImageSource that draws a scene on a sensor. Deterministic from seed, serial number and layout."""

    fixed: Layout | None = None

    def __init__(
        self, device: str, scene: Scene, on: sensor.Sensor, *, key: int, distinct: int | None = None
    ) -> None:
        """key: 64 bits, see `source_key`. distinct: how many different images; None: as `default_distinct`."""
        self._device, self._scene, self._sensor, self._key = device, scene, on, key
        self._distinct = distinct or default_distinct(on.width * on.height)
        self._rings: OrderedDict[object, Ring] = OrderedDict()
        self._lock = threading.Lock()

    def ring(self, layout: Layout, uploaded: Uploaded | None = None) -> Ring:
        """The images in this layout; as many distinct ones as were asked for and fit into 1 GiB.

        Raises ConfigurationRejected when the sensor has no such images.
        """
        uploaded = uploaded or Uploaded()
        which = (layout, _digest(uploaded))
        with self._lock:
            ring = self._rings.pop(which, None) or self._made(layout, uploaded)
            self._rings[which] = ring
            self._forget()
        return ring

    def exposure(self, layout: Layout, uploaded: Uploaded | None = None) -> Exposure:
        """What makes the images of a layout. Raises ConfigurationRejected."""
        raw = layout.width * layout.height * layout.dtype.itemsize * len(layout.channels)
        distinct = max(1, min(self._distinct, RING_BYTES // raw))
        try:
            return Exposure(self._scene, self._sensor, self._key, layout, uploaded or Uploaded(), distinct)
        except ValueError as error:
            raise ConfigurationRejected(self._device, str(error)) from None

    def pixel_mask(self, layout: Layout, channel: int = 0) -> NDArray[np.uint32]:  # noqa: ARG002  # one mask for all thresholds
        """(height, width) factory mask of the layout; bit 0 gap, 1 dead, 4 noisy."""
        return sensor.layout_mask(self._sensor, self._key, layout)

    def flatfield(self, layout: Layout, channel: int = 0) -> NDArray[np.float32]:
        """(height, width) factory factors of the layout; ones for a difference, whose parts are corrected already."""
        if layout.channels[channel] == DIFFERENCE:
            return np.ones((layout.height, layout.width), np.float32)
        return sensor.layout_flatfield(self._sensor, self._key, layout)

    def countrate_table(self, layout: Layout) -> NDArray[np.float32]:
        """(2, 1000): raw counts, and the counts that they stand for."""
        return countrate.table(layout)

    def _made(self, layout: Layout, uploaded: Uploaded) -> Ring:
        exposure = self.exposure(layout, uploaded)

        def encoded(index: int) -> list[tuple[bytes, int]]:
            return [
                (encode(image, layout.compression), int(image.sum(dtype=np.uint64)))
                for image in exposure.images(index)
            ]

        # Large images are made one after another: each needs some 20 times its own memory meanwhile.
        threads = 1 if self._sensor.width * self._sensor.height > 1 << 23 else _THREADS
        with ThreadPoolExecutor(min(threads, os.cpu_count() or 1), "images") as pool:
            made = list(pool.map(encoded, range(exposure.distinct)))
        return Ring(
            layout,
            tuple(
                channel_of(
                    name,
                    [images[channel][0] for images in made],
                    [images[channel][1] for images in made],
                    layout.compression,
                )
                for channel, name in enumerate(layout.channels)
            ),
        )

    def _forget(self) -> None:
        sizes = [sum(channel.pool.nbytes for channel in ring.channels) for ring in self._rings.values()]
        while len(sizes) > 1 and (len(sizes) > KEPT_RINGS or sum(sizes) > KEPT_BYTES):
            self._rings.popitem(last=False)
            sizes.pop(0)


def source_key(seed: int, serial: str) -> int:
    """64 bits from the bench's seed and the unit's serial number."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {serial}".encode(), digest_size=8).digest())


def _digest(uploaded: Uploaded) -> bytes:
    """What an upload holds, in few bytes."""
    total = hashlib.blake2b(digest_size=16)
    arrays: tuple[Any, ...] = (uploaded.pixel_mask, uploaded.flatfield)
    for by_channel in arrays:
        for name in sorted(by_channel):
            total.update(name.encode() + b"\0")
            total.update(np.ascontiguousarray(by_channel[name]).data)
        total.update(b"\1")
    return total.digest()
