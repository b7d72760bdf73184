"""Sources of the bridge: axes, layouts and keys, against arrays put together the plain way."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray

from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain
from pipeline.online.bridge_messages import combined_raw_source, combined_source, raw_source
from pipeline.online.rooms import Rooms

DETECTOR, MODULES = "SPB_DET_AGIPD1M-1", 4
COMMON = {"image.cellId", "image.pulseId", "image.trainId"}
SHAPES = st.tuples(st.integers(1, 35), st.integers(1, 9), st.integers(1, 6))
"""Pulses, slow, fast."""
PRESENT = st.sets(st.integers(0, MODULES - 1), min_size=1)


def raw(module: int, shape: tuple[int, ...]) -> ModuleTrain:
    pulses = shape[0]
    return ModuleTrain(
        module, 7, np.random.default_rng(module).integers(0, 1 << 14, shape, dtype=np.uint16),
        np.arange(pulses, dtype=np.uint16), np.arange(pulses, dtype=np.uint64) * 4, np.zeros(pulses, np.uint16),
        np.zeros(pulses, np.uint32), bytes(64), np.zeros(8, np.uint8), bytes(32),
    )  # fmt: skip


def corrected(module: int, shape: tuple[int, ...]) -> CorrectedModule:
    data = np.random.default_rng(module).normal(0, 1e3, shape).astype(np.float32)
    return CorrectedModule(
        module, 7, data, np.zeros(shape, np.uint8), np.zeros(shape, np.uint32),
        np.arange(shape[0], dtype=np.uint16), np.arange(shape[0], dtype=np.uint64) * 4, ("OFFSET_CORR",),
    )  # fmt: skip


class Copies:
    """Rooms that count."""

    def __init__(self) -> None:
        self.rooms, self.taken = Rooms(), list[NDArray[Any]]()

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        self.taken.append(self.rooms.take(shape, dtype))
        self.taken[-1].view(np.uint8).fill(0x55)
        return self.taken[-1]


def expected(images: dict[int, NDArray[Any]], missing: float, online: bool) -> NDArray[Any]:
    first = next(iter(images.values()))
    stacked = np.stack(
        [images.get(module, np.full_like(first, missing)) for module in range(MODULES)], axis=1
    )
    return stacked.transpose(1, *range(stacked.ndim - 1, 1, -1), 0) if online else stacked


@given(SHAPES, PRESENT, st.booleans(), st.sampled_from(["none", "fits", "other"]))
@settings(deadline=None)
def test_the_corrected_source(
    shape: tuple[int, int, int], present: set[int], online: bool, room: str
) -> None:
    parts = {module: corrected(module, shape) for module in sorted(present)}
    count = int(np.prod(shape)) * MODULES
    given_room = {"none": None, "fits": Rooms().take((count,)), "other": Rooms().take((count + 1,))}[room]
    name, content = combined_source(
        DETECTOR, MatchedTrain(7, parts, 0), MODULES, online_axes=online, room=given_room
    )
    data = content["image.data"]
    assert name == f"{DETECTOR}/CAL/APPEND_CORRECTED"
    assert np.array_equal(
        data, expected({m: p.data for m, p in parts.items()}, np.nan, online), equal_nan=True
    )
    assert data.flags.c_contiguous, "the message would copy it once more"
    assert given_room is None or np.shares_memory(data, given_room) == (room == "fits")


@given(SHAPES, PRESENT, st.booleans(), st.sampled_from([1, 2]), st.sampled_from(["file", "live"]))
@settings(deadline=None)
def test_the_combined_raw_source(
    shape: tuple[int, int, int], present: set[int], online: bool, planes: int, layout: Literal["file", "live"]
) -> None:
    pulses, slow, fast = shape
    parts = {module: raw(module, (pulses, planes, slow, fast)) for module in sorted(present)}
    copies = Copies()
    name, content = combined_raw_source(
        DETECTOR,
        MatchedTrain(7, parts, 0),
        MODULES,
        online_axes=online,
        layout=layout,
        room_of=copies.take,
    )
    assert name == f"{DETECTOR}/CAL/APPEND_RAW"
    data = {module: part.data for module, part in parts.items()}
    if planes == 1:
        wanted = {"image.data": {m: d[:, 0] for m, d in data.items()}}
    elif layout == "live":
        wanted = {
            key: {m: d[:, plane] for m, d in data.items()}
            for plane, key in enumerate(["image.data", "image.gain"])
        }
    else:
        wanted = {"image.data": data}
    assert set(content) == {*wanted, *COMMON, "image.passport", "sources", "modulesPresent"}
    assert len(copies.taken) == len(wanted)
    for key, images in wanted.items():
        assert np.array_equal(content[key], expected(images, 0, online))
        assert content[key].dtype == np.uint16
        assert content[key].flags.c_contiguous
        assert any(np.shares_memory(content[key], room) for room in copies.taken)
    assert content["modulesPresent"] == [module in present for module in range(MODULES)]
    assert content["image.trainId"].tolist() == [7] * pulses


@given(SHAPES, st.sampled_from([1, 2]), st.sampled_from(["file", "live"]))
@settings(deadline=None)
def test_one_modules_raw_source_is_a_copy(
    shape: tuple[int, int, int], planes: int, layout: Literal["file", "live"]
) -> None:
    pulses, slow, fast = shape
    train = raw(3, (pulses, planes, slow, fast))
    before = train.data.copy()
    name, content = raw_source(DETECTOR, train, layout, room_of=Copies().take)
    train.data[:] = 0  # the receive slot takes the next train
    train.cell_id[:] = 99
    assert name == f"{DETECTOR}/DET/3CH0:xtdf"
    if planes == 2 and layout == "live":
        assert np.array_equal(content["image.data"], before[:, 0])
        assert np.array_equal(content["image.gain"], before[:, 1])
        assert content["image.gain"].flags.c_contiguous
    else:
        assert np.array_equal(content["image.data"], before)
        assert "image.gain" not in content
    assert content["image.data"].flags.c_contiguous
    assert content["image.cellId"].tolist() == list(range(pulses))
    assert content["header.pulseCount"] == pulses


@pytest.mark.parametrize(
    ("keys", "rooms"), [(["image.data"], 1), (["image.gain", "sources"], 1), (["image.cellId"], 0)]
)
def test_keys_that_are_not_wanted_cost_nothing(keys: list[str], rooms: int) -> None:
    train, copies = raw(0, (2, 2, 3, 4)), Copies()
    matched = MatchedTrain(7, {0: train}, 0)
    _, combined = combined_raw_source(
        DETECTOR, matched, 1, online_axes=True, layout="live", keys=keys, room_of=copies.take
    )
    assert sorted(combined) == sorted(keys)
    assert len(copies.taken) == rooms
    _, single = raw_source(DETECTOR, train, "live", keys=keys, room_of=copies.take)
    assert sorted(single) == sorted(set(keys) - {"sources"})
    assert len(copies.taken) == 2 * rooms
    of_corrected = MatchedTrain(7, {0: corrected(0, (2, 3, 4))}, 0)
    _, without = combined_source(DETECTOR, of_corrected, 1, online_axes=False, keys=["image.pulseId"])
    assert sorted(without) == ["image.pulseId"]
