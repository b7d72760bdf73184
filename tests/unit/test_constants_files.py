"""Files of the constants' store: whole, in any order of axes, and every damage named."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.constants import AgipdConditions
from pipeline.constants.files import content_hash, read_constant, write_constant
from pipeline.constants.layout import fast_first, stored_dims, to_images, to_storage
from pipeline.errors import ConstantUnreadable, SettingRejected

PDU = "/AGIPD_SIM_M100/Offset/0"
SHAPE = (128, 512, 2, 3)


def offset() -> np.ndarray:
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "xfel/cal/agipd-type/agipd_sim_m100/cal.1.0.h5"
    write_constant(
        path, PDU, offset(), stored_dims("Offset"), {"Memory cells": 2.0, "begin_at": "2026-01-01"}
    )
    return path


def test_a_constant_comes_back_and_leaves_nothing_beside_it(path: Path) -> None:
    stored = read_constant(path, PDU, "Offset", (128, 512, 2, 3))
    np.testing.assert_array_equal(stored.data, offset())
    assert stored.sha256 == content_hash(offset())
    assert list(path.parent.iterdir()) == [path]
    with h5py.File(path) as file:
        assert list(file[PDU]["data"].attrs["dims"]) == ["fast_scan", "slow_scan", "cell", "gain"]
        assert file[PDU].attrs["Memory cells"] == 2.0


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_axes_are_put_in_order_by_their_labels(order: tuple[int, ...]) -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    labels = ("fast_scan", "slow_scan", "cell", "gain")
    view = fast_first(data.transpose(order), [labels[axis] for axis in order])
    np.testing.assert_array_equal(view, data)


def test_images_and_storage_are_each_others_inverse() -> None:
    data = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(to_images(to_storage(data)), data)


def test_other_writers_may_order_axes_and_choose_double(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file[f"{PDU}/data"] = offset().transpose(2, 3, 1, 0).astype(np.float64)
        file[f"{PDU}/data"].attrs["dims"] = np.array(
            ["cell", "gain", "slow_scan", "fast_scan"], h5py.string_dtype()
        )
    stored = read_constant(path, PDU, "Offset", (128, 512, 2, 3))
    assert stored.data.dtype == np.float32
    np.testing.assert_array_equal(stored.data, offset())


def flip(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file[PDU]["data"][5, 5, 0, 0] += 1


def replace(values: np.ndarray) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with h5py.File(path, "a") as file:
            del file[PDU]["data"]
            file[PDU]["data"] = values

    return act


def forget_sums(path: Path) -> None:
    """As files of earlier versions are."""
    with h5py.File(path, "a") as file:
        del file[PDU]["data"].attrs["lane_sums"]


def claim_a_petabyte(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[PDU]["data"]
        file[PDU].create_dataset("data", (128, 512, 1 << 32, 3), "f4", chunks=(1, 1, 1, 1))


def rename_unit(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.move("AGIPD_SIM_M100", "AGIPD_SIM_M107")


def mislabel(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file[PDU]["data"].attrs["dims"] = np.array(["a", "b", "c", "d"], h5py.string_dtype())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(path.read_bytes()[:1500]), "cannot be read as HDF5"),
        (flip, "its checksum differs"),
        (lambda path: (forget_sums(path), flip(path)), "its checksum differs"),
        (replace(np.zeros((128, 512, 4, 3), np.float32)), r"but Offset needs \(128, 512, 2, 3\)"),
        (replace(np.zeros((128, 512), np.float32)), "are not fast_scan, slow_scan, cell"),
        (replace(np.array([b"x"])), "needs floating-point numbers"),
        (claim_a_petabyte, "has shape"),
        (replace(np.full(SHAPE, np.nan, np.float32)), "no number at all, only NaN"),
        (replace(np.zeros(SHAPE, np.int32)), "holds int32, but Offset needs floating-point numbers"),
        (rename_unit, r"no dataset /AGIPD_SIM_M100/Offset/0/data, but that of AGIPD_SIM_M107/Offset"),
        (mislabel, "are not fast_scan"),
    ],
    ids=[
        "gone",
        "cut",
        "flipped",
        "old",
        "cells",
        "axes",
        "texts",
        "petabyte",
        "nan",
        "type",
        "unit",
        "labels",
    ],
)
def test_every_damage_is_a_sentence_with_path_and_remedy(
    path: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(path)
    with pytest.raises(ConstantUnreadable, match=words) as caught:
        read_constant(path, PDU, "Offset", (128, 512, 2, 3))
    assert str(path) in str(caught.value)
    assert "inject the constant again" in str(caught.value)


def test_a_missing_dataset_is_named(path: Path) -> None:
    with pytest.raises(ConstantUnreadable, match="holds no dataset /AGIPD_SIM_M100/Noise/0/data"):
        read_constant(path, "/AGIPD_SIM_M100/Noise/0", "Noise", (128, 512, 2, 3))


def test_a_write_that_fails_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_constant(path, PDU, offset(), stored_dims("Offset"), {"wrong": object()})  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_parameters_that_clients_leave_out_are_left_out() -> None:
    usual = AgipdConditions(memory_cells=352, acquisition_rate_mhz=1.1)
    assert usual.parameters("Offset") == {
        "Sensor Bias Voltage": 300.0,
        "Pixels X": 512.0,
        "Pixels Y": 128.0,
        "Memory cells": 352.0,
        "Acquisition rate": 1.1,
        "Gain setting": 0.0,
    }
    special = AgipdConditions(352, 1.1, gain_mode=2, integration_time=20)
    added = {
        name: set(special.parameters(name)) - set(usual.parameters("Offset"))
        for name in ("Offset", "SlopesPC", "SlopesFF", "SlopesCS")
    }
    assert added == {
        "Offset": {"Gain mode", "Integration time"},
        "SlopesPC": {"Integration time"},
        "SlopesFF": {"Integration time", "Source energy"},
        "SlopesCS": set(),
    }
    assert special.parameters("Offset")["Gain mode"] == 1.0


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"memory_cells": 4}, "acquisition_rate_mhz"),
        ({"memory_cells": "4", "acquisition_rate_mhz": 1.1}, "a number"),
        ({"memory_cell": 4, "acquisition_rate_mhz": 1.1}, "one of memory_cells"),
    ],
)
def test_wrong_conditions_are_a_sentence(properties: dict[str, object], words: str) -> None:
    with pytest.raises(SettingRejected, match=words):
        AgipdConditions.from_properties(properties)


MASK = "/AGIPD_SIM_M100/BadPixelsDark/0"


def mask() -> np.ndarray:
    values = np.zeros(SHAPE, np.uint32)
    values[::7, ::11, 0] = 1 << 22
    values[3, 4, 1, 2] = 0x8000_0001
    return values


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": 1, "shuffle": True},
        {"compression": 4},
        {"compression": 1, "shuffle": True, "chunks": (3, 100, 2, 1)},
        {"compression": "lzf"},
        {"shuffle": True, "chunks": (8, 8, 2, 3)},
        {"compression": 1, "fletcher32": True},
        {"chunks": (128, 512, 2, 3)},
        {"dtype": ">u4"},
        {"dtype": "u8", "compression": 1, "shuffle": True},
        {"dtype": "u1", "compression": 1},
    ],
    ids=str,
)
def test_values_are_those_that_hdf5_reads_however_they_are_packed(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(f"{MASK}/data", data=mask().astype(how.pop("dtype", "u4")), **how)
    with h5py.File(path) as file:
        expected = file[MASK]["data"][()]
    stored = read_constant(path, MASK, "BadPixelsDark", SHAPE)
    np.testing.assert_array_equal(stored.data, expected)
    assert stored.data.dtype == np.uint32
    assert stored.data.flags.c_contiguous


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path: Path) -> None:
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        stored = file.create_dataset(
            f"{MASK}/data", SHAPE, "u4", chunks=(8, 512, 2, 3), compression=1, shuffle=True, fillvalue=5
        )
        stored[16:20] = 1
    with h5py.File(path) as file:
        expected = file[MASK]["data"][()]
    assert set(np.unique(expected)) == {1, 5}
    np.testing.assert_array_equal(read_constant(path, MASK, "BadPixelsDark", SHAPE).data, expected)


def test_masks_must_be_whole_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        file[f"{MASK}/data"] = mask().astype(np.float32)
    with pytest.raises(ConstantUnreadable, match="BadPixelsDark needs whole numbers"):
        read_constant(path, MASK, "BadPixelsDark", SHAPE)


@given(st.integers(0, 2**32), st.integers(1, 255), st.booleans())
def test_no_changed_byte_goes_unseen(
    tmp_path_factory: pytest.TempPathFactory, at: int, bits: int, cut: bool
) -> None:
    """A byte of the file is changed, or the file is cut there: the values are right, or it is refused."""
    shape = (128, 512, 1, 3)
    values = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    path = tmp_path_factory.mktemp("any") / "mask.h5"
    write_constant(path, MASK, values, stored_dims("BadPixelsDark"), {})
    raw = bytearray(path.read_bytes())
    at %= len(raw)
    raw[at] ^= bits
    path.write_bytes(raw[:at] if cut else raw)
    try:
        stored = read_constant(path, MASK, "BadPixelsDark", shape)
    except ConstantUnreadable:
        return
    np.testing.assert_array_equal(stored.data, values)
