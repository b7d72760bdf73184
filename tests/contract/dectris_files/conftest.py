"""A file writer with a ring of small images, for tests of the files that it writes."""

from __future__ import annotations

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

from sim.dectris.fault_specs import FILE_FAULTS
from sim.dectris.filewriter import FileWriterSink
from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.kernel import FaultBoard

DISTINCT, HEIGHT, WIDTH = 7, 13, 11
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
        self.faults = FaultBoard("dcu", FILE_FAULTS)
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

    series = staticmethod(made_series)
    run_of = staticmethod(run_of)

    @staticmethod
    def images_of(master: h5py.File) -> np.ndarray[Any, Any]:
        """All images of a legacy master, through its links."""
        data = master["entry/data"]
        return np.concatenate([data[name][:] for name in sorted(data) if name.startswith("data_")])

    @staticmethod
    def truth(series: ArmedSeries, count: int, channel: int = 0) -> np.ndarray[Any, Any]:
        return np.stack([series.ring.image(channel, number) for number in range(count)])


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
