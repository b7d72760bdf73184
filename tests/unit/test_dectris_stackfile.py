"""Stacks of images: what is read back, what is left when a series ends early, and what never gets a name."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bitshuffle
import h5py
import hdf5plugin
import lz4.block
import numpy as np
import pytest

from pipeline.dectris.stack import ChunkStack
from pipeline.dectris.stackfile import DATA, SPECIFIC, StackFile
from pipeline.errors import OutputUnwritable

SHAPE = (6, 10)
assert hdf5plugin.get_filters()


def images(count: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 200, (count, *SHAPE)).astype(dtype)


def stack(path: Path, expected: int, dtype: str = "uint16", compression: str = "bslz4") -> StackFile:
    return StackFile(path, expected=expected, shape=SHAPE, dtype=np.dtype(dtype), compression=compression)


@pytest.mark.parametrize("compression", ["bslz4", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32"])
def test_images_are_read_back_by_h5py(tmp_path: Path, dtype: str, compression: str) -> None:
    made = images(4, dtype)
    with stack(tmp_path / "a.h5", 4, dtype, compression) as file:
        file.write_images([2, 3], made[2:])
        file.write_images([0, 1], made[:2])
    with h5py.File(tmp_path / "a.h5") as read:
        assert np.array_equal(read[DATA][:], made)
        assert read[DATA].chunks == (1, *SHAPE)
        assert (read[DATA].attrs["image_nr_low"], read[DATA].attrs["image_nr_high"]) == (1, 4)
        assert read["entry/data/received"][:].all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_chunks_are_kept_as_they_came(tmp_path: Path) -> None:
    image = images(1, "uint16")[0]
    blob = struct.pack(">QI", image.nbytes, 8192) + bitshuffle.compress_lz4(image).tobytes()
    with stack(tmp_path / "a.h5", 1) as file:
        file.write_chunks([0], [memoryview(blob)])
    with h5py.File(tmp_path / "a.h5") as read:
        assert read[DATA].id.read_direct_chunk((0, 0, 0))[1] == blob
        assert np.array_equal(read[DATA][0], image)


def test_a_series_that_ended_early_is_cut_and_says_what_is_missing(tmp_path: Path) -> None:
    made = images(10, "uint16")
    with stack(tmp_path / "a.h5", 10) as file:
        file.write_images([0, 4], made[[0, 4]])
        assert file.written == 2
    with h5py.File(tmp_path / "a.h5") as read:
        assert read[DATA].shape == (5, *SHAPE)
        assert read["entry/data/received"][:].tolist() == [True, False, False, False, True]
        assert not read[DATA][1:4].any()


def test_without_an_image_there_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"of an earlier series")
    with stack(tmp_path / "a.h5", 10):
        assert (tmp_path / "a.h5.part").exists()
    assert (tmp_path / "a.h5").read_bytes() == b"of an earlier series"
    assert not (tmp_path / "a.h5.part").exists()


def test_what_is_known_of_the_detector_is_kept_whatever_it_is(tmp_path: Path) -> None:
    config = {
        "count_time": 0.1,
        "threshold/1/energy": 4020.0,
        "description": "x",
        "huge": 1 << 80,
        "zero": "a\0b",
    }
    with stack(tmp_path / "a.h5", 1) as file:
        file.describe(config, {"pixel_mask": np.ones(SHAPE, np.uint32)})
        file.write_images([0], images(1, "uint16"))
    with h5py.File(tmp_path / "a.h5") as read:
        assert read[SPECIFIC]["threshold_1_energy"][()] == 4020.0
        assert read[SPECIFIC]["pixel_mask"][:].all()


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritable, match="cannot be written"):
        stack(tmp_path / "file" / "a.h5", 1)


@pytest.mark.parametrize("coding", [0, 1, 2, 3])
def test_data_of_each_packing_are_read_by_h5py(tmp_path: Path, coding: int) -> None:
    image = images(1, "uint16")[0]
    block = lz4.block.compress(image.tobytes(), store_size=False)
    packed = {
        0: image.tobytes(),
        1: block,
        2: struct.pack(">QII", image.nbytes, image.nbytes, len(block)) + block,
        3: struct.pack(">QI", image.nbytes, 8192) + bitshuffle.compress_lz4(image).tobytes(),
    }[coding]
    start: Any = SimpleNamespace(series=7, expected=3, height=SHAPE[0], width=SHAPE[1], config={})
    stack = ChunkStack(tmp_path / "a-$id.h5")
    stack.begin(start)
    stack.take_packed(np.array([1]), [np.frombuffer(packed, np.uint8)], coding, image.dtype)
    assert stack.result() == 1
    stack.close()
    with h5py.File(tmp_path / "a-7.h5") as read:
        assert np.array_equal(read[DATA][1], image)
        assert read["entry/data/received"][:].tolist() == [False, True]
