"""Previews: pixels lie where EXtra-geom puts them, for every detector; bad and missing ones are gaps."""

from __future__ import annotations

import io

import extra_geom
import numpy as np
import pytest
from matplotlib import image as images

from pipeline.config import PreviewTable
from pipeline.errors import SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain
from pipeline.online.preview import PixelMap, Preview, as_png

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
