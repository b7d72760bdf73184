"""What the file writer promises a reader: files of a real unit's structure, complete, and what goes wrong is told."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bitshuffle
import h5py
import hdf5plugin  # noqa: F401 - registers the filters
import lz4.block
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.filewriter import FAULTS, FileWriterSink, NameRefused, base_name
from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.kernel import FaultBoard

NXMX = "hdf5 nexus v2024.2 nxmx"
DISTINCT, HEIGHT, WIDTH = 5, 13, 11
CONFIG: dict[str, Any] = {
    "photon_energy": 12000.0,
    "incident_energy": 12000.0,
    "threshold/1/energy": 6000.0,
    "threshold/2/energy": 9000.0,
    "threshold/difference/lower_threshold": 1,
    "threshold/difference/upper_threshold": 2,
    "threshold_energy": 6000.0,
    "x_pixel_size": 7.5e-5,
    "y_pixel_size": 7.5e-5,
    "detector_distance": 0.2,
    "frame_time": 0.01,
    "count_time": 0.0099,
    "frame_count_time": 0.005,
    "auto_summation": True,
    "omega_start": 10.0,
    "omega_increment": 0.5,
    "chi_start": 1.0,
    "chi_increment": 0.0,
    "two_theta_start": 0.0,
    "two_theta_increment": 0.0,
    "description": "Dectris EIGER2 Si 500K",
    "sample_name": "",
    "instrument_name": "bench",
    "source_name": "",
    "beam_center_x": 5.5,
    "beam_center_y": 6.5,
    "bit_depth_image": 16,
    "bit_depth_readout": 16,
    "countrate_correction_applied": True,
    "countrate_correction_count_cutoff": 21517,
    "data_collection_date": "2026-01-01T00:00:00.000+00:00",
    "detector_number": "E-08-0100",
    "detector_readout_time": 1e-7,
    "eiger_fw_version": "release-2022.1.2",
    "element": "Cu",
    "flatfield_correction_applied": True,
    "nimages": 12,
    "number_of_excluded_pixels": 0,
    "pixel_mask_applied": True,
    "roi_mode": "disabled",
    "sensor_material": "Si",
    "sensor_thickness": 0.00045,
    "software_version": "1.8.0",
    "total_flux": 0.0,
    "virtual_pixel_correction_applied": True,
}


def encoded(image: np.ndarray[Any, Any], compression: str) -> bytes:
    if compression == "bslz4":
        packed = bitshuffle.compress_lz4(image.reshape(-1), 8192 // image.itemsize)
        return struct.pack(">QI", image.nbytes, 8192) + bytes(packed)
    if compression == "lz4":
        block = lz4.block.compress(image.tobytes(), store_size=False)
        return struct.pack(">QII", image.nbytes, image.nbytes, len(block)) + block
    return image.tobytes()


def made_series(
    expected: int = 12,
    compression: str = "bslz4",
    bit_depth: int = 16,
    channels: tuple[str, ...] = ("threshold_1",),
    number: int = 7,
) -> ArmedSeries:
    layout = Layout(WIDTH, HEIGHT, bit_depth, compression, channels)
    made = []
    for place, name in enumerate(channels):
        images = np.random.default_rng(place).poisson(3, (DISTINCT, HEIGHT, WIDTH)).astype(layout.dtype)
        blobs = [encoded(image, compression) for image in images]
        lengths = np.array([len(blob) for blob in blobs], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        sums = images.sum(axis=(1, 2), dtype=np.uint64)
        made.append(Channel(name, np.frombuffer(b"".join(blobs), np.uint8), offsets, lengths, (), sums))
    plane = (HEIGHT, WIDTH)
    return ArmedSeries(
        number=number,
        unique_id="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        armed_unix_ns=1_767_225_600_000_000_000,
        nimages=expected,
        ntrigger=1,
        trigger_mode="ints",
        expected=expected,
        ring=Ring(layout, tuple(made)),
        config=CONFIG,
        pixel_mask=tuple(np.full(plane, place, np.uint32) for place in range(len(channels))),
        flatfield=tuple(np.ones(plane, np.float32) for _ in channels),
        countrate_table=np.ones((2, 1000), np.float32),
    )


def run_of(first: int, count: int) -> ImageRun:
    return ImageRun(first, count, first * 10_000_000, 10_000_000, 9_900_000, 1_767_225_601_000_000_000)


class Bench:
    """A file writer in a folder, with its keys, faults and a clock by hand."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {"mode": "enabled", "nimages_per_file": 5}
        self.faults = FaultBoard("dcu", FAULTS)
        self.now_ns = 0
        self.writer = FileWriterSink(
            "dcu", folder, lambda: self.config, self.faults, lambda: self.now_ns, **more
        )

    def write(self, series: ArmedSeries, images: int | None = None) -> None:
        self.writer.begin(series)
        images = series.expected if images is None else images
        for first in range(0, images, 4):
            run = run_of(first, min(4, images - first))
            assert self.writer.images(run) == run.count
        self.writer.end()
        self.settle()

    def settle(self) -> None:
        assert self.writer.settled(20.0)


