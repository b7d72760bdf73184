"""Offline correction of damaged files: each is refused with the file and the dataset."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.correct import ModuleCorrection
from pipeline.daq.conditions import recorded_conditions
from pipeline.errors import RunUnreadable
from pipeline.offline.correct import correct_file, correct_run
from pipeline.offline.rawrun import raw_files, run_begin
from pipeline.offline.workers import executor_of

SOURCE = "SPB_DET_AGIPD1M-1/DET/0CH0:xtdf"
INDEX, DATA = f"INDEX/{SOURCE}/image", f"INSTRUMENT/{SOURCE}"
NAME = "RAW-R0003-AGIPD00-S00000.h5"


def put(name: str, value: Any) -> Callable[[h5py.File], None]:
    """Replace a dataset."""

    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return change


def claim(names: list[str], entries: int) -> Callable[[h5py.File], None]:
    """Datasets that say they are so long, and take no room on the disk."""

    def change(file: h5py.File) -> None:
        for name in names:
            shape, dtype = file[name].shape, file[name].dtype
            del file[name]
            file.create_dataset(name, (entries, *shape[1:]), dtype, chunks=(64, *shape[1:]))

    return change


def without(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def group(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_group(name)

    return change


EVERY_INDEX = ["INDEX/trainId", "INDEX/timestamp", f"{INDEX}/first", f"{INDEX}/count"]
EVERY_INDEX += [f"INDEX/{SOURCE}/header/first"]
CASES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "count beyond the data": (put(f"{INDEX}/count", np.array([2, 3], "u8")), f"{DATA}/image/data holds 4"),
    "absurd count": (put(f"{INDEX}/count", np.array([2, 1 << 40], "u8")), "has 352 memory cells"),
    "largest count": (put(f"{INDEX}/count", np.array([2, 2**64 - 1], "u8")), f"{INDEX}/count tells of"),
    "negative count": (put(f"{INDEX}/count", np.array([2, -1], "i8")), f"{INDEX}/count tells of"),
    "first beyond the data": (
        put(f"{INDEX}/first", np.array([0, 4], "u8")),
        "tells of frames 4 … 5 in train 2",
    ),
    "largest first": (put(f"{INDEX}/first", np.array([0, 2**64 - 1], "u8")), f"{DATA}/image/data holds 4"),
    "section beyond": (put(f"INDEX/{SOURCE}/header/first", np.array([0, 9], "u8")), "tells of entry 9"),
    "fewer counts": (put(f"{INDEX}/count", np.array([2], "u8")), f"{INDEX}/count has 1 entries"),
    "counts that are texts": (put(f"{INDEX}/count", np.array([b"a", b"b"])), f"{INDEX}/count holds |S1"),
    "counts that are fractions": (put(f"{INDEX}/count", np.ones(2)), f"{INDEX}/count holds float64"),
    "no count": (without(f"{INDEX}/count"), f"holds no dataset {INDEX}/count"),
    "no index": (without(INDEX), f"holds no dataset {INDEX}/first"),
    "a group for a dataset": (group("INDEX/trainId"), "holds no dataset INDEX/trainId"),
    "one number": (put("INDEX/timestamp", 5), "INDEX/timestamp holds int64 ()"),
    "endless index": (claim(EVERY_INDEX, 1 << 45), "INDEX/trainId tells of 35184372088832 trains"),
    "no data": (without(f"{DATA}/image/data"), f"holds no dataset {DATA}/image/data"),
    "data of another type": (
        put(f"{DATA}/image/data", np.zeros((4, 2, 512, 128), "f4")),
        f"{DATA}/image/data holds float32",
    ),
    "data of another shape": (
        put(f"{DATA}/image/data", np.zeros((4, 2, 128, 512), "u2")),
        "not uint16 (n, 2, 512, 128)",
    ),
    "fewer frames": (
        put(f"{DATA}/image/data", np.zeros((3, 2, 512, 128), "u2")),
        f"frames 2 … 3 in train 2, {DATA}/image/data holds 3",
    ),
    "fewer cells": (put(f"{DATA}/image/cellId", np.zeros(3, "u2")), f"{DATA}/image/cellId holds 3"),
    "cells that are too wide": (put(f"{DATA}/image/cellId", np.zeros(4, "u8")), "cellId holds uint64"),
    "no pulses": (without(f"{DATA}/image/pulseId"), f"holds no dataset {DATA}/image/pulseId"),
    "no detector section": (without(f"{DATA}/detector/data"), f"holds no dataset {DATA}/detector/data"),
    "half a header": (put(f"{DATA}/header/reserved", np.zeros((2, 7), "u1")), "reserved holds uint8 (2, 7)"),
    "fewer trailers": (put(f"{DATA}/trailer/status", np.zeros(1, "u8")), f"{DATA}/trailer/status holds 1"),
    "no proposal": (without("METADATA/proposalNumber"), "holds no dataset METADATA/proposalNumber"),
    "an empty proposal": (put("METADATA/proposalNumber", np.zeros(0, "u4")), "holds no number of a proposal"),
    "a proposal below zero": (
        put("METADATA/proposalNumber", np.array([-1])),
        "holds no number of a proposal",
    ),
}


class Made:
    """A run, and its corrections."""

    def __init__(self, raw: Path, detector: str, corrections: dict[int, ModuleCorrection]) -> None:
        self.raw, self.detector, self.corrections = raw, detector, corrections

    def copy(self, folder: Path) -> Path:
        """A copy that may be damaged."""
        return Path(shutil.copytree(self.raw, folder / "raw"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, record_run: Callable[..., Any]) -> Made:
    run = record_run(tmp_path_factory.mktemp("damaged"))
    return Made(run.raw, run.detector, run.corrections(range(2)))


@pytest.mark.parametrize("case", CASES)
def test_what_lies_is_refused_with_its_file_and_dataset(tmp_path: Path, made: Made, case: str) -> None:
    shutil.copy(made.raw / NAME, tmp_path)
    change, words = CASES[case]
    with h5py.File(tmp_path / NAME, "r+") as file:
        change(file)
    (raw,) = raw_files(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RunUnreadable) as refused:
        correct_file(raw, out, made.detector, made.corrections[0])
    assert words in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path / NAME}: ")
    assert not list(out.iterdir())


@pytest.mark.parametrize("tenth", range(10))
def test_a_truncated_file_is_refused(tmp_path: Path, made: Made, tenth: int) -> None:
    whole = (made.raw / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[: len(whole) * tenth // 10])
    (raw,) = raw_files(tmp_path)
    with pytest.raises(RunUnreadable, match=f"{NAME}: the file cannot be read"):
        correct_file(raw, tmp_path, made.detector, made.corrections[0])


def test_files_of_others_with_plain_axes_are_taken(tmp_path: Path, made: Made) -> None:
    """Lists (n,) for (n, 1), and numbers with a sign: what other writers do is no damage."""
    raw = made.copy(tmp_path)
    with h5py.File(raw / NAME, "r+") as file:
        for name in ("INDEX/trainId", f"{INDEX}/first", f"{INDEX}/count"):
            put(name, file[name][()].astype("i8"))(file)
        put(f"{DATA}/image/cellId", file[f"{DATA}/image/cellId"][()].reshape(-1))(file)
    with ThreadPoolExecutor(1) as executor:
        done = correct_run(raw, tmp_path / "out", made.detector, made.corrections, executor)
    assert (done.files, done.failed) == (4, ())


def threads() -> Executor:
    return ThreadPoolExecutor(2)


def own_processes() -> Executor:
    return executor_of(2, processes=True)


def plain_processes() -> Executor:
    return ProcessPoolExecutor(2, get_context("spawn"))


@pytest.mark.parametrize("kind", [threads, own_processes, plain_processes])
def test_the_other_files_go_on(tmp_path: Path, made: Made, kind: Callable[[], Executor]) -> None:
    raw = made.copy(tmp_path)
    with h5py.File(raw / NAME, "r+") as file:
        put(f"{INDEX}/count", np.array([2, 1 << 60], "u8"))(file)
    cut = raw / "RAW-R0003-AGIPD01-S00001.h5"
    cut.write_bytes(cut.read_bytes()[:5000])
    with kind() as executor:
        done = correct_run(raw, tmp_path / "out", made.detector, made.corrections, executor)
    assert (done.files, done.remaining) == (2, 0)
    assert [NAME in done.failed[0], cut.name in done.failed[1]] == [True, True]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "CORR-R0003-AGIPD00-S00001.h5",
        "CORR-R0003-AGIPD01-S00000.h5",
    }


@pytest.mark.parametrize(
    "name", ["RUN", "RUN/SPB_IRU_AGIPD1M1", "RUN/SPB_IRU_AGIPD1M1/BENCH/CONDITIONS/detector"]
)
@pytest.mark.parametrize("value", [5, np.array([], "u4"), b"?"])
def test_a_control_file_that_lies_is_named(tmp_path: Path, made: Made, name: str, value: Any) -> None:
    control = "RAW-R0003-DA01-S00000.h5"
    shutil.copy(made.raw / control, tmp_path)
    with h5py.File(tmp_path / control, "r+") as file:
        put(name, value)(file)
    with pytest.raises(RunUnreadable, match=f"{control}: lacks the operating conditions"):
        recorded_conditions(tmp_path)


def test_modules_without_correction_are_named(tmp_path: Path, made: Made) -> None:
    with ThreadPoolExecutor(1) as executor:
        done = correct_run(made.raw, tmp_path, made.detector, {0: made.corrections[0]}, executor)
    assert (done.files, done.uncorrected) == (2, ("AGIPD01",))


def test_a_damaged_file_does_not_hide_when_the_run_began(tmp_path: Path, made: Made) -> None:
    raw, whole = made.copy(tmp_path), run_begin(made.raw)
    (raw / NAME).write_bytes(b"no HDF5")
    with h5py.File(raw / "RAW-R0003-AGIPD01-S00000.h5", "r+") as file:
        put("INDEX/timestamp", np.array([b"yesterday"]))(file)
    assert run_begin(raw) == whole
    for path in raw.glob("*.h5"):
        path.write_bytes(b"")
    with pytest.raises(RunUnreadable, match="holds no file with a train that can be read"):
        run_begin(raw)
