"""Recorded data of real control units, replayed through REST and ZeroMQ: the sums are the files', bit for bit."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from fat.bench.owned import OwnedBench
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import connect
from pipeline.dectris.reduce import FrameSums, Sum
from pipeline.errors import CommandRefused, ControlUnitUnreachable

REAL = os.environ.get("STELLWERK_REAL_DATA")
H5 = Path(REAL or ".") / "dectris" / "h5-testfiles"
SETS = {
    "eiger2 u16 bslz4": ("datasets_eiger2", "eiger2_simread7_2datafiles_4images_bslz4_data_*.h5"),
    "eiger2 u32 bslz4": ("datasets_eiger2", "eiger2_simread7_2datafiles_4images_bslz4_uint32_data_*.h5"),
    "eiger2 u8 bslz4": ("datasets_eiger2", "eiger2_simread7_2datafiles_4images_bslz4_uint8_data_*.h5"),
    "eiger2 u16 lz4": ("datasets_eiger2", "eiger2_simread7_2datafiles_4images_lz4_data_*.h5"),
    "eiger1 u16 bslz4": ("datasets_eiger1", "eiger1_testmode10_2datafiles_4images_bslz4_data_*.h5"),
    "eiger1 u16 lz4": ("datasets_eiger1", "eiger1_testmode10_2datafiles_4images_lz4_data_*.h5"),
}
VARIANTS = ("eiger2 u16 bslz4", "eiger2 u16 lz4", "eiger1 u16 bslz4")
"""What they have, every other has one of: the generation, the number of bits, the compression."""
real_data = pytest.mark.skipif(
    not H5.is_dir(), reason="STELLWERK_REAL_DATA does not name a folder with dectris/h5-testfiles"
)
BENCH = """
[bench]
name = "dcu"
seed = 1
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.dcu]
kind = "dcu"
"""


def up(folder: Path, extra: str = "") -> OwnedBench:
    (folder / "dcu.toml").write_text(BENCH + extra)
    return OwnedBench(folder / "dcu.toml", data_dir=folder / "data", log=folder / "bench.log")


def read(files: list[Path]) -> tuple[np.ndarray, list[int]]:
    """Sum image and frame sums, as h5py with hdf5plugin reads them."""
    assert hdf5plugin.get_filters()
    frames = []
    for path in files:
        with h5py.File(path, "r") as file:
            frames += list(file["entry/data/data"][:])
    return np.sum(np.stack(frames), axis=0, dtype=np.uint64), [int(f.sum(dtype=np.uint64)) for f in frames]


@real_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.thorough) if name in VARIANTS else name for name in SETS],
)
def test_replayed_frames_add_up_to_the_files(name: str, tmp_path: Path) -> None:
    folder, pattern = SETS[name]
    files = sorted((H5 / folder).glob(pattern))
    assert files
    expected, frame_sums = read(files)
    table = f'frames = {{ source = "files", files = ["{H5 / folder / pattern}"] }}\n'
    with (
        up(tmp_path, table) as bench,
        connect(bench.endpoints["dcu.api"], bench.endpoints["dcu.stream"]) as connection,
    ):
        controller = connection.get_active_controller("ints", count_time=0.001, frame_time=0.001)
        outcome = connection.prepare(len(frame_sums), controller=controller).run([Sum(), FrameSums()])
    assert outcome.complete, outcome.sentences()
    assert outcome.results[1].tolist() == frame_sums
    assert outcome.results[0].shape == expected.shape
    assert np.array_equal(outcome.results[0], expected)


@real_data
@pytest.mark.real_data
def test_the_sums_of_the_eiger2_files_are_the_published_ones() -> None:
    _, sums = read(sorted((H5 / "datasets_eiger2").glob("*images_bslz4_data_*.h5")))
    assert set(sums) == {3648540}


def test_refusals_are_sentences(tmp_path: Path) -> None:
    with up(tmp_path) as bench, DcuClient(bench.endpoints["dcu.api"]) as client:
        with pytest.raises(CommandRefused, match="trigger"):
            client.trigger(timeout_s=5)
        with pytest.raises(CommandRefused, match="nimages"):
            client.set("nimages", "many")
        with pytest.raises(CommandRefused, match="404"):
            client.get("no_such_key")
        assert client.state() == "idle"
    with DcuClient(bench.endpoints["dcu.api"]) as client, pytest.raises(ControlUnitUnreachable):
        client.state()