@pytest.fixture
def bench_in(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**more: Any) -> Bench:
        made.append(Bench(tmp_path / "files", **more))
        return made[-1]

    yield make
    for bench in made:
        bench.writer.close()


@pytest.fixture
def bench(bench_in: Callable[..., Bench]) -> Bench:
    return bench_in()


def legacy_images(master: h5py.File) -> np.ndarray[Any, Any]:
    data = master["entry/data"]
    return np.concatenate([data[name][:] for name in sorted(data) if name.startswith("data_")])


def true_images(series: ArmedSeries, count: int, channel: int = 0) -> np.ndarray[Any, Any]:
    return np.stack([series.ring.image(channel, number) for number in range(count)])


@pytest.mark.parametrize(
    ("compression", "bit_depth"), [("bslz4", 8), ("bslz4", 16), ("bslz4", 32), ("lz4", 16), ("none", 32)]
)
def test_a_reader_gets_every_image_through_the_masters_links(
    bench: Bench, compression: str, bit_depth: int
) -> None:
    series = made_series(12, compression, bit_depth)
    bench.write(series)
    assert list(bench.writer.names()) == [
        "series_7_data_000001.h5",
        "series_7_data_000002.h5",
        "series_7_data_000003.h5",
        "series_7_master.h5",
    ]
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = legacy_images(master)
        assert np.array_equal(images, true_images(series, 12))
        assert images.dtype == series.ring.layout.dtype
        specific = master["entry/instrument/detector/detectorSpecific"]
        assert (specific["nimages"][()], specific["ntrigger"][()], specific["nframes_sum"][()]) == (12, 1, 2)
        assert specific["pixel_mask"].shape == (HEIGHT, WIDTH)
        assert master["entry/sample/goniometer/omega"][:].tolist() == [10 + 0.5 * i for i in range(12)]
        assert master["entry/sample/goniometer/chi_end"][:].tolist() == [1.0] * 12
        assert "kappa" not in master["entry/sample/goniometer"]
        assert master["entry/instrument/detector/module/data_size"][:].tolist() == [HEIGHT, WIDTH]
        wavelength = master["entry/instrument/beam/incident_wavelength"]
        assert wavelength[()] == pytest.approx(1.03320165)
    with h5py.File(bench.folder / "series_7_data_000003.h5") as last:
        data = last["entry/data/data"]
        assert data.shape == (2, HEIGHT, WIDTH)
        assert (data.attrs["image_nr_low"], data.attrs["image_nr_high"]) == (11, 12)
        assert data.attrs["image_nr_low"].dtype == np.uint64
    assert (bench.writer.state, list(bench.writer.error)) == ("ready", [])


def test_chunks_are_the_rings_bytes(bench: Bench) -> None:
    series = made_series()
    bench.write(series)
    with h5py.File(bench.folder / "series_7_data_000002.h5") as file:
        _, chunk = file["entry/data/data"].id.read_direct_chunk((1, 0, 0))
    assert bytes(chunk) == bytes(series.ring.channels[0].blob(6))


