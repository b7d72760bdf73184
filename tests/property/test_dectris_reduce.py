"""Decoding and reducing against numpy, whole frames and damaged ones."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.dectris.reduce import CentreOfMass, FrameSums, Sum, VirtualDetectors, disk, ring
from pipeline.dectris.reduce.passes import plan
from pipeline.dectris.reduce.worker import Frames, Worker
from pipeline.dectris.values import SeriesStart
from pipeline.errors import SettingRejected

CODINGS = {"none": 0, "block": 1, "lz4": 2, "bslz4": 3}


class Stack:
    channel = None

    def begin(self, start):
        self.frames = {}

    def take(self, frames, stack):
        for frame, image in zip(frames.tolist(), stack, strict=True):
            self.frames[frame] = image.copy()


def begun(shape, dtype, count, channels=("a",)):
    return SeriesStart(
        1, None, 1, count, shape[1], shape[0], np.dtype(dtype), channels, None, {}, None, None, None
    )


def packed(blobs, codings, dtype):
    """One row of blobs per channel."""
    lengths = np.array([[len(blob) for blob in row] for row in blobs], np.int64)
    offsets = (np.cumsum(lengths) - lengths.reshape(-1)).reshape(lengths.shape)
    data = np.frombuffer(bytearray(b"".join(blob for row in blobs for blob in row)), np.uint8)
    return Frames(data, np.arange(lengths.shape[1]), offsets, lengths, codings, np.dtype(dtype))


def pictures(shape, dtype, count, seed=1):
    rng = np.random.default_rng(seed)
    images = rng.poisson(rng.choice([0.1, 3, 90], count)[:, None, None], (count, *shape))
    return np.where(rng.random((count, *shape)) < 0.01, np.iinfo(dtype).max, images).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("shape", [(96, 64), (67, 131)])
def test_every_reduction_is_what_numpy_says(wire, dtype, coding, shape):
    images = pictures(shape, dtype, 20)
    frames = packed([[wire.pack(image, coding) for image in images]], (CODINGS[coding],), dtype)
    bright = np.iinfo(dtype).max
    calm = np.where(images == bright, 0, images).astype(np.uint64)
    cut = np.zeros(shape, bool)
    cut[3:9] = True
    masks = np.stack([disk(*shape, 30, 40, 20), ring(*shape, 30, 40, 10, 25)])
    total, whole, sums = Sum(), Sum(ignore_maximum=True, excluded=cut), FrameSums()
    detectors = VirtualDetectors(masks, ignore_maximum=True, excluded=cut)
    centre = CentreOfMass(ignore_maximum=True)
    worker = Worker(plan([total, whole, sums, detectors, centre], begun(shape, dtype, 20)), shape)
    assert worker.reduce(frames) == {}
    assert worker.reduce(frames) == {}
    np.testing.assert_array_equal(total.result(), 2 * images.sum(axis=0, dtype=np.uint64))
    np.testing.assert_array_equal(whole.result(), np.where(cut, 0, 2 * calm.sum(axis=0)))
    np.testing.assert_array_equal(sums.result(), images.sum(axis=(1, 2), dtype=np.uint64))
    np.testing.assert_array_equal(detectors.result(), np.einsum("fyx,dyx->df", calm, np.where(cut, 0, masks)))
    y, x = np.mgrid[: shape[0], : shape[1]]
    mass = calm.sum(axis=(1, 2))
    wanted = np.stack([(calm * axis).sum(axis=(1, 2)) / mass for axis in (y, x)], axis=1)
    np.testing.assert_allclose(centre.result(), wanted, rtol=1e-12)


@pytest.mark.parametrize("coding", ["bslz4", "none"])
def test_weights_with_a_flat_field_and_stacks(wire, coding):
    shape, dtype = (96, 64), "uint16"
    images = pictures(shape, dtype, 9)
    flat = np.random.default_rng(3).random(shape).astype(np.float32)
    detector, stack = VirtualDetectors(np.ones((1, *shape)), flatfield=flat), Stack()
    worker = Worker(plan([detector, stack, Sum()], begun(shape, dtype, 9)), shape)
    assert (
        worker.reduce(packed([[wire.pack(image, coding) for image in images]], (CODINGS[coding],), dtype))
        == {}
    )
    np.testing.assert_allclose(
        detector.result()[0], (images * flat.astype(float)).sum(axis=(1, 2)), rtol=1e-12
    )
    assert sorted(stack.frames) == list(range(9))
    assert all((stack.frames[i] == images[i]).all() for i in range(9))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("stacked", [False, True])
def test_damaged_frames_are_named_and_leave_no_trace(wire, coding, stacked):
    shape, dtype, count = (96, 64), "uint16", 40
    images = pictures(shape, dtype, count)
    rng = np.random.default_rng(8)
    blobs = [wire.pack(image, coding) for image in images]
    for index in range(0, count, 2):
        blob = bytearray(blobs[index])
        where = int(rng.integers(0, len(blob)))
        how = index % 8
        if how == 0:
            blob = blob[:where]
        elif how == 2:
            blob[where : where + 16] = bytes(rng.integers(0, 256, len(blob[where : where + 16]), np.uint8))
        elif how == 4:
            blob += b"\0"
        else:
            blob[8:12] = rng.bytes(4)
        blobs[index] = bytes(blob)
    total, sums, stack = Sum(), FrameSums(), Stack()
    worker = Worker(plan([total, sums] + [stack] * stacked, begun(shape, dtype, count)), shape)
    bad = worker.reduce(packed([blobs], (CODINGS[coding],), dtype))
    # Bytes of a literal may change without LZ4 noticing: then the frame is good as far as can be seen, and counted.
    assert all(index % 2 == 0 for index in bad)
    assert set(range(0, count, 8)) <= set(bad)
    kept = np.array([index not in bad and index % 2 == 1 for index in range(count)])
    np.testing.assert_array_equal(sums.result()[kept], images[kept].sum(axis=(1, 2), dtype=np.uint64))
    assert not sums.result()[list(bad)].any()
    assert total.result().sum() == sums.result().sum()
    if stacked:
        assert sorted(stack.frames) == [index for index in range(count) if index not in bad]


def test_a_frame_that_is_damaged_in_one_channel_is_in_no_channels_sum(wire):
    shape, dtype = (64, 128), "uint16"
    images = pictures(shape, dtype, 6)
    blobs = [wire.pack(image, "bslz4") for image in images]
    broken = [*blobs[:4], blobs[4][:-5], blobs[5]]
    one, two, sums = Sum(channel="a"), Sum(channel="b"), FrameSums(channel="a")
    worker = Worker(plan([one, two, sums], begun(shape, dtype, 6, ("a", "b"))), shape)
    assert list(worker.reduce(packed([blobs, broken], (3, 3), dtype))) == [4]
    wanted = images[[0, 1, 2, 3, 5]].sum(axis=0, dtype=np.uint64)
    np.testing.assert_array_equal(one.result(), wanted)
    np.testing.assert_array_equal(two.result(), wanted)
    assert sums.result()[4] == 0


def test_frames_of_several_block_sizes_go_together(wire):
    shape, dtype = (96, 64), "uint16"
    images = pictures(shape, dtype, 6)
    blobs = [wire.pack(image, "bslz4", 8192 if index % 2 else 1024) for index, image in enumerate(images)]
    total, sums = Sum(), FrameSums()
    worker = Worker(plan([total, sums], begun(shape, dtype, 6)), shape)
    assert worker.reduce(packed([blobs], (3,), dtype)) == {}
    np.testing.assert_array_equal(total.result(), images.sum(axis=0, dtype=np.uint64))
    np.testing.assert_array_equal(sums.result(), images.sum(axis=(1, 2), dtype=np.uint64))


def test_what_does_not_fit_the_series_is_refused_in_one_sentence():
    start = begun((8, 8), "uint16", 1 << 39)
    with pytest.raises(SettingRejected, match="channel cannot be 'difference'; it must be one of a"):
        plan([Sum(channel="difference")], start)
    with pytest.raises(SettingRejected, match="images' shape"):
        plan([Sum(excluded=np.zeros((8, 9), bool))], start)
    with pytest.raises(SettingRejected, match="fewer for results"):
        plan([FrameSums()], start)
