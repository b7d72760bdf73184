"""What the file writer promises a reader: files of a real unit's structure, complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from sim.dectris.sinks import ImageRun

NXMX = "hdf5 nexus v2024.2 nxmx"


@pytest.mark.parametrize(
    ("compression", "bit_depth"), [("bslz4", 8), ("bslz4", 16), ("bslz4", 32), ("lz4", 16), ("none", 32)]
)
def test_a_reader_gets_every_image_through_the_masters_links(
    bench: Any, compression: str, bit_depth: int
) -> None:
    series = bench.series(12, compression, bit_depth)
    bench.write(series)
    assert list(bench.writer.names()) == [
        "series_7_data_000001.h5",
        "series_7_data_000002.h5",
        "series_7_data_000003.h5",
        "series_7_master.h5",
    ]
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = bench.images_of(master)
        assert np.array_equal(images, bench.truth(series, 12))
        assert images.dtype == series.ring.layout.dtype
        specific = master["entry/instrument/detector/detectorSpecific"]
        assert (specific["nimages"][()], specific["ntrigger"][()], specific["nframes_sum"][()]) == (12, 1, 2)
        assert specific["pixel_mask"].shape == (13, 11)
        assert master["entry/sample/goniometer/omega"][:].tolist() == [10 + 0.5 * i for i in range(12)]
        assert master["entry/sample/goniometer/chi_end"][:].tolist() == [1.0] * 12
        assert "kappa" not in master["entry/sample/goniometer"]
        assert master["entry/instrument/detector/module/data_size"][:].tolist() == [13, 11]
        wavelength = master["entry/instrument/beam/incident_wavelength"]
        assert wavelength[()] == pytest.approx(1.03320165)
    with h5py.File(bench.folder / "series_7_data_000003.h5") as last:
        data = last["entry/data/data"]
        assert data.shape == (2, 13, 11)
        assert (data.attrs["image_nr_low"], data.attrs["image_nr_high"]) == (11, 12)
        assert data.attrs["image_nr_low"].dtype == np.uint64
    assert (bench.writer.state, list(bench.writer.error)) == ("ready", [])


def test_chunks_are_the_rings_bytes(bench: Any) -> None:
    series = bench.series()
    bench.write(series)
    with h5py.File(bench.folder / "series_7_data_000002.h5") as file:
        _, chunk = file["entry/data/data"].id.read_direct_chunk((1, 0, 0))
    assert bytes(chunk) == bytes(series.ring.channels[0].blob(6))


def test_without_compression_the_images_lie_plain(bench: Any) -> None:
    bench.config["compression_enabled"] = False
    series = bench.series()
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(bench.images_of(master), bench.truth(series, 12))
        assert master["entry/data/data_000001"].id.get_create_plist().get_nfilters() == 0


def test_all_channels_lie_in_one_array_in_the_format_of_2024(bench: Any) -> None:
    bench.config |= {"format": NXMX, "name_pattern": "100%d/a%b_$id"}
    channels = ("threshold_1", "threshold_2", "difference")
    series = bench.series(channels=channels)
    bench.write(series)
    with h5py.File(bench.folder / "100%d/a%b_7_master.h5") as master:
        data = master["entry/data/data"]
        assert data.shape == (12, 3, 13, 11)
        assert data.is_virtual
        for channel in range(3):
            assert np.array_equal(data[:, channel], bench.truth(series, 12, channel))
        assert [name.decode() for name in master["entry/data/channel"]] == list(channels)
        assert master["entry/data/start_time"][:] == pytest.approx(np.arange(12) * 0.01)
        detector = master["entry/instrument/detector"]
        assert detector["difference_channel/threshold_energy"][:].tolist() == [6000.0, 9000.0]
        assert detector["threshold_2_channel/pixel_mask"][0, 0] == 1
        assert master["entry"].attrs["DECTRIS_lab_geometry"] == b"mcstas"
        assert master["entry/start_time"][()] == b"2026-01-01T00:00:01.000000Z"


def test_times_of_irregular_images_stand_in_the_master(bench: Any) -> None:
    bench.config |= {"format": NXMX}
    starts = [0, 7_000_000, 30_000_000, 31_000_000, 80_000_000]
    bench.writer.begin(bench.series())
    for number, start in enumerate(starts):
        bench.writer.images(ImageRun(number, 1, start, 1_000_000, 900_000, 1_767_225_601_000_000_000))
    bench.writer.end()
    bench.settle()
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert master["entry/data/start_time"][:].tolist() == [start / 1e9 for start in starts]
        assert master["entry/data/data"].shape[0] == 5


def test_the_legacy_format_has_the_first_channel_alone(bench: Any) -> None:
    series = bench.series(channels=("threshold_1", "threshold_2"))
    bench.write(series)
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(bench.images_of(master), bench.truth(series, 12))


@pytest.mark.parametrize(("form", "name"), [("hdf5 nexus legacy nxmx", "data_000001"), (NXMX, "data")])
def test_all_images_lie_in_the_master_when_files_hold_none(bench: Any, form: str, name: str) -> None:
    bench.config |= {"nimages_per_file": 0, "format": form}
    series = bench.series()
    bench.write(series, images=9)
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        images = master[f"entry/data/{name}"][:].reshape(9, 13, 11)
        assert np.array_equal(images, bench.truth(series, 9))
        assert "depends_on" in master["entry/instrument/detector"]


def test_files_appear_when_they_are_finished(bench: Any) -> None:
    bench.writer.begin(bench.series())
    bench.settle()
    assert list(bench.writer.names()) == ["series_7_master.h5"]
    assert bench.writer.state == "acquire"
    bench.writer.images(bench.run_of(0, 4))
    bench.settle()
    assert bench.writer.path("series_7_data_000001.h5") is None
    bench.writer.images(bench.run_of(4, 1))
    bench.settle()
    assert bench.writer.path("series_7_data_000001.h5") == bench.folder / "series_7_data_000001.h5"
    bench.writer.images(bench.run_of(5, 2))
    bench.settle()
    bench.writer.abort()
    bench.settle()
    assert bench.writer.state == "ready"
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert sorted(master["entry/data"]) == ["data_000001", "data_000002"]
        assert len(bench.images_of(master)) == 7


def test_image_numbers_begin_where_the_user_says(bench: Any) -> None:
    bench.config["image_nr_start"] = 101
    bench.write(bench.series())
    with h5py.File(bench.folder / "series_7_data_000002.h5") as file:
        attributes = file["entry/data/data"].attrs
        assert (attributes["image_nr_low"], attributes["image_nr_high"]) == (106, 110)


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
    bench: Any, real: str, compression: str, bit_depth: int
) -> None:
    bench.write(bench.series(compression=compression, bit_depth=bit_depth))
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
def test_the_master_has_what_masters_in_the_field_have(bench: Any) -> None:
    bench.write(bench.series())
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


def test_the_master_of_a_long_series_is_complete_at_its_end(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.dectris.filewriter.series_writer._PLANNED_IMAGES", 6)
    series = bench.series()
    bench.writer.begin(series)
    bench.settle()
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert sorted(master["entry/data"]) == ["data_000001", "data_000002"]
    bench.writer.images(bench.run_of(0, 12))
    bench.writer.end()
    bench.settle()
    with h5py.File(bench.folder / "series_7_master.h5") as master:
        assert np.array_equal(bench.images_of(master), bench.truth(series, 12))
        assert master["entry/sample/goniometer/omega"].shape == (12,)


def test_runs_that_wait_become_one(bench: Any) -> None:
    series = bench.series(expected=10_000)
    bench.config["nimages_per_file"] = 1000
    bench.write(series)
    with h5py.File(bench.folder / "series_7_data_000010.h5") as file:
        data = file["entry/data/data"]
        expected = sum(
            int(series.ring.channels[0].sums[n % series.ring.distinct]) for n in range(9000, 10_000)
        )
        assert int(data[:].sum(dtype=np.uint64)) == expected