def test_without_compression_the_images_lie_plain(bench: Bench) -> None:
    bench.config["compression_enabled"] = False
    series = made_series()
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(legacy_images(master), true_images(series, 12))
        assert master["entry/data/data_000001"].id.get_create_plist().get_nfilters() == 0


def test_all_channels_lie_in_one_array_in_the_format_of_2024(bench: Bench) -> None:
    bench.config |= {"format": NXMX, "name_pattern": "100%d/a_$id"}
    channels = ("threshold_1", "threshold_2", "difference")
    series = made_series(channels=channels)
    bench.write(series)
    with h5py.File(bench.folder / "100%d/a_7_master.h5") as master:
        data = master["entry/data/data"]
        assert data.shape == (12, 3, HEIGHT, WIDTH)
        assert data.is_virtual
        for channel in range(3):
            assert np.array_equal(data[:, channel], true_images(series, 12, channel))
        assert [name.decode() for name in master["entry/data/channel"]] == list(channels)
        assert master["entry/data/start_time"][:] == pytest.approx(np.arange(12) * 0.01)
        detector = master["entry/instrument/detector"]
        assert detector["difference_channel/threshold_energy"][:].tolist() == [6000.0, 9000.0]
        assert detector["threshold_2_channel/pixel_mask"][0, 0] == 1
        assert master["entry"].attrs["DECTRIS_lab_geometry"] == b"mcstas"
        assert master["entry/start_time"][()] == b"2026-01-01T00:00:01.000000Z"


def test_times_of_irregular_images_stand_in_the_master(bench: Bench) -> None:
    bench.config |= {"format": NXMX}
    starts = [0, 7_000_000, 30_000_000, 31_000_000, 80_000_000]
    bench.writer.begin(made_series())
    for number, start in enumerate(starts):
        bench.writer.images(ImageRun(number, 1, start, 1_000_000, 900_000, 1_767_225_601_000_000_000))
    bench.writer.end()
    bench.settle()
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert master["entry/data/start_time"][:].tolist() == [start / 1e9 for start in starts]
        assert master["entry/data/data"].shape[0] == 5


def test_the_legacy_format_has_the_first_channel_alone(bench: Bench) -> None:
    series = made_series(channels=("threshold_1", "threshold_2"))
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(legacy_images(master), true_images(series, 12))


@pytest.mark.parametrize(("form", "name"), [("hdf5 nexus legacy nxmx", "data_000001"), (NXMX, "data")])
def test_all_images_lie_in_the_master_when_files_hold_none(bench: Bench, form: str, name: str) -> None:
    bench.config |= {"nimages_per_file": 0, "format": form}
    series = made_series()
    bench.write(series, images=9)
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = master[f"entry/data/{name}"][:].reshape(9, HEIGHT, WIDTH)
        assert np.array_equal(images, true_images(series, 9))
        assert "depends_on" in master["entry/instrument/detector"]


def test_files_appear_when_they_are_finished(bench: Bench) -> None:
    bench.writer.begin(made_series())
    bench.settle()
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    assert bench.writer.state == "acquire"
    bench.writer.images(run_of(0, 4))
    bench.settle()
    assert bench.writer.path("series_7_data_000001.h5") is None
    bench.writer.images(run_of(4, 1))
    bench.settle()
    assert bench.writer.path("series_7_data_000001.h5") == bench.folder / "series_7_data_000001.h5"
    bench.writer.images(run_of(5, 2))
    bench.settle()
    bench.writer.abort()
    bench.settle()
    assert bench.writer.state == "ready"
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert sorted(master["entry/data"]) == ["data_000001", "data_000002"]
        assert len(legacy_images(master)) == 7


def test_image_numbers_begin_where_the_user_says(bench: Bench) -> None:
    bench.config["image_nr_start"] = 101
    bench.write(made_series())
    with h5py.File(bench.folder / "series_7_data_000002.h5") as file:
        attributes = file["entry/data/data"].attrs
        assert (attributes["image_nr_low"], attributes["image_nr_high"]) == (106, 110)


