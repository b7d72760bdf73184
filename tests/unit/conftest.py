"""What unit tests share: an armed series with images that tests know, and the keys of the stream module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from sim.dectris.images.encode import encode
from sim.dectris.images.frames import Layout, Ring
from sim.dectris.images.packing import channel_of
from sim.dectris.sinks import ArmedSeries


@dataclass
class StreamKeys:
    """The keys of the stream module."""

    mode: str = "enabled"
    format: str = "legacy"
    header_detail: str = "basic"
    header_appendix: object = ""
    image_appendix: object = ""


@cache
def _ring(layout: Layout) -> Ring:
    rng = np.random.default_rng(5)
    channels = []
    for name in layout.channels:
        images = [rng.poisson(0.5, (layout.height, layout.width)).astype(layout.dtype) for _ in range(3)]
        blobs = [encode(image, layout.compression) for image in images]
        channels.append(channel_of(name, blobs, [int(image.sum()) for image in images], layout.compression))
    return Ring(layout, tuple(channels))


def _series(layout: Layout, number: int = 15614, expected: int = 1) -> ArmedSeries:
    shape = (layout.height, layout.width)
    return ArmedSeries(
        number=number,
        unique_id="01HBV3JPF9T4ZDPADX6EMK6XMZ",
        armed_unix_ns=1_696_348_068_329_000_000,
        nimages=expected,
        ntrigger=1,
        trigger_mode="ints",
        expected=expected,
        ring=_ring(layout),
        config={"nimages": expected, "x_pixels_in_detector": layout.width, "trigger_mode": "ints"},
        pixel_mask=tuple(np.eye(*shape, dtype=np.uint32) for _ in layout.channels),
        flatfield=tuple(np.ones(shape, np.float32) for _ in layout.channels),
        countrate_table=np.ones((2, 1000), np.float32),
    )


@pytest.fixture(scope="session")
def stream_keys() -> Callable[..., StreamKeys]:
    """Makes keys of the stream module, all of which can be set."""
    return StreamKeys


@pytest.fixture(scope="session")
def armed_series() -> Callable[..., ArmedSeries]:
    """Makes a series with three distinct images for a layout; number and expected images as wanted."""
    return _series
