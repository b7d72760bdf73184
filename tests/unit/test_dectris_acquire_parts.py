"""The parts of an acquisition that need no detector: arrays, addresses, command line words, pictures, results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dectris.acquisition import Partial
from pipeline.dectris.addresses import of_bench
from pipeline.dectris.controller import ActiveController
from pipeline.dectris.corrections import Corrections
from pipeline.dectris.darray import from_darray, to_darray
from pipeline.dectris.outcome import fit_remarks
from pipeline.dectris.planned import Wanted, pair_of, plan, shape_of
from pipeline.dectris.preview import PreviewServer, picture_of
from pipeline.dectris.values import Progress
from pipeline.errors import ControlUnitError, SettingRejected

JSON = st.sampled_from(
    [
        None,
        True,
        -1,
        1 << 70,
        3.5,
        "",
        "<u4",
        "<f4",
        "AAAA",
        "é",
        [],
        [4],
        [3, 4],
        [4, 3.0],
        [1 << 20, 1],
        [["base64"]],
        {},
    ]
)


@pytest.mark.parametrize("dtype", ["uint32", "float32"])
def test_arrays_of_json_come_back_with_their_rows(dtype: str) -> None:
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    written = to_darray(array)
    assert written["shape"] == [4, 3]
    assert np.array_equal(from_darray(json.loads(json.dumps(written)), "pixel_mask"), array)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(["type", "shape", "filters", "data"]), JSON, min_size=1))
def test_arrays_that_are_none_are_one_sentence(changes: dict[str, Any]) -> None:
    value = to_darray(np.zeros((3, 4), np.uint32))
    try:
        found = from_darray(value | changes, "pixel_mask")
    except ControlUnitError as error:
        assert "pixel_mask" in str(error)  # noqa: PT017 - most changes are refused, a few are the same again
    else:
        assert sorted(found.shape) == [3, 4]


class Told:
    """A client that keeps what it is told."""

    def __init__(self) -> None:
        self.written: list[tuple[str, object]] = []

    def set(self, key: str, value: object, *, module: str = "detector") -> list[str]:
        self.written.append((key if module == "detector" else f"{module}/{key}", value))
        return [key]


@pytest.mark.parametrize(
    ("mode", "each", "expected"),
    [("ints", None, (12, 1)), ("ints", 3, (3, 4)), ("inte", None, (1, 12)), ("exts", None, (1, 12)),
     ("exts", 6, (6, 2)), ("exte", None, (1, 12)), ("extg", None, (12, 1))],
)  # fmt: skip
def test_images_and_triggers_of_each_mode(mode: str, each: int | None, expected: tuple[int, int]) -> None:
    client: Any = Told()
    controller = ActiveController(client, mode, images_per_trigger=each, count_time=0.1, frame_time=0.1)
    assert controller.counts(12) == expected
    controller.configure(12)
    written = dict(client.written)
    assert (written["nimages"], written["ntrigger"]) == expected
    keys = [key for key, _ in client.written]
    assert keys.index("count_time") < keys.index("frame_time")
    assert client.written[1] == ("nimages", 1)
    assert not any("/" in key for key in keys)


def test_the_bench_that_is_up_tells_the_addresses(tmp_path: Path) -> None:
    bench = tmp_path / "b.toml"
    bench.write_text(f'[bench]\nname = "b"\ndata_dir = "{tmp_path / "data"}"\n')
    with pytest.raises(SettingRejected, match="stellwerk up"):
        of_bench(bench, "dcu")
    (tmp_path / "data").mkdir()
    endpoints = {"dcu.api": "http://a", "dcu.stream": "tcp://b", "dcu.stream2": "tcp://c"}
    (tmp_path / "data" / "bench.json").write_text(json.dumps({"endpoints": endpoints}))
    found = of_bench(bench, "dcu")
    assert (found.of_format("legacy"), found.of_format("cbor")) == ("tcp://b", "tcp://c")
    with pytest.raises(SettingRejected, match="one of: dcu"):
        of_bench(bench, "arina")


def test_words_of_the_command_line() -> None:
    assert shape_of("128x64") == (128, 64)
    assert shape_of("500") == (500,)
    assert pair_of("3:4.5", "--ring", ":") == (3, 4.5)
    for wrong in ("", "0x5", "axb", "-1"):
        with pytest.raises(SettingRejected):
            shape_of(wrong)
    with pytest.raises(SettingRejected, match="--ring"):
        pair_of("3", "--ring", ":")
    planned = plan(Wanted(disk=3, ring=(3, 5), com=True), (10, 12), Corrections())
    assert planned.names == {"sum": 0, "disk": 1, "ring": 2, "com": 3}
    with pytest.raises(SettingRejected, match="at least one"):
        plan(Wanted(sum=False), (10, 12), Corrections())


def test_remarks_say_what_does_not_fit() -> None:
    assert fit_remarks(3, 12, (3, 4)) == ()
    assert "last 2 positions stay empty" in fit_remarks(3, 10, (3, 4))[0]
    assert "2 more than a scan of 3 × 4" in fit_remarks(3, 14, (3, 4))[0]


def test_every_result_is_a_picture() -> None:
    assert picture_of(np.zeros((3000, 20))).shape == (1000, 7)
    assert picture_of(np.zeros((1, 5, 6))).shape == (5, 6)
    assert picture_of(np.full((5, 6, 2), np.nan)).shape == (5, 6)
    assert picture_of(np.zeros(9)).shape == (1, 9)
    centres = np.zeros((1, 2, 2))
    centres[0, 1] = (6, 8)
    assert picture_of(centres).tolist() == [[5, 5]]


def test_live_pictures_over_http(nothing_left_behind: None) -> None:
    pages = PreviewServer({"sum": 0, "disk": 1})
    address = pages.start()
    try:
        assert 'data-src="disk.png"' in httpx.get(f"{address}/", trust_env=False).text
        assert httpx.get(f"{address}/sum.png", trust_env=False).status_code == 404
        now = Progress(expected=10, frames=4, received=4, missing_so_far=1, elapsed_s=1.0, images_per_s=4.0)
        pages.show(Partial(now, (np.arange(12).reshape(3, 4), None)))
        assert httpx.get(f"{address}/sum.png", trust_env=False).content[:4] == b"\x89PNG"
        assert httpx.get(f"{address}/disk.png", trust_env=False).status_code == 404
        status = httpx.get(f"{address}/status.json", trust_env=False).json()
        assert status == {"sentence": "4 of 10 images, 4 a second, 1 missing", "frames": 4}
    finally:
        pages.stop()
