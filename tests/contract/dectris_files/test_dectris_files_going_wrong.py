"""Buffers that fill, names that lead elsewhere, disks that refuse, faults: what of it a user sees."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.filewriter import NameRefused, base_name


def test_disabled_writes_nothing_and_keeps_nothing_waiting(bench: Any) -> None:
    bench.config["mode"] = "disabled"
    bench.write(bench.series())
    assert (bench.writer.state, list(bench.writer.names())) == ("disabled", [])


def test_the_same_name_again_replaces_the_files(bench: Any) -> None:
    bench.config["name_pattern"] = "same"
    bench.write(bench.series())
    free = bench.writer.buffer_free
    bench.write(bench.series(number=8))
    assert bench.writer.buffer_free == free
    assert len(bench.writer.names()) == 4


def test_files_are_deleted_one_by_one_and_all_at_once(bench: Any) -> None:
    whole = bench.writer.buffer_free
    bench.config["name_pattern"] = "sub/folder/s_$id"
    bench.write(bench.series())
    name = "sub/folder/s_7_data_000001.h5"
    assert bench.writer.delete(name)
    assert not bench.writer.delete(name)
    assert not bench.writer.delete("../../etc/passwd")
    bench.writer.clear()
    assert (list(bench.writer.names()), bench.writer.buffer_free) == ([], whole)
    assert not (bench.folder / "sub").exists()


def test_clearing_in_the_middle_of_a_series_leaves_its_rest_with_a_master(bench: Any) -> None:
    bench.writer.begin(bench.series())
    bench.writer.images(bench.run_of(0, 7))
    bench.settle()
    bench.writer.clear()
    bench.writer.images(bench.run_of(7, 5))
    bench.writer.end()
    bench.settle()
    assert list(bench.writer.names()) == [
        "series_7_data_000002.h5",
        "series_7_data_000003.h5",
        "series_7_master.h5",
    ]


def test_files_of_an_earlier_run_are_gone(bench_in: Callable[..., Any]) -> None:
    bench = bench_in()
    bench.write(bench.series())
    (bench.folder / "notes.txt").write_text("mine")
    bench.writer.close()
    again = bench_in()
    assert list(again.writer.names()) == []
    assert [path.name for path in again.folder.iterdir()] == ["notes.txt"]


def test_a_full_buffer_loses_images_and_says_so(bench_in: Callable[..., Any]) -> None:
    bench = bench_in(buffer_bytes=100_000)
    series = bench.series(expected=400, compression="none")
    bench.config["nimages_per_file"] = 200
    bench.write(series)
    assert any("buffer" in sentence for sentence in bench.writer.error)
    assert any("images were not written" in problem.text for problem in bench.writer.problems())
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        lost = int(master["entry/data"].attrs["images_lost"])
        images = bench.images_of(master)
    assert len(images) == 400
    assert 0 < lost < 400
    kept = [number for number in range(400) if images[number].any()]
    assert len(kept) == 400 - lost
    for number in kept:
        assert np.array_equal(images[number], series.ring.image(0, number))


PIECES = st.one_of(
    st.text(max_size=8), st.sampled_from(["..", ".", "/", "$id", "a", "\0", "\ud800", "\\", "~"])
)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(PIECES, max_size=6).map("".join))
def test_no_name_leaves_the_folder(pattern: str) -> None:
    folder = Path("/data/files")
    try:
        name = base_name(pattern, 3)
    except NameRefused:
        return
    inside = (folder / name).resolve()
    assert inside.is_relative_to(folder)
    assert inside != folder
    assert str(inside) == f"{folder}/{name}"


@pytest.mark.parametrize(
    "pattern", ["../up", "/absolute", "a//b", "", "a/../../b", "x" * 300, ".hidden", "a\0b"]
)
def test_a_name_that_leads_elsewhere_is_an_error_of_the_writer(bench: Any, pattern: str) -> None:
    bench.config["name_pattern"] = pattern
    bench.write(bench.series())
    assert bench.writer.state == "error"
    assert "name_pattern" in bench.writer.error[0]
    bench.config["name_pattern"] = "fine"
    bench.write(bench.series())
    assert (bench.writer.state, len(bench.writer.names())) == ("ready", 4)


def test_a_file_in_the_way_of_a_folder_is_told(bench: Any) -> None:
    bench.write(bench.series())
    bench.config["name_pattern"] = "series_7_master.h5/inside"
    bench.write(bench.series())
    assert bench.writer.state == "error"
    assert len(bench.writer.error) == 1


def test_the_faults_of_files_are_seen_by_a_reader(bench: Any) -> None:
    bench.faults.switch_on("file_missing", times=1)
    bench.write(bench.series())
    assert bench.writer.path("series_7_data_000001.h5") is None
    assert len(bench.writer.names()) == 3

    bench.faults.switch_on("file_truncated", times=1)
    bench.write(bench.series())
    with pytest.raises(OSError, match="truncated"):
        h5py.File(bench.folder / "series_7_data_000001.h5")

    bench.faults.switch_on("file_late", times=1, delay_s=2.0)
    bench.write(bench.series())
    assert bench.writer.path("series_7_data_000001.h5") is None
    bench.now_ns = 2_000_000_000
    assert bench.writer.path("series_7_data_000001.h5") is not None

    bench.faults.switch_on("file_wrong_link", times=1)
    bench.write(bench.series())
    with h5py.File(bench.folder / "series_7_master.h5") as master, pytest.raises(KeyError):
        bench.images_of(master)

    bench.faults.switch_on("file_disk_full", times=1)
    bench.write(bench.series())
    assert bench.writer.state == "error"
    assert "No space left" in bench.writer.error[0]


def test_a_disk_that_fills_up_is_told_and_the_next_series_is_whole(bench: Any) -> None:
    bench.config["nimages_per_file"] = 1000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # No file may grow beyond this: HDF5 meets a refused write, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        bench.write(bench.series(expected=1000, compression="none"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert bench.writer.state == "error"
    assert bench.writer.error == ("series 7 is not written any further: File too large",)
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    series = bench.series(expected=1000, compression="none")
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(bench.images_of(master), bench.truth(series, 1000))


def test_a_corrupt_chunk_hurts_its_image_alone(bench: Any) -> None:
    series = bench.series(compression="none")
    bench.faults.switch_on("file_corrupt_chunk", times=1)
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = bench.images_of(master)
    wrong = [n for n in range(12) if not np.array_equal(images[n], series.ring.image(0, n))]
    assert wrong == [0]
