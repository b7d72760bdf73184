"""Recordings as a source: files of every layout come back image for image; damage ends in one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.dectris.images.encode import encode, encoding, stream1_part
from sim.dectris.images.frames import Layout
from sim.dectris.images.recording import recorded
from sim.dectris.images.recording.dump import write_dump
from sim.dectris.images.recording.source import RecordingSource
from sim.errors import ConfigurationRejected

SHAPE = (24, 40)
IMAGES = np.random.default_rng(1).poisson(0.5, (6, *SHAPE)).astype(np.uint16)
FILTERS = {
    "bslz4": hdf5plugin.Bitshuffle(cname="lz4"),
    "lz4": hdf5plugin.LZ4(),
    "none": {},
    "gzip": {"compression": 1},
}
REAL = Path(os.environ.get("STELLWERK_REAL_DATA") or ".") / "dectris"
real_data = pytest.mark.skipif(
    not (REAL / "h5-testfiles").is_dir(),
    reason="STELLWERK_REAL_DATA does not name a folder with dectris/h5-testfiles",
)


def data_file(path: Path, images: np.ndarray, compression: str = "bslz4") -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "entry/data/data", data=images, chunks=(1, *images.shape[1:]), **FILTERS[compression]
        )
    return path


def shown(source: RecordingSource, compression: str | None = None, channel: int = 0) -> np.ndarray:
    assert source.fixed is not None
    layout = source.fixed if compression is None else replace(source.fixed, compression=compression)
    ring = source.ring(layout)
    assert [int(total) for total in ring.channels[channel].sums] == [
        int(ring.image(channel, number).sum(dtype=np.uint64)) for number in range(ring.distinct)
    ]
    return np.stack([ring.image(channel, number) for number in range(len(source))])


@pytest.mark.parametrize("compression", FILTERS)
def test_data_files_come_back_image_for_image(compression: str, tmp_path: Path) -> None:
    data_file(tmp_path / "x_data_000001.h5", IMAGES[:4], compression)
    data_file(tmp_path / "x_data_000002.h5", IMAGES[4:], compression)
    source = RecordingSource("dcu", [str(tmp_path / "x_data_*.h5")])
    assert source.fixed == Layout(40, 24, 16, "bslz4" if compression == "gzip" else compression)
    for wanted in ("bslz4", "lz4", "none"):
        assert np.array_equal(shown(source, wanted), IMAGES)


def test_bitshuffled_chunks_go_out_as_they_lie(tmp_path: Path) -> None:
    path = data_file(tmp_path / "x.h5", IMAGES)
    source = RecordingSource("dcu", [str(path)])
    assert source.fixed is not None
    channel = source.ring(source.fixed).channels[0]
    with h5py.File(path) as file:
        for number in range(6):
            assert channel.blob(number) == file["entry/data/data"].id.read_direct_chunk((number, 0, 0))[1]


def test_a_master_brings_its_data_files_once_and_its_mask(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint32)
    mask[3] = 1
    for number, part in enumerate((IMAGES[:4], IMAGES[4:]), 1):
        data_file(tmp_path / f"x_data_{number:06}.h5", part)
    with h5py.File(tmp_path / "x_master.h5", "w") as file:
        for number in (1, 2):
            link = h5py.ExternalLink(f"x_data_{number:06}.h5", "/entry/data/data")
            file[f"entry/data/data_{number:06}"] = link
        file["entry/instrument/detector/detectorSpecific/pixel_mask"] = mask
    source = RecordingSource("dcu", [str(tmp_path / "x_*.h5")])
    assert np.array_equal(shown(source), IMAGES)
    assert source.fixed is not None
    assert np.array_equal(source.pixel_mask(source.fixed), mask)
    assert (source.flatfield(source.fixed) == 1).all()


def test_a_virtual_dataset_with_channels(tmp_path: Path) -> None:
    both = np.stack([IMAGES, IMAGES // 2], axis=1)
    whole = h5py.VirtualLayout(both.shape, "u2")
    for number, (start, stop) in enumerate(((0, 4), (4, 6)), 1):
        name = f"x_data_{number:06}.h5"
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset(
                "entry/data/data", data=both[start:stop], chunks=(1, 1, *SHAPE), **FILTERS["bslz4"]
            )
        whole[start:stop] = h5py.VirtualSource(name, "entry/data/data", both[start:stop].shape)
    with h5py.File(tmp_path / "x_master.h5", "w") as file:
        file.create_virtual_dataset("entry/data/data", whole)
        file["entry/data/channel"] = ["threshold_1", "difference"]
        file["entry/instrument/detector/difference_channel/flatfield"] = np.full(SHAPE, 2, np.float32)
    source = RecordingSource("dcu", [str(tmp_path / "x_*.h5")])
    assert source.fixed is not None
    assert source.fixed.channels == ("threshold_1", "difference")
    assert np.array_equal(shown(source), IMAGES)
    assert np.array_equal(shown(source, channel=1), IMAGES // 2)
    assert (source.flatfield(source.fixed, 1) == 2).all()


def dump_parts(images: np.ndarray, compression: str, *, zero_prefix: bool = False) -> Iterator[bytes]:
    height, width = images.shape[1:]
    yield b'{"htype":"dheader-1.0","series":7,"header_detail":"all"}'
    yield b'{"nimages":6}'
    yield json.dumps({"htype": "dpixelmask-1.0", "shape": [width, height], "type": "uint32"}).encode()
    yield np.ones((height, width), np.uint32).tobytes()
    for number, image in enumerate(images):
        blob = bytes(stream1_part(encode(image, compression), compression))
        yield b'{"htype":"dimage-1.0","series":7,"frame":%d,"hash":"x"}' % number
        description = {
            "htype": "dimage_d-1.0", "shape": [width, height], "type": str(image.dtype),
            "encoding": encoding(image.dtype, compression), "size": len(blob),
        }  # fmt: skip
        yield json.dumps(description).encode()
        yield bytes(12) + blob[12:] if zero_prefix else blob
        yield b'{"htype":"dconfig-1.0","start_time":0,"stop_time":1,"real_time":1}'
        yield b"an appendix"
    yield b'{"htype":"dseries_end-1.0","series":7}'


@pytest.mark.parametrize("compression", ["bslz4", "lz4", "none"])
def test_a_dump_of_stream_1_comes_back(compression: str, tmp_path: Path) -> None:
    write_dump(tmp_path / "a.raw", dump_parts(IMAGES, compression))
    source = RecordingSource("dcu", [str(tmp_path / "a.raw")])
    assert np.array_equal(shown(source), IMAGES)
    assert source.fixed is not None
    assert (source.pixel_mask(source.fixed) == 1).all()


def test_a_dump_without_prefixes_gets_true_ones(tmp_path: Path) -> None:
    write_dump(tmp_path / "a.raw", dump_parts(IMAGES, "bslz4", zero_prefix=True))
    source = RecordingSource("dcu", [str(tmp_path / "a.raw")])
    assert source.fixed is not None
    assert bytes(source.ring(source.fixed).channels[0].blob(0)[:12]) == encode(IMAGES[0], "bslz4")[:12]
    assert np.array_equal(shown(source), IMAGES)


def refused(path: Path, match: str) -> None:
    with pytest.raises(ConfigurationRejected, match=match) as refusal:
        RecordingSource("dcu", [str(path)])
    assert "\n" not in str(refusal.value)


def test_what_cannot_be_replayed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").write_bytes(b"")
    refused(tmp_path / "empty", "does not begin with a start message")
    (tmp_path / "text").write_bytes(b"no recording at all, but long enough for a length")
    refused(tmp_path / "text", "reaches beyond its end")
    refused(tmp_path, "cannot be read")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["entry/data/data"] = np.zeros((2, 3, 4), np.float32)
    refused(tmp_path / "other.h5", "uint8, uint16 or uint32")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("gone.h5", "/entry/data/data")
    refused(tmp_path / "link.h5", "gone.h5")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.create_dataset("entry/data/data", data=IMAGES, chunks=(2, *SHAPE), **FILTERS["lz4"])
    refused(tmp_path / "odd.h5", "every chunk is one image")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file.create_dataset("entry/data/data", (0, *SHAPE), "u2", chunks=(1, *SHAPE), maxshape=(None, *SHAPE))
    refused(tmp_path / "none.h5", "holds no images")
    data_file(tmp_path / "a_1.h5", IMAGES)
    data_file(tmp_path / "a_2.h5", IMAGES.astype(np.uint8))
    refused(tmp_path / "a_*.h5", "differ in size, type or channels")
    source = RecordingSource("dcu", [str(tmp_path / "a_1.h5")])
    assert source.fixed is not None
    with pytest.raises(ConfigurationRejected, match="40 x 24 pixels of 16 bits"):
        source.ring(replace(source.fixed, width=41))
    monkeypatch.setattr(recorded, "RING_BYTES", 1000)
    refused(tmp_path / "a_1.h5", "name fewer files")


def damaged(whole: bytes, places: list[tuple[float, int]], keep: float) -> bytes:
    broken = bytearray(whole)
    for place, value in places:
        broken[int(place * (len(broken) - 1))] = value
    return bytes(broken[: int(keep * len(broken))])


damage = st.tuples(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.sampled_from([1.0, 1.0, 0.999, 0.7, 0.1]),
)


@pytest.mark.parametrize("kind", ["hdf5", "dump"])
@settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(how=damage)
def test_a_damaged_recording_is_replayed_or_refused(kind: str, how: Any, tmp_path: Path) -> None:
    whole = tmp_path / f"{kind}.whole"
    if not whole.exists():
        if kind == "hdf5":
            data_file(whole, IMAGES)
        else:
            write_dump(whole, dump_parts(IMAGES, "bslz4"))
    path = tmp_path / kind
    path.write_bytes(damaged(whole.read_bytes(), *how))
    try:
        source = RecordingSource("dcu", [str(path)])
    except ConfigurationRejected as refusal:
        sentence = str(refusal)
    else:
        sentence = f"{path} holds {len(shown(source))} images"
    assert str(path) in sentence or "holds no images" in sentence


@real_data
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("pattern", "total"),
    [
        ("datasets_eiger2/*images_bslz4_data_*.h5", 3648540),
        ("datasets_eiger2/*images_lz4_data_*.h5", 3648540),
        ("datasets_eiger2/*images_bslz4_uint8_data_*.h5", 3648540),
        ("datasets_eiger2/*images_bslz4_uint32_data_*.h5", 21891240),
        ("datasets_eiger1/*images_bslz4_data_*.h5", 2511479273),
        ("datasets_eiger1/*images_lz4_data_*.h5", 2511479273),
    ],
)
def test_files_of_real_units_have_their_known_sums(pattern: str, total: int) -> None:
    source = RecordingSource("dcu", [str(REAL / "h5-testfiles" / pattern)])
    assert source.fixed is not None
    assert set(source.ring(source.fixed).channels[0].sums.tolist()) == {total}
    assert len(source) == 4


@real_data
@pytest.mark.real_data
def test_a_captured_image_is_replayed_with_its_known_sums(tmp_path: Path) -> None:
    sample = (REAL / "tickit-eiger-capture" / "frame_sample").read_bytes()
    parts = [
        b'{"htype":"dheader-1.0","series":1,"header_detail":"none"}',
        b'{"htype":"dimage-1.0","series":1,"frame":0,"hash":"x"}',
        b'{"htype":"dimage_d-1.0","shape":[4148,4362],"type":"uint16","encoding":"bs16-lz4<","size":514994}',
        sample,
        b'{"htype":"dconfig-1.0","start_time":0,"stop_time":1,"real_time":1}',
    ]
    write_dump(tmp_path / "sample.raw", parts)
    source = RecordingSource("dcu", [str(tmp_path / "sample.raw")])
    assert source.fixed == Layout(4148, 4362, 16, "bslz4")
    ring = source.ring(source.fixed)
    assert ring.channels[0].blob(0) == sample
    image = ring.image(0, 0)
    assert int((image == 65535).sum()) == 1253074
    assert int(image[image < 65535].sum(dtype=np.uint64)) == 9876


@real_data
@pytest.mark.real_data
def test_a_minimal_master_is_replayed() -> None:
    source = RecordingSource("dcu", [str(REAL / "h5-testfiles/dataset_artificial_small_001/*.h5")])
    assert source.fixed is not None
    assert (len(source), source.fixed.width, source.fixed.height) == (5, 11, 13)
    assert source.pixel_mask(source.fixed).shape == (13, 11)