def test_disabled_writes_nothing_and_keeps_nothing_waiting(bench: Bench) -> None:
    bench.config["mode"] = "disabled"
    bench.write(made_series())
    assert (bench.writer.state, list(bench.writer.names())) == ("disabled", [])


def test_the_same_name_again_replaces_the_files(bench: Bench) -> None:
    bench.config["name_pattern"] = "same"
    bench.write(made_series())
    free = bench.writer.buffer_free
    bench.write(made_series(number=8))
    assert bench.writer.buffer_free == free
    assert len(bench.writer.names()) == 4


def test_files_are_deleted_one_by_one_and_all_at_once(bench: Bench) -> None:
    whole = bench.writer.buffer_free
    bench.config["name_pattern"] = "sub/folder/s_$id"
    bench.write(made_series())
    name = "sub/folder/s_7_data_000001.h5"
    assert bench.writer.delete(name)
    assert not bench.writer.delete(name)
    assert not bench.writer.delete("../../etc/passwd")
    bench.writer.clear()
    assert (list(bench.writer.names()), bench.writer.buffer_free) == ([], whole)
    assert not (bench.folder / "sub").exists()


def test_files_of_an_earlier_run_are_gone(bench_in: Callable[..., Bench]) -> None:
    bench = bench_in()
    bench.write(made_series())
    (bench.folder / "notes.txt").write_text("mine")
    bench.writer.close()
    again = bench_in()
    assert list(again.writer.names()) == []
    assert [path.name for path in again.folder.iterdir()] == ["notes.txt"]


def test_a_full_buffer_loses_images_and_says_so(bench_in: Callable[..., Bench]) -> None:
    series = made_series(expected=400, compression="none")
    bench = bench_in(buffer_bytes=100_000)
    bench.config["nimages_per_file"] = 200
    bench.write(series)
    assert any("buffer" in sentence for sentence in bench.writer.error)
    assert any("images were not written" in problem.text for problem in bench.writer.problems())
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        lost = int(master["entry/data"].attrs["images_lost"])
        images = legacy_images(master)
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
def test_a_name_that_leads_elsewhere_is_an_error_of_the_writer(bench: Bench, pattern: str) -> None:
    bench.config["name_pattern"] = pattern
    bench.write(made_series())
    assert bench.writer.state == "error"
    assert "name_pattern" in bench.writer.error[0]
    bench.config["name_pattern"] = "fine"
    bench.write(made_series())
    assert (bench.writer.state, len(bench.writer.names())) == ("ready", 4)


def test_a_file_in_the_way_of_a_folder_is_told(bench: Bench) -> None:
    bench.write(made_series())
    bench.config["name_pattern"] = "series_7_master.h5/inside"
    bench.write(made_series())
    assert bench.writer.state == "error"
    assert len(bench.writer.error) == 1


def test_the_faults_of_files_are_seen_by_a_reader(bench: Bench) -> None:
    bench.faults.switch_on("file_missing", times=1)
    bench.write(made_series())
    assert bench.writer.path("series_7_data_000001.h5") is None
    assert len(bench.writer.names()) == 3

    bench.faults.switch_on("file_truncated", times=1)
    bench.write(made_series())
    with pytest.raises(OSError, match="truncated"):
        h5py.File(bench.folder / "series_7_data_000001.h5")

    bench.faults.switch_on("file_late", times=1, delay_s=2.0)
    bench.write(made_series())
    assert bench.writer.path("series_7_data_000001.h5") is None
    bench.now_ns = 2_000_000_000
    assert bench.writer.path("series_7_data_000001.h5") is not None

    bench.faults.switch_on("file_wrong_link", times=1)
    bench.write(made_series())
    with h5py.File(bench.folder / "series_7_master.h5") as master, pytest.raises(KeyError):
        legacy_images(master)

    bench.faults.switch_on("file_disk_full", times=1)
    bench.write(made_series())
    assert bench.writer.state == "error"
    assert "No space left" in bench.writer.error[0]


