"""Checking the MD5 of frames for as much of a core as is allowed.

MD5 of 2.4 kB takes half as long as receiving, decoding and summing them together; at 120 000 images/s it would be
what limits. Where frames are slower, every one is checked.
"""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.model import U8

BURST_S: Final = 2.0
"""Seconds whose share may be spent at once: short series are checked whole."""


class HashBudget:
    """Shared by the workers of a series."""

    def __init__(self, share: float) -> None:
        self._share, self._lock = share, threading.Lock()
        self._began = time.perf_counter()
        self._spent = 0.0

    def check(
        self, data: U8, offsets: NDArray[np.int64], lengths: NDArray[np.int64], digests: U8
    ) -> tuple[NDArray[np.bool_], int]:
        """Which frames do not fit their hash (n,), and how many were looked at. Rows of zeros are no hash."""
        wrong = np.zeros(offsets.size, bool)
        told = digests.any(axis=1)
        checked, begun = 0, time.thread_time()
        view = memoryview(data)
        for index in np.flatnonzero(told).tolist():
            if checked % 16 == 0 and not self._allowed(time.thread_time() - begun):
                break
            at = int(offsets[index])
            digest = hashlib.md5(view[at : at + int(lengths[index])], usedforsecurity=False).digest()
            wrong[index] = digest != digests[index].tobytes()
            checked += 1
        with self._lock:
            self._spent += time.thread_time() - begun
        return wrong, checked

    @property
    def spent_s(self) -> float:
        """CPU time that went into hashes so far."""
        return self._spent

    def _allowed(self, here_s: float) -> bool:
        elapsed = time.perf_counter() - self._began
        return self._spent + here_s < self._share * (elapsed + BURST_S)
