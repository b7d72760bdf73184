"""Previews: pixels lie where EXtra-geom puts them, for every detector; bad and missing ones are gaps."""

from __future__ import annotations

import io
from typing import Literal

import extra_geom
import numpy as np
import pytest
from matplotlib import image as images

from pipeline.config import PreviewTable
from pipeline.errors import SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain
from pipeline.online.preview import GREY, RED, WHITE, PixelMap, Preview, as_png, saturated

DETECTORS = [
    ("SPB_DET_AGIPD1M-1", "AGIPD", extra_geom.AGIPD_1MGeometry, (16, 512, 128)),
    ("HED_DET_AGIPD500K2G", "AGIPD", extra_geom.AGIPD_500K2GGeometry, (8, 512, 128)),
    ("FXE_DET_LPD1M-1", "LPD", extra_geom.LPD_1MGeometry, (16, 256, 256)),
    ("SCS_DET_DSSC1M-1", "DSSC", extra_geom.DSSC_1MGeometry, (16, 128, 512)),
]


@pytest.mark.parametrize(("detector", "kind", "library", "shape"), DETECTORS)
def test_the_picture_is_the_librarys_to_the_bit(
    detector: str, kind: str, library: type, shape: tuple[int, int, int]
) -> None:
    data = np.random.default_rng(1).normal(0, 1e3, shape).astype(np.float32)
    expected, _ = library.example().position_modules(data)  # type: ignore[attr-defined]
    ours = PixelMap.of(detector, kind).assemble(data)
    assert np.array_equal(ours, expected.astype(np.float32), equal_nan=True)


def matched(train_id: int, *modules: int) -> MatchedTrain[CorrectedModule]:
    parts = {}
    for module in modules:
        mask = np.zeros((2, 512, 128), np.uint32)
        mask[:, 3, 4] = 1
        parts[module] = CorrectedModule(
            module, train_id, np.full((2, 512, 128), module + 1, np.float32), np.zeros((2, 512, 128), np.uint8),
            mask, np.zeros(2, np.uint16), np.zeros(2, np.uint64),
        )  # fmt: skip
    return MatchedTrain(train_id, parts, 0)


def test_every_nth_train_is_shown_and_what_is_missing_is_a_gap() -> None:
    preview = Preview("SPB_DET_AGIPD1M-1", "AGIPD", PreviewTable(every_nth_train=5))
    assert preview.take(matched(5, 0)) is None  # not prepared yet
    preview.prepare()
    assert preview.png() is None
    assert preview.take(matched(7, 0)) is None
    picture = preview.take(matched(10, 0, 9))
    assert picture is not None
    known = picture[np.isfinite(picture)]
    assert sorted(set(known.tolist())) == [1.0, 10.0]
    assert known.size == 2 * (512 * 128 - 1)
    newest = preview.latest()
    assert newest is not None
    assert newest[0] == 10
    made = preview.png("log")
    assert made is not None
    assert images.imread(io.BytesIO(made)).shape[:2] == picture.shape


def test_a_picture_of_nothing_is_a_picture() -> None:
    assert as_png(np.full((4, 5), np.nan, np.float32), "linear").startswith(b"\x89PNG")


def test_a_geometry_that_is_none_is_named(tmp_path: object) -> None:
    with pytest.raises(SettingRejected, match=r"preview\.geometry_file"):
        PixelMap.of("SPB_DET_AGIPD1M-1", "AGIPD", f"{tmp_path}/none.geom")


def pixels(png: bytes) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """Colours of a PNG, in the picture's own order of rows and columns."""
    shown = np.asarray(images.imread(io.BytesIO(png)))
    return np.round(shown * 255).astype(np.uint8)[::-1, ::-1]


