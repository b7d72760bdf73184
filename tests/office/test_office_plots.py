"""Plots of constants: what is read from which file, what is drawn, and what damaged files do."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib import image

from pipeline.constants.badpixels import BadPixel
from sim.caldb.office.badpixels import BITS
from sim.caldb.office.files import Unshowable, locate, read_header, read_stage
from sim.caldb.office.fuzzy import Device, distance_within, find
from sim.caldb.office.numbers import map_of, spread_of, values_of

ORANGE = (0xE8, 0x59, 0x0C)


def source(path: Path, calibration: str = "Offset") -> Any:
    row = {"path_to_file": ".", "file_name": path.name, "data_set_name": "/PDU/C/0"}
    return locate(path.parent, row, calibration)


def stored(path: Path, data: np.ndarray, dims: list[str] | None = None) -> Path:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("/PDU/C/0/data", data=data)
        if dims is not None:
            dataset.attrs["dims"] = np.array(dims, dtype=h5py.string_dtype())
    return path


@pytest.mark.parametrize(
    ("dims", "stated"),
    [
        (["fast_scan", "slow_scan", "cell", "gain"], True),
        (["fast_scan", "slow_scan", "cell", "gain"], False),
        (["cell", "gain", "slow_scan", "fast_scan"], True),
        (["gain", "cell", "fast_scan", "slow_scan"], True),
        (["gain", "cell", "fast_scan", "slow_scan"], False),
    ],
)
def test_axes_are_found_in_any_order(tmp_path: Path, dims: list[str], stated: bool) -> None:
    rng = np.random.default_rng(1)
    wanted = rng.normal(size=(5, 16, 8, 3)).astype(np.float32)  # cell, slow, fast, gain
    order = [["cell", "slow_scan", "fast_scan", "gain"].index(axis) for axis in dims]
    file = source(stored(tmp_path / "c.h5", wanted.transpose(order), dims if stated else None))
    for stage in range(3):
        np.testing.assert_array_equal(read_stage(file, stage), wanted[..., stage])
    assert read_header(file).cells == 5
    assert read_header(file).stages == ("high gain", "medium gain", "low gain")


def test_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    data = rng.normal(100, 10, (8, 16, 6, 3)).astype(np.float32)
    data[rng.random(data.shape) < 0.2] = np.nan
    data[0, 0] = np.nan
    data[1, 1, 0, 1] = np.inf
    file = source(stored(tmp_path / "c.h5", data))
    values = values_of(file, 1)
    one = np.where(np.isfinite(data[..., 1]), data[..., 1], np.nan)
    assert values.missing == np.isnan(one).sum()
    assert values.total == one.size
    with np.errstate(all="ignore"):
        middle = np.array([[np.nanmedian(p) if np.isfinite(p).any() else np.nan for p in row] for row in one])
    np.testing.assert_allclose(values.middle, middle.T, rtol=1e-6)
    assert values.quantiles[3] == pytest.approx(np.nanmedian(one), abs=0.1)
    np.testing.assert_allclose(values.trend[2], np.nanmedian(one, axis=(0, 1)), atol=0.3)
    assert values.counts.sum() + values.below + values.above == np.isfinite(one).sum()
    deviation = 1.4826 * np.nanmedian(np.abs(one - np.nanmedian(one)))
    assert values.limits[1] == pytest.approx(np.nanmedian(one) + 5 * deviation, rel=0.01)
    np.testing.assert_array_equal(map_of(file, 1, 3, None), one[:, :, 3].T)


def test_a_large_constant_is_sampled_for_its_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None, None], (64, 32, 4))
    file = source(stored(tmp_path / "c.h5", data))
    assert spread_of(file, 0).middle == pytest.approx(31.5, abs=1)
    monkeypatch.setattr("sim.caldb.office.files.SAMPLE_BYTES", data.nbytes // 8)
    sampled = spread_of(file, 0)
    assert sampled.middle == pytest.approx(31.5, abs=8)
    assert sampled.low < sampled.middle < sampled.high


def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path) -> None:
    row = {"path_to_file": "x", "file_name": "a\0b", "data_set_name": "/PDU/C/0"}
    with pytest.raises(Unshowable, match="cannot be a file"):
        locate(tmp_path, row, "Offset")


def test_the_names_of_bits_are_those_of_the_pipeline() -> None:
    assert {bit.value.bit_length() - 1: bit.name for bit in BadPixel} == BITS


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(np.asarray(image.imread(io.BytesIO(png)))[..., :3] * 255).round().astype(int)


async def picture(person: Any, version: int, plot: str, query: str = "") -> bytes:
    answer = await person.http.get(f"/versions/{version}/plots/{plot}.png{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return bytes(answer.content)


async def test_missing_values_are_orange_and_counted(office: Any, rolf: Any) -> None:
    data = np.random.default_rng(1).normal(5000, 20, (128, 512, 4, 3)).astype("f4")
    data[40:60, 200:300, :, 0] = np.nan
    office.write("cal.1.0.h5", data)
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    orange = [
        int(
            (np.abs(pixels(await picture(rolf, version, "map", f"?stage={stage}")) - ORANGE).max(2) < 6).sum()
        )
        for stage in (0, 1)
    ]
    assert orange[0] > 2000
    assert orange[1] == 0
    page = await rolf.get(f"/versions/{version}")
    assert "8000 of 262144 values are missing" in page
    assert "no value is missing" in await rolf.get(f"/versions/{version}?stage=1")
    dark = pixels(await picture(rolf, version, "histogram", "?paper=dark"))
    light = pixels(await picture(rolf, version, "histogram"))
    assert dark[2, 2].mean() < 60 < 240 < light[2, 2].mean()


async def test_masks_are_shown_bit_by_bit(office: Any, rolf: Any) -> None:
    mask = np.zeros((128, 512, 4, 3), "u4")
    mask[:10, :, 1, 0] = BadPixel.NO_DARK_DATA
    mask[20:30, :, :, 0] |= np.uint32(BadPixel.NON_SENSITIVE | (1 << 25))
    office.write("cal.1.0.h5", mask)
    constant = await office.constant("AGIPD-Type_BadPixelsDark", 14)
    version = await office.version(constant, "2026-01-05T09:00:00")
    page = await rolf.get(f"/versions/{version}")
    for bit, name in ((3, "NO_DARK_DATA"), (19, "NON_SENSITIVE"), (25, "bit 25")):
        assert f'<option value="{bit}">{name}</option>' in page
    assert "OFFSET_OUT" not in page, "only bits that occur"
    share = 100 * (mask[..., 0] != 0).mean()
    assert f"{share:.3f} %" in page
    pictures = {await picture(rolf, version, "map", f"?bit={bit}&cell=1") for bit in (3, 19, 25)}
    assert len(pictures) == 2, "two of the bits are set in the same pixels"
    for plot in ("trend", "histogram", "history"):
        await picture(rolf, version, plot)


@pytest.mark.parametrize(
    "constant",
    [
        np.full((8, 16, 2, 3), np.nan, "f4"),
        np.zeros((8, 16, 2, 3), "f4"),
        np.full((8, 16, 2, 3), 1e30, "f4"),
        np.zeros((8, 16), "f8"),
        np.zeros((8, 16, 1), "i2"),
        np.full((8, 16, 2, 1), -np.inf),
    ],
)
async def test_every_constant_that_is_numbers_can_be_drawn(
    office: Any, rolf: Any, constant: np.ndarray
) -> None:
    office.write("cal.1.0.h5", constant)
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    assert 'class="trouble"' not in await rolf.get(f"/versions/{version}")
    for plot in ("map", "trend", "histogram", "history"):
        await picture(rolf, version, plot)
    # Numbers that this file does not have are brought into its range.
    assert await picture(rolf, version, "map", "?stage=999&cell=999&bit=77")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def other_dataset(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["elsewhere"] = 1


def words(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["/AGIPD_SIM_M100/Offset/0/data"] = [b"no", b"numbers"]


def many_axes(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["/AGIPD_SIM_M100/Offset/0/data"] = np.zeros((2, 2, 2, 2, 2))


def too_large(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("/AGIPD_SIM_M100/Offset/0/data", (1 << 14, 1 << 14, 1), "f4", chunks=(64, 64, 1))


def damaged_inside(path: Path) -> None:
    with h5py.File(path, "w") as file:
        name = "/AGIPD_SIM_M100/Offset/0/data"
        data = file.create_dataset(name, data=np.random.default_rng(1).random((64, 64, 4)), compression=1)
        offset = data.id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 200] = b"\xff" * 200
    path.write_bytes(raw)


DAMAGES = [cut, zeroed, other_dataset, words, many_axes, too_large, damaged_inside, Path.unlink]


async def test_a_damaged_file_is_a_sentence_that_names_it(office: Any, rolf: Any) -> None:
    constant = await office.constant()
    for number, damage in enumerate(DAMAGES):
        name = f"cal.{number}.5.h5"
        path = office.write(name, np.ones((8, 16, 2, 3)))
        damage(path)
        version = await office.version(constant, f"2026-01-05T09:00:0{number}", file_name=name)
        page = await rolf.get(f"/versions/{version}")
        assert 'class="trouble"' in page, damage
        assert page.count(name) == 2, "in the fields, and in the sentence"
        answer = await rolf.http.get(f"/versions/{version}/plots/map.png")
        assert answer.status_code == 422
        assert name in answer.text
    good = await office.version(constant, "2026-01-06T09:00:00", file_name="cal.good.h5")
    office.write("cal.good.h5", np.ones((8, 16, 2, 3)))
    await picture(rolf, good, "history")


async def test_pictures_are_kept_until_the_file_changes(office: Any, rolf: Any) -> None:
    path = office.write("cal.1.0.h5", np.ones((8, 16, 2, 3)))
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    address = f"/versions/{version}/plots/map.png"
    first = await rolf.http.get(address)
    again = await rolf.http.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    office.write("other.h5", np.random.default_rng(1).random((8, 16, 2, 3)))
    shutil.move(path.with_name("other.h5"), path)
    changed = await rolf.http.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.content != first.content
    assert (await rolf.http.get(f"/versions/{version}/plots/else.png")).status_code == 404
    assert (await rolf.http.get(f"{address}?paper=pink")).status_code == 404


DEVICES = [
    Device(1, "AGIPD_SIV1_AGIPDV11_M304", "SPB_DET_AGIPD1M-1 AGIPD04 Q2M1"),
    Device(2, "AGIPD_SIV1_AGIPDV11_M450", "MID_DET_AGIPD1M-1 AGIPD04 Q2M1"),
    Device(3, "LPD_SIM_M100", "FXE_DET_LPD1M-1 LPD00 Q1M1"),
    Device(4, "PnCCD1"),
    Device(5, "JNGFR-Straße"),
]


@pytest.mark.parametrize(
    ("search", "ids"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("agipd", [1, 2]),
        ("AGIPD-M304", [1]),
        ("m304 agipd", [1]),
        ("mid agipd", [2]),
        ("SPB", [1]),
        ("pnccd", [4]),
        ("pncdd", [4]),
        ("agpid 450", [2]),
        ("agipdd v11 m45", [2]),
        ("m305", []),
        ("agipd 1m 2", [1, 2]),
        ("STRASSE", [5]),
        ("q1m1", [3]),
        ("- _ .", [1, 2, 3, 4, 5]),
        ("xx", []),
    ],
)
def test_devices_are_found_by_what_people_remember(search: str, ids: list[int]) -> None:
    assert find(search, DEVICES) == ids


def test_a_typo_is_one_edit() -> None:
    for typo in ("offset", "ofset", "offfset", "offzet", "ofsfet", "xxoffset"):
        assert distance_within(typo, "the offset of it") <= (2 if typo.startswith("xx") else 1)
    assert distance_within("noise", "the offset of it") > 1
