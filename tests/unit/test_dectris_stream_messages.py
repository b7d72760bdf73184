"""Messages of both streams: what independent decoders read of them, and the kernels' bytes beside Python's."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import bitshuffle
import cbor2
import lz4.block
import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream import cbor, kernels, legacy
from sim.dectris.stream.series import CborMessages, LegacyMessages, messages_of

CAPTURE = Path(os.environ.get("STELLWERK_REAL_DATA", ".")) / "dectris" / "tickit-eiger-capture"
UNIQUE = "01HBV3JPF9T4ZDPADX6EMK6XMZ"


@dataclass(frozen=True)
class Chosen:
    """The keys of the stream module."""

    mode: str = "enabled"
    format: str = "legacy"
    header_detail: str = "basic"
    header_appendix: object = ""
    image_appendix: object = ""


def packed(image: np.ndarray, compression: str) -> bytes:
    if compression == "bslz4":
        body = bitshuffle.compress_lz4(image.reshape(-1), 8192 // image.itemsize)
        return struct.pack(">QI", image.nbytes, 8192) + bytes(body)
    if compression == "lz4":
        body = lz4.block.compress(image.tobytes(), store_size=False)
        return struct.pack(">QII", image.nbytes, image.nbytes, len(body)) + body
    return image.tobytes()


@cache
def made_ring(layout: Layout, distinct: int = 3) -> Ring:
    rng = np.random.default_rng(5)
    channels = []
    for name in layout.channels:
        images = [rng.poisson(0.5, (layout.height, layout.width)).astype(layout.dtype) for _ in range(distinct)]
        blobs = [packed(image, layout.compression) for image in images]
        skipped = 16 if layout.compression == "lz4" else 0
        lengths = np.array([len(blob) for blob in blobs], np.int64)
        channels.append(
            Channel(
                name=name,
                pool=np.frombuffer(b"".join(blobs), np.uint8),
                offsets=np.cumsum([0, *lengths[:-1]], dtype=np.int64),
                lengths=lengths,
                md5=tuple(hashlib.md5(blob[skipped:]).hexdigest() for blob in blobs),
                sums=np.array([image.sum() for image in images], np.uint64),
            )
        )
    return Ring(layout, tuple(channels))


def made_series(layout: Layout, number: int = 15614, expected: int = 1, **config: Any) -> ArmedSeries:
    shape = (layout.height, layout.width)
    return ArmedSeries(
        number=number,
        unique_id=UNIQUE,
        armed_unix_ns=1_696_348_068_329_000_000,
        nimages=expected,
        ntrigger=1,
        trigger_mode="ints",
        expected=expected,
        ring=made_ring(layout),
        config={"nimages": expected, "x_pixels_in_detector": layout.width, "trigger_mode": "ints"} | config,
        pixel_mask=tuple(np.eye(*shape, dtype=np.uint32) for _ in layout.channels),
        flatfield=tuple(np.ones(shape, np.float32) for _ in layout.channels),
        countrate_table=np.ones((2, 1000), np.float32),
    )


LAYOUTS = [
    Layout(24, 16, 16, "bslz4"),
    Layout(24, 16, 8, "lz4", ("threshold_1", "threshold_2", "difference")),
    Layout(24, 16, 32, "none"),
]
layouts = st.sampled_from(LAYOUTS)
times = st.integers(0, 1 << 50)
runs = st.builds(
    ImageRun,
    first=st.sampled_from([0, 7, 23, 24, 255, 256, 65_535, 1 << 31, (1 << 32) - 1, 1 << 40]),
    count=st.integers(1, 3),
    start_ns=times,
    period_ns=times,
    exposure_ns=times,
    series_date_unix_ns=st.integers(0, 1 << 61),
)


def untagged(message: bytes) -> dict[str, Any]:
    assert message.startswith(b"\xd9\xd9\xf7")
    return dict(cbor2.loads(message[3:]))


def decoded(tag: cbor2.CBORTag) -> np.ndarray:
    """The array of tag 40, by the reference's tables."""
    assert tag.tag == 40
    shape, typed = tag.value
    dtype = {64: "u1", 69: "<u2", 70: "<u4", 85: "<f4"}[typed.tag]
    data = typed.value
    if isinstance(data, cbor2.CBORTag):
        assert data.tag == 56500
        algorithm, modifier, blob = data.value
        if algorithm == "bslz4":
            assert modifier == np.dtype(dtype).itemsize
            return bitshuffle.decompress_lz4(np.frombuffer(blob, np.uint8, offset=12), tuple(shape), np.dtype(dtype))
        total, _, size = struct.unpack_from(">QII", blob)
        assert (modifier, len(blob)) == (0, size + 16)
        data = lz4.block.decompress(blob[16:], uncompressed_size=total)
    return np.frombuffer(data, dtype).reshape(shape)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(layouts, runs, st.sampled_from(["", "scan 3"]))
def test_an_image_of_stream_1_reads_as_it_was_meant(layout: Layout, run: ImageRun, appendix: str) -> None:
    messages = LegacyMessages(made_series(layout), Chosen(image_appendix=appendix))
    number = run.first + run.count - 1
    parts = messages.image(number, run)
    first, second, fourth = (json.loads(bytes(parts[i])) for i in (0, 1, 3))
    assert first == {
        "htype": "dimage-1.0",
        "series": 15614,
        "frame": number,
        "hash": hashlib.md5(parts[2]).hexdigest(),
    }
    assert second["shape"] == [24, 16]
    assert second["size"] == len(parts[2])
    assert fourth["start_time"] == run.start_ns + (run.count - 1) * run.period_ns
    assert fourth["stop_time"] - fourth["start_time"] == fourth["real_time"] == run.exposure_ns
    assert [bytes(part) for part in parts[4:]] == ([appendix.encode()] if appendix else [])