def test_a_raw_train_is_shown_as_it_came() -> None:
    preview = Preview("FXE_DET_LPD1M-1", "LPD", PreviewTable(every_nth_train=1, frame="max"))
    preview.prepare()
    data = np.random.default_rng(3).integers(0, 1 << 12, (3, 1, 256, 256), dtype=np.uint16)
    part = ModuleTrain(
        5, 7, data, np.zeros(3, np.uint16), np.zeros(3, np.uint64), np.zeros(3, np.uint16),
        np.zeros(3, np.uint32), bytes(64), np.zeros(8, np.uint8), bytes(32),
    )  # fmt: skip
    picture = preview.take(MatchedTrain(7, {5: part}, 0))
    all_modules = np.full((16, 256, 256), np.nan)
    all_modules[5] = data.max(axis=(0, 1))
    expected, _ = extra_geom.LPD_1MGeometry.example().position_modules(all_modules)
    assert picture is not None
    assert np.array_equal(picture, expected.astype(np.float32), equal_nan=True)
    png = preview.png("linear", cross=True)
    assert png is not None
    assert np.any(np.all(pixels(png) == RED, axis=-1))


@pytest.mark.parametrize(("detector", "kind", "library", "shape"), DETECTORS)
def test_the_cross_is_at_the_beam(
    detector: str, kind: str, library: type, shape: tuple[int, int, int]
) -> None:
    """Pixel positions of the library, whose origin is the beam; the half detector's is put in its middle."""
    found = PixelMap.of(detector, kind)
    geometry = library.example()  # type: ignore[attr-defined]
    at = geometry.get_pixel_positions()[..., :2] / geometry.pixel_size
    if kind == "DSSC":  # rows of hexagons are closer than columns
        at = at * (1, 236 / 204)
    beam = at.reshape(-1, 2).mean(axis=0) if "500K" in detector else np.zeros(2)
    radius = np.linalg.norm(at - beam, axis=-1).astype(np.float32)
    picture = found.assemble(radius)
    rows, columns = np.indices(picture.shape)
    measured = np.hypot(rows - found.centre[0], columns - found.centre[1])
    apart = np.abs(measured - picture)[found.filled]
    assert np.median(apart) < 2
    shown = pixels(as_png(picture, "linear", None, found.centre))
    red = np.argwhere(np.all(shown == RED, axis=-1))
    assert np.allclose(red.mean(axis=0), found.centre, atol=1.5)


def test_a_cross_outside_the_picture_is_left_out() -> None:
    shown = pixels(as_png(np.ones((20, 30), np.float32), "linear", None, (-500.0, 7.0)))
    assert not np.any(np.all(shown == RED, axis=-1))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_saturated_pixels_are_marked_and_leave_the_colours_to_the_others(
    scale: Literal["linear", "log"],
) -> None:
    """A third of a DSSC at its 9 bits less each pixel's offset: weak light still spans the colours."""
    rng = np.random.default_rng(5)
    picture = rng.uniform(0, 100, (300, 300)).astype(np.float32)
    picture[:100] = 511 - 58 - rng.normal(0, 2, (100, 300))
    picture[299, 299] = np.nan
    shown = pixels(as_png(picture, scale, 511.0))
    assert np.all(shown[:100] == WHITE)
    assert np.all(shown[299, 299] == GREY)
    assert not np.any(np.all(shown[100:] == WHITE, axis=-1))
    assert shown[100:299].reshape(-1, 4)[:, 1].max() > 220  # the bright end of the colours
    before = pixels(as_png(picture, "linear"))
    assert before[100:299].reshape(-1, 4)[:, 1].max() < 130


def test_what_is_bright_but_not_at_its_end_is_not_marked() -> None:
    rng = np.random.default_rng(6)
    assert not saturated(rng.normal(60, 10, (200, 200)).astype(np.float32), 511.0).any()  # a flat
    few = rng.uniform(0, 100, (200, 200)).astype(np.float32)
    few[0, :50] = 455  # one pixel in 800
    assert not saturated(few, 511.0).any()
    assert not saturated(np.full((4, 5), np.nan, np.float32), 511.0).any()
    assert not saturated(np.full((4, 5), 455, np.float32), None).any()  # no other detector's end is known
