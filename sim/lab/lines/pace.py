"""How fast bytes go through a serial line: one after another, each for the time of its bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SLICE_S: Final = 0.005
"""Bytes travel in pieces of about this length: shorter ones would only wake us more often."""

LARGEST_PIECE: Final = 256
"""Of a fast line; what holds bytes holds several of these."""


class Wire:
    """One direction of a serial line. Times are those of any monotonic clock, seconds.

    bits  of one byte with its start and stop bits: 10 for 8N1, 11 for 8N2
    """

    def __init__(self, baud: int, bits: int = 10) -> None:
        self._byte_s = bits / baud
        self._free_at = 0.0

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Cut bytes into pieces that are through the wire in about SLICE_S at most."""
        step = min(LARGEST_PIECE, max(1, int(SLICE_S / self._byte_s)))
        return (data[start : start + step] for start in range(0, len(data), step))

    def through(self, size: int, now: float) -> float:
        """When so many bytes are through that are ready now: after all that went before them."""
        self._free_at = max(now, self._free_at) + size * self._byte_s
        return self._free_at