def test_a_disk_that_fills_up_is_told_and_the_next_series_is_whole(bench: Bench) -> None:
    bench.config["nimages_per_file"] = 1000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # No file may grow beyond this: HDF5 meets a refused write, as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        bench.write(made_series(expected=1000, compression="none"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert bench.writer.state == "error"
    assert bench.writer.error == ("series 7 is not written any further: File too large",)
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    series = made_series(expected=1000, compression="none")
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(legacy_images(master), true_images(series, 1000))


def test_a_corrupt_chunk_hurts_its_image_alone(bench: Bench) -> None:
    series = made_series(compression="none")
    bench.faults.switch_on("file_corrupt_chunk", times=1)
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = legacy_images(master)
    wrong = [n for n in range(12) if not np.array_equal(images[n], series.ring.image(0, n))]
    assert wrong == [0]


def structure(file: h5py.File) -> dict[str, Any]:
    """Groups with their classes; datasets with type, filters, chunks and attributes."""
    found: dict[str, Any] = {}

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group):
            found[name] = bytes(item.attrs["NX_class"])
            return
        plist = item.id.get_create_plist()
        filters = [plist.get_filter(place) for place in range(plist.get_nfilters())]
        # The second value of bitshuffle is the minor version of the library that wrote.
        packing = [(code, flags, values[:1], values[2:]) for code, flags, values, _ in filters]
        attributes = {key: value.dtype for key, value in item.attrs.items()}
        found[name] = (item.dtype, packing, item.chunks[0], item.maxshape[0], attributes)

    file.visititems(look)
    return found


REAL = Path(os.environ.get("STELLWERK_REAL_DATA", "/nowhere")) / "dectris"


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="STELLWERK_REAL_DATA names no folder with dectris/")
@pytest.mark.parametrize(
    ("real", "compression", "bit_depth"),
    [
        ("bslz4", "bslz4", 16),
        ("lz4", "lz4", 16),
        ("bslz4_uint8", "bslz4", 8),
        ("bslz4_uint32", "bslz4", 32),
    ],
)
def test_data_files_are_built_like_those_of_a_real_unit(
    bench: Bench, real: str, compression: str, bit_depth: int
) -> None:
    bench.write(made_series(compression=compression, bit_depth=bit_depth))
    folder = REAL / "h5-testfiles" / "datasets_eiger2"
    with (
        h5py.File(folder / f"eiger2_simread7_2datafiles_4images_{real}_data_000001.h5") as theirs,
        h5py.File(bench.folder / "series_7_data_000001.h5") as ours,
    ):
        assert structure(ours) == structure(theirs)
        assert ours.libver == theirs.libver


OF_THE_FACILITY = {"end_time", "end_time_estimated", "title", "@version", "distance", "translation"}
"""What the example has beyond the vendor's files: the beamline's own entries, by the last part of the name."""


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="STELLWERK_REAL_DATA names no folder with dectris/")
def test_the_master_has_what_masters_in_the_field_have(bench: Bench) -> None:
    bench.write(made_series())
    with (
        h5py.File(REAL / "legacy-master-example" / "example_1_master.h5") as theirs,
        h5py.File(bench.folder / "series_7_master.h5") as ours,
    ):
        names: list[str] = []
        theirs.visit(names.append)
        wanted = [name for name in names if name.rsplit("/", 1)[-1] not in OF_THE_FACILITY]
        missing = [name for name in wanted if name not in ours]
        # The example turns omega about the sample twice; the vendor's transformation is the plain angle.
        assert [name for name in missing if not name.startswith("entry/sample/transformations/omega_")] == []
        for name in wanted:
            if name in ours and "units" in theirs[name].attrs:
                expected = theirs[name].attrs["units"].replace("pixels", "pixel")
                assert ours[name].attrs["units"] == expected.encode(), name


def test_runs_that_wait_become_one(bench: Bench) -> None:
    series = made_series(expected=10_000)
    bench.config["nimages_per_file"] = 1000
    bench.write(series)
    with h5py.File(bench.folder / "series_7_data_000010.h5") as file:
        data = file["entry/data/data"]
        expected = sum(int(series.ring.channels[0].sums[n % DISTINCT]) for n in range(9000, 10_000))
        assert int(data[:].sum(dtype=np.uint64)) == expected
