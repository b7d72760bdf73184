"""The truth of a series: what all ways out must add up to.

Image i shows distinct image i % distinct, so a sum over any images is a sum over the distinct ones, each as often as it
was shown: millions of images cost no more than a handful.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Ring

I64: TypeAlias = NDArray[np.int64]
Fact: TypeAlias = str | int | float | bool | None


def shown(first: int, count: int, distinct: int) -> I64:
    """(distinct,) how often each distinct image is among images first … first + count - 1."""
    whole, rest = divmod(count, distinct)
    times = np.full(distinct, whole, np.int64)
    times[(first + np.arange(rest)) % distinct] += 1
    return times


def total(sums: NDArray[np.uint64], first: int, count: int) -> int:
    """Sum over all pixels of images first … first + count - 1. sums: (distinct,) as `Channel.sums`."""
    times = shown(first, count, len(sums))
    return sum(int(each) * int(number) for each, number in zip(sums, times, strict=True))


def image_sums(sums: NDArray[np.uint64], first: int, count: int) -> NDArray[np.uint64]:
    """(count,) sum over the pixels of each of images first … first + count - 1."""
    return sums[(first + np.arange(count)) % len(sums)]


def sum_image(ring: Ring, channel: int, times: I64) -> NDArray[np.uint64]:
    """(height, width) sum of the images as sent, distinct image i *times*[i] times."""
    layout = ring.layout
    result = np.zeros((layout.height, layout.width), np.uint64)
    for index in np.flatnonzero(times):
        image = ring.image(channel, int(index))
        result += image if times[index] == 1 else image * np.uint64(times[index])
    return result


@dataclass(slots=True)
class SeriesTruth:
    """What the images of one series add up to, while they are taken."""

    ring: Ring
    images: int = 0
    times: I64 = field(init=False)
    """(distinct,) how often each distinct image was shown."""

    def __post_init__(self) -> None:
        self.times = np.zeros(self.ring.distinct, np.int64)

    def add(self, first: int, count: int) -> None:
        """Images first … first + count - 1 were taken."""
        self.times += shown(first, count, self.ring.distinct)
        self.images += count

    def totals(self) -> dict[str, int]:
        """Sum over all pixels and images, by channel."""
        return {
            channel.name: sum(int(s) * int(n) for s, n in zip(channel.sums, self.times, strict=True))
            for channel in self.ring.channels
        }

    def save(
        self, path: Path, pixel_masks: Mapping[str, NDArray[np.uint32]], facts: Mapping[str, Fact]
    ) -> None:
        """Write `path` (.npz) and beside it the same name with .json, each whole or not at all; the JSON last.

        npz     `sum_<channel>` (height, width) uint64, `image_sums_<channel>` (distinct,) uint64,
                `pixel_mask_<channel>` (height, width) uint32, `times` (distinct,) int64
        JSON    facts of the series, and of its images: their number, how many are distinct, their total by channel

        Decodes each distinct image once: a thread's job. Raises OSError.
        """
        arrays: dict[str, NDArray[Any]] = {"times": self.times}
        for index, channel in enumerate(self.ring.channels):
            arrays[f"sum_{channel.name}"] = sum_image(self.ring, index, self.times)
            arrays[f"image_sums_{channel.name}"] = channel.sums
        for name, mask in pixel_masks.items():
            arrays[f"pixel_mask_{name}"] = mask
        layout = self.ring.layout
        described = {
            **facts,
            "images": self.images,
            "distinct": self.ring.distinct,
            "width": layout.width,
            "height": layout.height,
            "bit_depth": layout.bit_depth,
            "compression": layout.compression,
            "channels": list(layout.channels),
            "totals": self.totals(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        with draft.open("wb") as file:
            # numpy's annotation takes a keyword argument for its own.
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        facts_path = path.with_suffix(".json")
        draft = facts_path.with_name(f".{facts_path.name}.part")
        draft.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        draft.replace(facts_path)
