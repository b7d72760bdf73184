"""What a series costs and where it waits."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.engine import codes
from pipeline.dectris.engine.slots import Slab
from pipeline.dectris.values import Measured


class Meter:
    """Counts and times of the receiver, which alone writes them."""

    def __init__(self, slab: Slab) -> None:
        self._slab = slab
        self._began = time.perf_counter()
        self._process_cpu_s = time.process_time()
        self.active_at = self._began
        """When something of the series came last."""
        self.silence_s = 0.0
        self.first_image_at: float | None = None
        self.last_image_at: float | None = None
        self.slot_wait_s = self.cpu_s = 0.0
        self.slot_waits = self.slots = self.slow = 0

    def active(self) -> None:
        """Something of the series came."""
        now = time.perf_counter()
        self.silence_s = max(self.silence_s, now - self.active_at)
        self.active_at = now

    def image_came(self) -> None:
        """An image came."""
        self.last_image_at = time.perf_counter()
        if self.first_image_at is None:
            self.first_image_at = self.last_image_at

    def elapsed_s(self) -> float:
        """Since the first image, or the beginning while none has come."""
        return time.perf_counter() - (self.first_image_at or self._began)

    def measured(
        self,
        images: int,
        state: NDArray[np.int64],
        busy_s: Sequence[float],
        reduce_cpu_s: float,
        hash_s: float,
    ) -> Measured:
        """What *images* cost so far; *state* is the receiver's, the rest is the workers'."""
        if self.first_image_at is None or self.last_image_at is None or images == 0:
            return Measured(num_slots=self._slab.settings.num_slots)
        # A live look takes the time so far; after the receiver's end (its CPU time is known), that of the series.
        whole = max((self.active_at if self.cpu_s else time.perf_counter()) - self.first_image_at, 1e-9)
        wall, per_image = max(self.last_image_at - self.first_image_at, 1e-9), 1e6 / images
        waited = (int(state[codes.WAITED_NS]) / 1e9 + self.slot_wait_s) / whole
        rest = time.process_time() - self._process_cpu_s - self.cpu_s - reduce_cpu_s
        return Measured(
            wall_s=wall,
            images=images,
            images_per_s=images / wall,
            bytes_mean=int(state[codes.BYTES]) / images,
            bytes_max=int(state[codes.BYTES_MAX]),
            receiver_busy=min(max(1 - waited, 0.0), 1.0),
            receiver_waits_for_slot=min(self.slot_wait_s / whole, 1.0),
            slot_waits=self.slot_waits,
            worker_busy=tuple(min(busy / whole, 1.0) for busy in busy_s),
            slots_used_max=self._slab.used_max,
            num_slots=self._slab.settings.num_slots,
            slots=self.slots,
            frames_per_slot=(images - self.slow) / self.slots if self.slots else 0.0,
            slow_images=self.slow,
            receive_us=self.cpu_s * per_image,
            reduce_us=reduce_cpu_s * per_image,
            hash_us=hash_s * per_image,
            other_us=max(rest, 0.0) * per_image,
        )
