"""Encodings of images against bitshuffle, lz4 and HDF5's own filters; damage is refused, never followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bitshuffle
import h5py
import hdf5plugin
import lz4.block
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.images.encode import ChunkUnreadable, decode, encode, lz4_as_one_block, stream1_part

DTYPES = (np.dtype("u1"), np.dtype("u2"), np.dtype("u4"))
COMPRESSIONS = ("bslz4", "lz4", "none")


def image_of(seed: int, height: int, width: int, dtype: np.dtype[Any], spread: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, min(spread, int(np.iinfo(dtype).max)) + 1, (height, width)).astype(dtype)


images = st.builds(
    image_of,
    st.integers(0, 99),
    st.integers(1, 70),
    st.integers(1, 90),
    st.sampled_from(DTYPES),
    st.sampled_from([0, 3, 300, 2**32 - 1]),
)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(images, st.sampled_from(COMPRESSIONS))
def test_decoding_gives_back_what_was_encoded(image: np.ndarray, compression: str) -> None:
    blob = encode(image, compression)
    assert np.array_equal(decode(blob, compression, image.shape, image.dtype), image)
    assert np.array_equal(decode(memoryview(blob), compression, image.shape, image.dtype), image)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(images)
def test_stream_1_gets_what_the_libraries_unpack(image: np.ndarray) -> None:
    block = stream1_part(encode(image, "lz4"), "lz4")
    assert lz4.block.decompress(bytes(block), uncompressed_size=image.nbytes) == image.tobytes()
    packed = np.frombuffer(encode(image, "bslz4"), np.uint8, offset=12)
    assert np.array_equal(bitshuffle.decompress_lz4(packed, image.shape, image.dtype), image)


@pytest.mark.parametrize("compression", ["bslz4", "lz4"])
@pytest.mark.parametrize("spread", [0, 5, 2**32 - 1], ids=["empty", "sparse", "incompressible"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_hdf5_unpacks_our_chunks(compression: str, spread: int, dtype: np.dtype[Any], tmp_path: Path) -> None:
    image = image_of(1, 67, 129, dtype, spread)
    filters = hdf5plugin.Bitshuffle(cname="lz4") if compression == "bslz4" else hdf5plugin.LZ4()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("d", (1, *image.shape), dtype, chunks=(1, *image.shape), **filters)
        data.id.write_direct_chunk((0, 0, 0), encode(image, compression))
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["d"][0], image)


def test_a_block_is_never_as_long_as_what_it_holds() -> None:
    # Readers of filter 32004 take such a block for a stored one. A short repetition saves as much as framing costs.
    random, hits = np.random.default_rng(1), 0
    for before in range(12, 40):
        for repeated in range(4, 12):
            start, end = random.bytes(before), random.bytes(16)
            image = np.frombuffer(start + start[:repeated] + end, np.uint8)[None]
            hits += len(lz4.block.compress(image.tobytes(), store_size=False)) == image.size
            blob = encode(image, "lz4")
            assert len(blob) - 16 != image.size
            assert np.array_equal(decode(blob, "lz4", image.shape, image.dtype), image)
    assert hits > 0


def test_one_stored_block_is_compressed() -> None:
    raw = bytes(range(200)) * 3
    chunk = len(raw).to_bytes(8) + len(raw).to_bytes(4) + len(raw).to_bytes(4) + raw
    whole = lz4_as_one_block(chunk, len(raw))
    assert lz4.block.decompress(whole[16:], uncompressed_size=len(raw)) == raw


def test_hdf5s_many_and_stored_blocks_become_one_compressed_block() -> None:
    image = image_of(1, 20, 50, np.dtype("u2"), 2**16)
    raw, step = image.tobytes(), 512
    chunk = len(raw).to_bytes(8) + step.to_bytes(4)
    for place, start in enumerate(range(0, len(raw), step)):
        part = raw[start : start + step]
        block = part if place % 2 else lz4.block.compress(part, store_size=False)
        chunk += len(block).to_bytes(4) + block
    assert np.array_equal(decode(chunk, "lz4", image.shape, image.dtype), image)
    whole = lz4_as_one_block(chunk, len(raw))
    assert lz4.block.decompress(whole[16:], uncompressed_size=len(raw)) == raw
    assert lz4_as_one_block(whole, len(raw)) == whole


@settings(max_examples=50, derandomize=True, deadline=None)
@given(images, st.sampled_from(COMPRESSIONS), st.data())
def test_damage_is_refused_or_changes_values(
    image: np.ndarray, compression: str, data: st.DataObject
) -> None:
    blob = bytearray(encode(image, compression))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, min(len(blob) - 1, 40)))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(blob)))
    for damaged in (bytes(blob), bytes(blob[:cut]), bytes(blob) + b"\0" * 9):
        try:
            found = decode(damaged, compression, image.shape, image.dtype)
        except ChunkUnreadable:
            continue
        assert found.shape == image.shape
        assert found.dtype == image.dtype