@settings(max_examples=25, derandomize=True, deadline=None)
@given(layouts, runs, st.sampled_from(["", {"scan": "first"}]))
def test_an_image_of_stream_2_reads_as_it_was_meant(layout: Layout, run: ImageRun, appendix: object) -> None:
    series = made_series(layout)
    messages = CborMessages(series, Chosen(format="cbor", image_appendix=appendix))
    number = run.first + run.count - 1
    (message,) = messages.image(number, run)
    fields = untagged(message)
    assert list(fields)[:9] == [
        "type", "series_id", "series_unique_id", "image_id", "real_time", "series_date", "start_time", "stop_time",
        "data",
    ]  # fmt: skip
    begun = run.start_ns + (run.count - 1) * run.period_ns
    assert fields["image_id"] == number
    assert list(fields["start_time"]) == [begun // 20, 50_000_000]
    assert list(fields["stop_time"]) == [(begun + run.exposure_ns) // 20, 50_000_000]
    assert fields.get("user_data", "") == appendix
    for place, name in enumerate(layout.channels):
        image = decoded(fields["data"][name])
        assert image.sum(dtype=np.uint64) == series.ring.channels[place].sums[number % 3]
        assert np.array_equal(image, decoded(fields["data"][name]))


@pytest.fixture(scope="module")
def pair() -> Any:
    """A PUSH socket and the PULL socket that takes from it."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        port = push.bind_to_random_port("tcp://127.0.0.1")
        pull.rcvtimeo = 10_000
        pull.connect(f"tcp://127.0.0.1:{port}")
        push.send(b"hello")
        assert pull.recv() == b"hello"
        yield push, pull


@settings(max_examples=40, derandomize=True, deadline=None)
@given(layouts, runs, st.sampled_from(["legacy", "cbor"]), st.booleans(), st.sampled_from(["", "note"]))
def test_the_kernels_send_what_python_would(
    pair: Any, layout: Layout, run: ImageRun, form: str, keep: bool, appendix: str
) -> None:
    push, pull = pair
    messages = messages_of(made_series(layout), Chosen(format=form, image_appendix=appendix))
    assert messages.send(kernels, push.underlying, run, waits=True, keep=keep) == (run.count, run.count)
    for number in range(run.first, run.first + run.count):
        assert pull.recv_multipart() == [bytes(part) for part in messages.image(number, run)]


def test_a_start_of_stream_1_has_the_parts_of_its_detail() -> None:
    series = made_series(LAYOUTS[0])
    assert len(legacy.start(series, Chosen(header_detail="none"))) == 1
    head, config = legacy.start(series, Chosen())
    assert json.loads(head) == {"htype": "dheader-1.0", "series": 15614, "header_detail": "basic"}
    assert json.loads(config)["x_pixels_in_detector"] == 24
    parts = legacy.start(series, Chosen(header_detail="all", header_appendix="who"))
    assert [json.loads(bytes(parts[i]))["shape"] for i in (2, 4, 6)] == [[24, 16], [24, 16], [2, 1000]]
    assert np.frombuffer(parts[5], np.uint32).sum() == 16
    assert bytes(parts[8]) == b"who"


def test_a_start_of_stream_2_is_what_was_captured_field_by_field() -> None:
    if not CAPTURE.is_dir():
        pytest.skip("STELLWERK_REAL_DATA does not name a folder with dectris/tickit-eiger-capture")
    real = cbor2.loads((CAPTURE / "start.cbor").read_bytes())
    layout = Layout(16, 24, 16, "bslz4")
    ours = untagged(cbor.start(made_series(layout), Chosen(header_detail="all")))
    assert [key for key in ours if key != "image_dtype"] == list(real)
    # the capture's big arrays were cut by those who published it
    same = {k for k in real if k not in ("countrate_correction_lookup_table", "flatfield", "pixel_mask")}
    assert {k: type(ours[k]) for k in same} == {k: type(real[k]) for k in same}


@dataclass(frozen=True)
class OneBlob:
    """A ring around a captured blob."""

    blob: bytes
    layout: Layout = field(default_factory=lambda: Layout(4148, 4362, 16, "bslz4"))


def test_the_captured_image_and_end_are_ours_byte_for_byte() -> None:
    if not CAPTURE.is_dir():
        pytest.skip("STELLWERK_REAL_DATA does not name a folder with dectris/tickit-eiger-capture")
    real = (CAPTURE / "image.cbor").read_bytes()
    blob = cbor2.loads(real)["data"]["threshold_1"].value[1].value.value[2]
    layout = OneBlob(blob).layout
    run = ImageRun(0, 1, 0, 0, 215_873 * 20, 1_696_348_069_434_000_000)
    texts = cbor.image_texts(15614, UNIQUE, 1, run)
    ours = cbor.image(texts, 0, run, cbor.data_head("threshold_1", layout, len(blob)) + blob)
    # the control unit stood in summer time, the simulated one keeps UTC
    assert ours.replace(b"2023-10-03T15:47:49.434+00:00", b"2023-10-03T17:47:49.434+02:00") == real
    assert cbor.end(15614, UNIQUE) == (CAPTURE / "end.cbor").read_bytes()
