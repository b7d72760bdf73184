"""What holds for all bytes, orders and losses."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.daq.assembler import MAX_OPEN, Frame, FrameAssembler
from pipeline.daq.gatherer import Gatherer
from pipeline.daq.order import TrainOrder
from pipeline.daq.packets import PAYLOAD_BYTES, Packet
from pipeline.daq.slots import SlotPool
from pipeline.daq.xtdf import FORMATS, MAGIC_BEGIN, DetectorFormat, decode
from pipeline.errors import SettingRejected, TrainMalformed
from pipeline.gathering import Gathered, Refused
from pipeline.model import ModuleTrain, TrainFlag
from pipeline.online.splitter import PulseFilter

SMALL = DetectorFormat("SMALL", (2, 4, 2), 96, 16)
PACKETS = 5
BLOCK = np.random.default_rng(1).integers(0, 256, PACKETS * PAYLOAD_BYTES - 100, np.uint8).tobytes()


def module_train(module: int, train_id: int, frames: int = 1) -> ModuleTrain:
    ids = np.arange(frames)
    return ModuleTrain(
        module,
        train_id,
        np.zeros((frames, 2, 1, 1), np.uint16),
        ids.astype(np.uint16),
        ids.astype(np.uint64),
        ids.astype(np.uint16),
        ids.astype(np.uint32),
        bytes(64),
        np.zeros(0, np.uint8),
        bytes(32),
    )


@given(st.binary(max_size=2000), st.booleans())
def test_no_bytes_crash_the_decoder(data: bytes, with_magic: bool) -> None:
    block = np.frombuffer((MAGIC_BEGIN if with_magic else b"") + data, np.uint8)
    for form in (SMALL, FORMATS["AGIPD"]):
        try:
            train = decode(block, 0, form)
        except TrainMalformed:
            assert len(block) < 64
        else:
            assert len(train.data) == len(train.cell_id) == len(train.pulse_id)
            assert len(train.data) <= form.max_cells


def sent(frame: int) -> list[tuple[Packet, bytes]]:
    parts = [BLOCK[k * PAYLOAD_BYTES : (k + 1) * PAYLOAD_BYTES] for k in range(PACKETS)]
    return [(Packet(frame, k, k == 0, k == PACKETS - 1, len(p)), p) for k, p in enumerate(parts)]


def run(packets: list[tuple[Packet, bytes]], predict: bool) -> tuple[list[Frame], FrameAssembler, SlotPool]:
    pool = SlotPool(40, len(BLOCK))
    target = FrameAssembler(len(BLOCK), len(BLOCK), pool.take, 10)
    ended: list[Frame] = []
    for packet, data in packets:
        view = memoryview(data)
        place = target.predicted() if predict else None
        if place is not None:
            slot, start = place
            slot.view[start : start + len(data)] = data
            view = slot.view[start : start + PAYLOAD_BYTES]
        ended += target.arrived(packet, view, 0)
        assert target.open_frames <= MAX_OPEN
    return ended + target.expire(10), target, pool


@given(st.permutations(sent(1)), st.lists(st.sampled_from(sent(1)), max_size=3), st.booleans())
def test_any_order_and_any_copies_give_the_block(
    packets: list[tuple[Packet, bytes]], copies: list[tuple[Packet, bytes]], predict: bool
) -> None:
    ended, _, _ = run([*packets[:-1], *[c for c in copies if c in packets[:-1]], packets[-1]], predict)
    (frame,) = ended
    assert frame.slot.bytes[: frame.block_bytes].tobytes() == BLOCK
    assert frame.flags & ~(TrainFlag.REORDERED | TrainFlag.DUPLICATES) == TrainFlag(0)
    in_order = [p.number for p, _ in packets] == sorted(p.number for p, _ in packets)
    assert bool(frame.flags & TrainFlag.REORDERED) != in_order


@given(st.sets(st.integers(0, PACKETS - 1), min_size=1, max_size=PACKETS - 1), st.booleans())
def test_any_loss_is_flagged_and_the_rest_is_in_place(lost: set[int], predict: bool) -> None:
    ended, target, _ = run([item for item in sent(1) if item[0].number not in lost], predict)
    (frame,) = ended
    assert frame.flags & TrainFlag.INCOMPLETE
    assert frame.missing == target.counters["missing_datagrams"] == len(lost)
    got = frame.slot.bytes.tobytes()
    for packet, data in sent(1):
        start = packet.number * PAYLOAD_BYTES
        kept = bytes(len(data)) if packet.number in lost else data
        assert got[start : start + len(data)] == kept


packet = st.builds(
    Packet,
    frame=st.integers(0, 6),
    number=st.integers(0, 12),
    start=st.booleans(),
    end=st.booleans(),
    payload_bytes=st.integers(1, PAYLOAD_BYTES),
)


@settings(max_examples=50)
@given(st.lists(packet, max_size=40), st.booleans())
def test_nonsense_never_crashes_and_loses_no_slot(packets: list[Packet], predict: bool) -> None:
    ended, target, pool = run([(p, bytes(p.payload_bytes)) for p in packets], predict)
    assert target.open_frames == 0
    spare = target.predicted()
    for frame in ended:
        assert frame.block_bytes <= len(frame.slot.bytes)
        frame.slot.release()
    assert len(pool.free) + (spare is not None) == pool.count


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(0, 3)), max_size=60))
def test_every_module_train_is_written_once_or_refused_with_a_count(fed: list[tuple[int, int, int]]) -> None:
    gatherer = Gatherer(4, 5, 3)
    out: list[Any] = []
    now = 0
    trains = []
    for module, train_id, later in fed:
        now += later
        trains.append(module_train(module, train_id))
        out += gatherer.feed(trains[-1], now)
    out += gatherer.flush()
    written = [item for item in out if isinstance(item, Gathered)]
    refused = [item.part for item in out if isinstance(item, Refused)]
    ids = [gathered.train_id for gathered in written]
    assert ids == sorted(set(ids))
    placed = [part for gathered in written for part in gathered.parts.values()]
    assert sorted(map(id, [*placed, *refused])) == sorted(map(id, trains))
    reasons = ("modules_late", "modules_repeated", "modules_ahead", "frame_counts_differ")
    assert sum(gatherer.counters[reason] for reason in reasons) == len(refused)


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 3))
def test_the_order_keeps_every_train_and_lets_only_increasing_ids_be_good(
    ids: list[int], stride: int
) -> None:
    order = TrainOrder(stride, 10)
    onward: list[ModuleTrain] = []
    wrong: list[ModuleTrain] = []
    for train_id in ids:
        result = order.feed(module_train(0, train_id), 0)
        onward += result.onward
        wrong += [result.wrong] if result.wrong is not None else []
    held = order.flush()
    onward += [held] if held is not None else []
    assert len(onward) + len(wrong) == len(ids)
    bad = TrainFlag.TRAIN_ID_ZERO | TrainFlag.TRAIN_ID_REPEATED | TrainFlag.TRAIN_ID_BACKWARD
    good = [train for train in onward if not train.flags & bad]
    for before, after in itertools.pairwise(good):  # ids that begin anew are followed, and say so
        assert after.train_id > before.train_id or after.flags & TrainFlag.TRAIN_ID_JUMP


@given(st.text(max_size=40))
def test_a_pulse_filter_is_read_or_refused(text: str) -> None:
    try:
        chosen = PulseFilter.parse(text)
    except SettingRejected:
        return
    chosen.within(10)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 9), st.integers(0, 352))
def test_a_range_means_what_python_means(start: int, length: int, step: int, count: int) -> None:
    chosen = PulseFilter.parse(f"range({start}, {start + length}, {step})").within(count)
    assert np.arange(count)[chosen].tolist() == [i for i in range(start, start + length, step) if i < count]
