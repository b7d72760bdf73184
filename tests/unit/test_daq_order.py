"""Order of train ids, gathering of modules, and the splitter."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.daq.gatherer import Gatherer
from pipeline.daq.order import TrainOrder
from pipeline.daq.queues import BoundedQueue, Policy
from pipeline.errors import SettingRejected
from pipeline.gathering import Gathered, Refused
from pipeline.model import ModuleTrain, TrainFlag
from pipeline.online.splitter import PulseFilter, Splitter


def train(module: int, train_id: int, frames: int = 4, released: list[int] | None = None) -> ModuleTrain:
    seen = [] if released is None else released
    return ModuleTrain(
        module,
        train_id,
        np.arange(frames * 2, dtype=np.uint16).reshape(frames, 2, 1, 1),
        np.arange(frames, dtype=np.uint16),
        np.arange(0, 4 * frames, 4, dtype=np.uint64),
        np.zeros(frames, np.uint16),
        np.zeros(frames, np.uint32),
        bytes(64),
        np.zeros(0, np.uint8),
        bytes(32),
        release=lambda: seen.append(train_id),
    )


def passed(order: TrainOrder, *ids: int) -> list[tuple[int, TrainFlag]]:
    out = [t for train_id in ids for t in order.feed(train(0, train_id), 0).onward]
    return [(t.train_id, t.flags) for t in out]


def test_the_first_train_waits_for_the_second() -> None:
    order = TrainOrder(1, 100)
    assert passed(order, 5) == []
    assert passed(order, 6) == [(5, TrainFlag(0)), (6, TrainFlag(0))]
    assert passed(order, 7) == [(7, TrainFlag(0))]


def test_a_single_wrong_id_costs_one_train() -> None:
    order = TrainOrder(1, 100)
    assert [i for i, flags in passed(order, 5, 6, 1006, 8, 9) if not flags] == [5, 6, 8, 9]


def test_a_wrong_id_at_the_very_beginning_costs_one_train() -> None:
    assert passed(TrainOrder(1, 100), 1000, 2, 3) == [(2, TrainFlag(0)), (3, TrainFlag(0))]


def test_a_pause_is_a_jump_that_the_next_train_confirms() -> None:
    order = TrainOrder(1, 100)
    assert passed(order, 5, 6, 500, 501)[2:] == [(500, TrainFlag.TRAIN_ID_JUMP), (501, TrainFlag(0))]


def test_a_held_train_is_given_after_its_time() -> None:
    order = TrainOrder(1, 100)
    order.feed(train(0, 5), 1000)
    assert order.expire(1099) is None
    held = order.expire(1100)
    assert held is not None
    assert held.train_id == 5
    assert not order.holds


def test_repeated_and_backward_ids() -> None:
    order = TrainOrder(1, 100)
    passed(order, 5, 6, 8)
    assert passed(order, 6, 7) == [(6, TrainFlag.TRAIN_ID_REPEATED), (7, TrainFlag.TRAIN_ID_BACKWARD)]


def test_a_jump_that_was_taken_for_right_and_ends_costs_two_trains() -> None:
    found = passed(TrainOrder(1, 100), 5, 6, 106, 107, 108, 10, 11, 12, 13, 14)
    assert found[2:] == [
        (106, TrainFlag.TRAIN_ID_JUMP),
        (107, TrainFlag(0)),
        (108, TrainFlag(0)),
        (10, TrainFlag.TRAIN_ID_BACKWARD),
        (11, TrainFlag.TRAIN_ID_BACKWARD),
        (12, TrainFlag.TRAIN_ID_JUMP),
        (13, TrainFlag(0)),
        (14, TrainFlag(0)),
    ]


def test_trains_of_two_senders_are_not_followed() -> None:
    """Each id comes twice: the second ones are repeated for ever."""
    found = passed(
        TrainOrder(1, 100), 5, 6, *[one for train_id in range(7, 20) for one in (train_id, train_id)]
    )
    assert [train_id for train_id, flags in found if not flags] == list(range(5, 20))


def test_a_stride_is_no_jump() -> None:
    assert [flags for _, flags in passed(TrainOrder(2, 100), 10, 12, 14, 17)] == [
        0,
        0,
        0,
        TrainFlag.TRAIN_ID_JUMP,
    ]


def test_modules_with_another_number_of_frames_are_left_out() -> None:
    gatherer = Gatherer(3, 100, 4)
    gatherer.feed(train(0, 1), 0)
    gatherer.feed(train(1, 1, frames=3), 0)
    differing, gathered = gatherer.feed(train(2, 1), 0)
    assert isinstance(differing, Refused)
    assert differing.part.module == 1
    assert isinstance(gathered, Gathered)
    assert sorted(gathered.parts) == [0, 2]
    assert gatherer.counters["frame_counts_differ"] == 1


def test_a_train_waits_for_its_modules_until_the_deadline() -> None:
    gatherer = Gatherer(2, 100, 4)
    assert gatherer.feed(train(0, 1), 0) == []
    assert gatherer.due(99) == []
    (gathered,) = gatherer.due(100)
    assert isinstance(gathered, Gathered)
    assert sorted(gathered.parts) == [0]
    (late,) = gatherer.feed(train(1, 1), 101)
    assert isinstance(late, Refused)
    assert dict(gatherer.counters)["modules_late"] == 1


def test_too_many_waiting_trains_push_the_oldest_out() -> None:
    gatherer = Gatherer(2, 10**9, 2)
    for train_id in (1, 2):
        gatherer.feed(train(0, train_id), 0)
    (oldest,) = gatherer.feed(train(0, 3), 0)
    assert isinstance(oldest, Gathered)
    assert oldest.train_id == 1


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", [0, 1, 2, 3]),
        ("range(2)", [0, 1]),
        ("range(0,250,2)", [0, 2]),
        ("range(1, 4)", [1, 2, 3]),
        ("0,2", [0, 2]),
        ("0,1,3", [0, 1, 3]),
        ("3", [3]),
    ],
)
def test_pulse_filters(text: str, frames: list[int]) -> None:
    whole = train(0, 10)
    part = Splitter(4, text).split(whole)
    assert part is not None
    assert part.cell_id.tolist() == frames
    assert part.pulse_id.tolist() == [4 * frame for frame in frames]
    assert part.data[:, 0, 0, 0].tolist() == [2 * frame for frame in frames]
    if text != "0,1,3":
        assert np.shares_memory(part.data, whole.data)


@pytest.mark.parametrize(
    "text",
    [
        "range",
        "range()",
        "range(3,2)",
        "range(0,5,0)",
        "range(1,2,3,4)",
        "-1",
        "2,1",
        "1,1",
        "a",
        "1.5",
        "__import__('os')",
        "99999",
        "1,",
    ],
)
def test_pulse_filters_that_cannot_be(text: str) -> None:
    with pytest.raises(SettingRejected, match="pulse_filter"):
        PulseFilter.parse(text)


def test_a_changed_setting_holds_from_the_next_train_on() -> None:
    splitter = Splitter(4)
    first = splitter.split(train(0, 10))
    splitter.pulse_filter = "range(2)"
    splitter.every_nth_train = 11
    parts = [first, splitter.split(train(1, 10)), splitter.split(train(0, 11)), splitter.split(train(1, 11))]
    assert [None if part is None else len(part.data) for part in parts] == [4, 4, 2, 2]
    assert splitter.split(train(0, 12)) is None


def test_an_output_that_is_off_passes_nothing() -> None:
    released: list[int] = []
    splitter = Splitter(4)
    splitter.enabled = False
    assert splitter.split(train(0, 1, released=released)) is None
    assert released == [1]
    assert splitter.counters["trains_output_off"] == 1


def test_what_modules_sent_long_ago_says_nothing_about_now() -> None:
    now = [0.0]
    splitter = Splitter(4, now=lambda: now[0])
    splitter.split(train(0, 1, frames=3))
    now[0] = 11
    assert splitter.status() == "no train for 11 s"
    splitter.split(train(1, 2))
    assert splitter.status() == "good"


def test_every_nth_train_by_its_id_and_the_memory_goes_back() -> None:
    released: list[int] = []
    splitter = Splitter(4, every_nth_train=3)
    parts = [splitter.split(train(0, train_id, released=released)) for train_id in range(9, 15)]
    assert [part.train_id for part in parts if part is not None] == [9, 12]
    assert released == [10, 11, 13, 14]


def test_the_splitter_tells_what_does_not_fit() -> None:
    splitter = Splitter(4)
    assert splitter.status() == "no train yet"
    splitter.split(train(0, 1))
    assert splitter.status() == "good"
    splitter.pulse_filter = "range(9)"
    assert "frames that trains of 4 frames do not have" in splitter.status()
    splitter.split(train(1, 1, frames=3))
    assert "different numbers of frames (module 0: 4, module 1: 3)" in splitter.status()
    beyond = train(0, 2)
    beyond.cell_id[-1] = 9
    cells = Splitter(4)
    cells.split(beyond)
    assert "module 0 sends memory cell 9" in cells.status()
    other = Splitter(8)
    other.split(train(0, 1))
    assert "memory_cells says 8" in other.status()


def test_queues_do_what_their_policy_says() -> None:
    dropped: list[int] = []
    oldest = BoundedQueue[int]("a", 2, Policy.DROP_OLDEST, dropped.append)
    newest = BoundedQueue[int]("b", 2, Policy.DROP_NEWEST, dropped.append)
    for queue in (oldest, newest):
        for item in (1, 2, 3):
            queue.put(item)
    assert [oldest.get(), oldest.get()] == [2, 3]
    assert [newest.get(), newest.get()] == [1, 2]
    assert dropped == [1, 3]
    assert oldest.counters["dropped_oldest"] == newest.counters["dropped_newest"] == 1
    assert oldest.get(0.0) is None
    oldest.close()
    oldest.put(4)
    assert dropped == [1, 3, 4]


def test_a_blocking_queue_waits_for_room() -> None:
    import threading

    queue = BoundedQueue[int]("c", 1, Policy.BLOCK, lambda _: None)
    queue.put(1)
    putting = threading.Thread(target=queue.put, args=(2,))
    putting.start()
    assert queue.get(5) == 1
    assert queue.get(5) == 2
    putting.join(5)
    assert queue.busy
    queue.done()
    queue.done()
    assert queue.join(0)
