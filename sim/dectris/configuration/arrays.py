"""Flat fields, pixel masks and the countrate table: the factory's, and those that were put in their place."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import ImageSource, Layout, Uploaded
from sim.dectris.refusal import Refused

KINDS: Final = ("flatfield", "pixel_mask")
TABLE: Final = "countrate_correction_table"


def array_names(thresholds: int) -> tuple[str, ...]:
    """Keys that hold arrays; `flatfield` and `pixel_mask` are those of threshold 1."""
    numbered = [f"threshold/{number}/{kind}" for number in range(1, thresholds + 1) for kind in KINDS]
    return (*KINDS, *numbered, TABLE)


class ArrayStore:
    """Arrays by kind and threshold. What is put holds for images of its size, until it is deleted."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self._put: dict[tuple[str, int], NDArray[Any]] = {}

    def put(self, kind: str, threshold: int, array: NDArray[Any], shape: tuple[int, int]) -> None:
        """Replace an array. *shape* is the images' (height, width). Raises Refused (400) when it does not fit."""
        if array.shape != shape:
            raise Refused(
                400,
                f"{kind} must be {shape[1]} x {shape[0]} pixels as the images are now, "
                f"not {' x '.join(str(size) for size in array.shape[::-1])}",
            )
        if kind == "flatfield" and not (np.isfinite(array).all() and (array >= 0).all()):
            raise Refused(400, "flatfield must hold finite numbers, none below zero")
        wanted = np.float32 if kind == "flatfield" else np.uint32
        kept = np.array(array, dtype=wanted, copy=array.flags.writeable or array.dtype != wanted)
        kept.flags.writeable = False
        self._put[kind, threshold] = kept

    def restore(self, kind: str, threshold: int) -> None:
        """Back to the factory's array."""
        self._put.pop((kind, threshold), None)

    def clear(self) -> None:
        """Back to the factory's arrays."""
        self._put.clear()

    def pixel_mask(self, layout: Layout, threshold: int) -> NDArray[np.uint32]:
        """(height, width) mask of a threshold counted from 1."""
        return self._own("pixel_mask", threshold, layout, self._source.pixel_mask)

    def flatfield(self, layout: Layout, threshold: int) -> NDArray[np.float32]:
        """(height, width) factors of a threshold counted from 1."""
        return self._own("flatfield", threshold, layout, self._source.flatfield)

    def uploaded(self, layout: Layout) -> Uploaded | None:
        """What images of this size are to be made with in place of the factory's arrays; None: nothing was put."""
        fitting = {
            (kind, f"threshold_{threshold}"): array
            for (kind, threshold), array in self._put.items()
            if array.shape == (layout.height, layout.width) and f"threshold_{threshold}" in layout.channels
        }
        if not fitting:
            return None
        return Uploaded(
            pixel_mask={channel: array for (kind, channel), array in fitting.items() if kind == "pixel_mask"},
            flatfield={channel: array for (kind, channel), array in fitting.items() if kind == "flatfield"},
        )

    def _own(self, kind: str, threshold: int, layout: Layout, factory: Any) -> NDArray[Any]:
        put = self._put.get((kind, threshold))
        if put is not None and put.shape == (layout.height, layout.width):
            return put
        channel = f"threshold_{threshold}"
        index = layout.channels.index(channel) if channel in layout.channels else 0
        made: NDArray[Any] = factory(layout, index)
        return made
