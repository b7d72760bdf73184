"""Messages of both streams: what independent decoders read of them, and the kernels' bytes beside Python's."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
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

from sim.dectris.images.frames import Layout
from sim.dectris.sinks import ImageRun
from sim.dectris.stream import cbor, kernels, legacy
from sim.dectris.stream.series import CborMessages, LegacyMessages, messages_of

CAPTURE = Path(os.environ.get("STELLWERK_REAL_DATA", ".")) / "dectris" / "tickit-eiger-capture"
real_data = pytest.mark.skipif(
    not CAPTURE.is_dir(),
    reason="STELLWERK_REAL_DATA does not name a folder with dectris/tickit-eiger-capture",
)
UNIQUE = "01HBV3JPF9T4ZDPADX6EMK6XMZ"
Make = Callable[..., Any]

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
            return bitshuffle.decompress_lz4(
                np.frombuffer(blob, np.uint8, offset=12), tuple(shape), np.dtype(dtype)
            )
        total, _, size = struct.unpack_from(">QII", blob)
        assert (modifier, len(blob)) == (0, size + 16)
        data = lz4.block.decompress(blob[16:], uncompressed_size=total)
    return np.frombuffer(data, dtype).reshape(shape)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(layouts, runs, st.sampled_from(["", "scan 3"]))
def test_an_image_of_stream_1_reads_as_it_was_meant(
    armed_series: Make, stream_keys: Make, layout: Layout, run: ImageRun, appendix: str
) -> None:
    messages = LegacyMessages(armed_series(layout), stream_keys(image_appendix=appendix))
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
def test_an_image_of_stream_2_reads_as_it_was_meant(
    armed_series: Make, stream_keys: Make, layout: Layout, run: ImageRun, appendix: object
) -> None:
    series = armed_series(layout)
    messages = CborMessages(series, stream_keys(format="cbor", image_appendix=appendix))
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
        pull.rcvtimeo = 60_000
        pull.connect(f"tcp://127.0.0.1:{port}")
        push.send(b"hello")
        assert pull.recv() == b"hello"
        yield push, pull


@settings(max_examples=40, derandomize=True, deadline=None)
@given(layouts, runs, st.sampled_from(["legacy", "cbor"]), st.booleans(), st.sampled_from(["", "note"]))
def test_the_kernels_send_what_python_would(
    armed_series: Make,
    stream_keys: Make,
    pair: Any,
    layout: Layout,
    run: ImageRun,
    form: str,
    keep: bool,
    appendix: str,
) -> None:
    push, pull = pair
    messages = messages_of(armed_series(layout), stream_keys(format=form, image_appendix=appendix))
    assert messages.send(kernels, push.underlying, run, waits=True, keep=keep) == (run.count, run.count)
    for number in range(run.first, run.first + run.count):
        assert pull.recv_multipart() == [bytes(part) for part in messages.image(number, run)]


@pytest.mark.parametrize("form", ["legacy", "cbor"])
def test_a_kernel_stops_or_skips_where_nobody_receives(
    armed_series: Make, stream_keys: Make, form: str
) -> None:
    messages = messages_of(armed_series(LAYOUTS[0]), stream_keys(format=form))
    run = ImageRun(0, 9, 0, 1000, 900, 0)
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.bind("tcp://127.0.0.1:*")
        assert messages.send(kernels, push.underlying, run, waits=True, keep=True) == (0, 0)
        assert messages.send(kernels, push.underlying, run, waits=False, keep=True) == (9, 0)


def test_a_start_of_stream_1_has_the_parts_of_its_detail(armed_series: Make, stream_keys: Make) -> None:
    series = armed_series(LAYOUTS[0])
    assert len(legacy.start(series, stream_keys(header_detail="none"))) == 1
    head, config = legacy.start(series, stream_keys())
    assert json.loads(head) == {"htype": "dheader-1.0", "series": 15614, "header_detail": "basic"}
    assert json.loads(config)["x_pixels_in_detector"] == 24
    parts = legacy.start(series, stream_keys(header_detail="all", header_appendix="who"))
    assert [json.loads(bytes(parts[i]))["shape"] for i in (2, 4, 6)] == [[24, 16], [24, 16], [2, 1000]]
    assert np.frombuffer(parts[5], np.uint32).sum() == 16
    assert bytes(parts[8]) == b"who"


@real_data
@pytest.mark.real_data
def test_a_start_of_stream_2_is_what_was_captured_field_by_field(
    armed_series: Make, stream_keys: Make
) -> None:
    real = cbor2.loads((CAPTURE / "start.cbor").read_bytes())
    layout = Layout(16, 24, 16, "bslz4")
    ours = untagged(cbor.start(armed_series(layout), stream_keys(header_detail="all")))
    assert [key for key in ours if key != "image_dtype"] == list(real)
    # the capture's big arrays were cut by those who published it
    same = {k for k in real if k not in ("countrate_correction_lookup_table", "flatfield", "pixel_mask")}
    assert {k: type(ours[k]) for k in same} == {k: type(real[k]) for k in same}


@real_data
@pytest.mark.real_data
def test_the_captured_image_and_end_are_ours_byte_for_byte() -> None:
    real = (CAPTURE / "image.cbor").read_bytes()
    blob = cbor2.loads(real)["data"]["threshold_1"].value[1].value.value[2]
    layout = Layout(4148, 4362, 16, "bslz4")
    run = ImageRun(0, 1, 0, 0, 215_873 * 20, 1_696_348_069_434_000_000)
    texts = cbor.image_texts(15614, UNIQUE, 1, run)
    ours = cbor.image(texts, 0, run, cbor.data_head("threshold_1", layout, len(blob)) + blob)
    # the control unit stood in summer time, the simulated one keeps UTC
    assert ours.replace(b"2023-10-03T15:47:49.434+00:00", b"2023-10-03T17:47:49.434+02:00") == real
    assert cbor.end(15614, UNIQUE) == (CAPTURE / "end.cbor").read_bytes()
