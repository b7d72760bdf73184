"""Stream 2 against cbor2, and against bytes that nobody sane would send."""

from __future__ import annotations

import os
import random
from pathlib import Path

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dectris.engine import images, kernels, patterns
from pipeline.dectris.engine.cbor import Decoder, Tagged
from pipeline.dectris.reduce import FrameSums, Sum
from pipeline.dectris.reduce.passes import plan
from pipeline.dectris.reduce.worker import Frames, Worker
from pipeline.dectris.values import SeriesStart
from pipeline.errors import StreamBroken

CAPTURE = Path(os.environ.get("STELLWERK_REAL_DATA", "/nowhere")) / "dectris" / "tickit-eiger-capture"
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def plain(value):
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, Tagged):
        return plain(value.value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def sentence_about(data):
    """Why it is no message; empty when it is one. Any other error is raised."""
    try:
        images.decode([data])
    except StreamBroken as error:
        return error.reason
    return ""


@settings(max_examples=50, derandomize=True, deadline=None)
@given(value=PLAIN)
def test_what_cbor2_writes_is_read_the_same(value):
    assert plain(Decoder(cbor2.dumps(value)).decode()) == value


@settings(max_examples=50, derandomize=True, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_one_sentence(data):
    assert "\n" not in sentence_about(b"\xd9\xd9\xf7" + data)


def test_a_mutated_message_is_a_message_or_one_sentence(wire):
    draw = random.Random(5)
    image = np.arange(64, dtype=np.uint16).reshape(8, 8)
    whole = [
        wire.image2(3, 1, {"threshold_1": image})[0],
        wire.start2(3, 4, (8, 8), pixel_mask={"threshold_1": wire.array2(image.astype(np.uint32))})[0],
    ]
    for _ in range(600):
        data = bytearray(draw.choice(whole))
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(3, len(data))] = draw.randrange(256)
        cut = draw.choice((len(data), draw.randrange(4, len(data))))
        assert len(sentence_about(bytes(data[:cut]))) < 300


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", "bytes"),
        (b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "items"),
        (b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", "items"),
        (b"\x9f\x01\xff", "indefinite"),
        (b"\x81" * 4000, "nests deeper"),
        (b"\xc1" * 4000, "nests deeper"),
    ],
)
def test_announced_lengths_and_depths_are_not_believed(head, what):
    with pytest.raises(StreamBroken, match=what):
        Decoder(head).decode()


def test_the_pattern_of_an_image_fits_the_next_one_and_no_other(wire):
    def fits(pattern, part):
        found, places = np.zeros(3, np.int64), np.zeros((2, 2), np.int64)
        data = np.frombuffer(part, np.uint8)
        good = kernels.fits(
            data,
            len(part),
            0,
            pattern.table,
            pattern.first_rows,
            pattern.literal,
            found,
            places,
            np.zeros(16, np.uint8),
        )
        return good, int(found[0]), [part[at : at + length] for at, length in places]

    image = np.arange(64, dtype=np.uint16).reshape(8, 8)
    pair = {"threshold_1": image, "difference": image // 2}
    first = wire.image2(3, 0, pair)
    pattern = patterns.learn(first, images.decode(first))
    for frame in (0, 23, 24, 255, 256, 70_000, 1 << 33):
        other = {"threshold_1": image + frame % 7, "difference": image}
        good, number, blobs = fits(pattern, wire.image2(3, frame, other)[0])
        assert good
        assert number == frame
        assert blobs == [wire.pack(other["threshold_1"], "bslz4"), wire.pack(image, "bslz4")]
    for strange in (wire.image2(4, 0, pair)[0], wire.end2(3)[0], first[0][:-1], first[0] + b"\0", b""):
        assert not fits(pattern, strange)[0]


@pytest.mark.real_data
@pytest.mark.skipif(
    not CAPTURE.is_dir(), reason="STELLWERK_REAL_DATA does not name a folder with the capture"
)
def test_messages_captured_from_an_eiger2_16m_decode_to_the_known_sums():
    start = images.decode([b"\xd9\xd9\xf7" + (CAPTURE / "start.cbor").read_bytes()])
    image = images.decode([(CAPTURE / "image.cbor").read_bytes()])
    end = images.decode([(CAPTURE / "end.cbor").read_bytes()])
    assert isinstance(start, SeriesStart)
    assert (start.series, start.width, start.height, start.expected) == (15614, 4148, 4362, 1)
    assert end.series == image.series == 15614
    blobs = {image.channels[0].data: 13712, (CAPTURE / "frame_sample").read_bytes(): 9876}
    for blob, known in blobs.items():
        result, total, sums = Sum(), Sum(ignore_maximum=True), FrameSums(ignore_maximum=True)
        worker = Worker(plan([result, total, sums], start), (4362, 4148))
        data = np.frombuffer(bytearray(blob), np.uint8)
        place = np.zeros((1, 1), np.int64)
        frames = Frames(data, np.zeros(1, np.int64), place, place + data.size, (3,), np.dtype("uint16"))
        assert worker.reduce(frames) == {}
        masked = result.result() == 65535
        assert masked.sum() == (1253075 if known == 13712 else 1253074)
        assert result.result()[~masked].sum() == total.result().sum() == sums.result()[0] == known
