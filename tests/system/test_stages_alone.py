"""Stages of the online pipeline: one is stopped and started while the others run; too much work is shed and said."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CorrectionTable, PipelineTable
from pipeline.constants import AgipdConditions
from pipeline.correct import recipe_of
from pipeline.errors import SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.assembly import OnlinePipeline

MODULES = (0, 1)


def train(module: int, train_id: int) -> ModuleTrain:
    return ModuleTrain(
        module, train_id, np.full((1, 2, 512, 128), 1000, np.uint16), np.zeros(1, np.uint16),
        np.zeros(1, np.uint64), np.zeros(1, np.uint16), np.zeros(1, np.uint32), bytes(64),
        np.zeros(5408, np.uint8), bytes(32),
    )  # fmt: skip


class Running:
    """A pipeline with constants, and what came out of it."""

    def __init__(self, folder: Path) -> None:
        table = PipelineTable.model_validate(
            {
                "modules": len(MODULES),
                "memory_cells": 1,
                "matcher": {"min_modules": 2, "deadline_s": 0.2},
                "correction": {"overload": "shed", "high_water_trains": 3, "low_water_trains": 1},
                "preview": {"enabled": False},
            }
        )
        self.pipeline = OnlinePipeline(table, folder, {}, TrainClock(1, 0), "token-of-the-test")
        self.out: list[int] = []
        self.hold = threading.Event()
        self.hold.set()
        self.fail = False
        self.pipeline.corrected.output.add(self._take)
        recipe = recipe_of(CorrectionTable(steps=("offset",)), AgipdConditions(1))
        offset = np.full((128, 512, 1, 3), 700, np.float32)
        made = {module: recipe.prepare(module, {"Offset": offset}) for module in MODULES}
        self.pipeline.corrected.correction.load(recipe, made, 1)
        self.pipeline.start()

    def _take(self, matched: MatchedTrain[CorrectedModule]) -> None:
        self.hold.wait(10)
        if self.fail:
            raise OSError("the disk is full")
        self.out.append(matched.train_id)

    def feed(self, *train_ids: int) -> None:
        for train_id in train_ids:
            for module in MODULES:
                self.pipeline.corrected.submit(train(module, train_id))

    @property
    def decoupled(self) -> bool:
        return bool(self.device("pipeline")["properties"]["decoupled"])  # type: ignore[index]

    def settle(self) -> None:
        pause = threading.Event()
        for _ in range(1000):
            if not self.pipeline.corrected.busy and not len(self.pipeline.corrected.matcher):
                return
            pause.wait(0.01)
        raise AssertionError("the pipeline still has work")

    def device(self, name: str) -> dict[str, object]:
        return self.pipeline.registry[name].describe()

    def call(self, name: str, slot: str) -> object:
        return self.pipeline.registry[name].call(slot, {})


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    made.hold.set()
    made.pipeline.stop()


@pytest.mark.parametrize("stage", ["correction", "matcher"])
def test_a_stage_stops_and_starts_while_the_others_run(running: Running, stage: str) -> None:
    running.feed(1, 2)
    running.settle()
    assert running.call(stage, "stop") == {"state": "PASSIVE"}
    assert running.device("splitter")["state"] == "ACTIVE"
    running.feed(3)
    running.settle()
    counters = running.device(stage)["properties"]["counters"]  # type: ignore[index]
    assert counters["parts_not_running"] == 2
    assert running.call(stage, "start") == {"state": "ACTIVE"}
    running.feed(4)
    running.settle()
    assert running.out == [1, 2, 4]


def test_an_output_that_fails_is_an_error_until_it_is_reset(running: Running) -> None:
    running.fail = True
    running.feed(1)
    running.settle()
    assert running.device("matcher")["state"] == "ERROR"
    assert "the disk is full" in str(running.device("matcher")["properties"])
    running.fail = False
    running.feed(2)
    running.settle()
    assert running.call("matcher", "reset") == {"state": "ACTIVE"}
    assert running.out == [2]


def test_too_much_is_shed_in_whole_trains_said_and_recovers(running: Running) -> None:
    running.hold.clear()
    # When the held stages are full depends on which of them is asked first: feed until they are, and two more.
    fed = next(fed for fed in range(1, 100) if running.feed(fed) or running.decoupled)
    running.feed(fed + 1, fed + 2)
    advice = re.search("every_nth_train = ([0-9]+) or", str(running.device("pipeline")["properties"]))
    assert advice is not None
    assert int(advice[1]) >= 2
    running.hold.set()
    running.settle()
    last = [fed + 3, fed + 4]
    running.feed(*last)
    running.settle()
    accounting = running.device("pipeline")["properties"]["accounting"]  # type: ignore[index]
    admitted = len(running.out)
    assert running.out[-2:] == last
    assert running.out == sorted(running.out)
    shed = fed + 4 - admitted
    assert shed >= 1
    assert accounting == {
        "seen": fed + 4,
        "admitted": admitted,
        "shed": shed,
        "corrected": admitted,
        "lost": 0,
        "parts_admitted": 2 * admitted,
        "parts_left": 2 * admitted,
        "parts_shed": 2 * shed,
    }
    assert running.device("pipeline")["properties"]["status"] == "coupled"  # type: ignore[index]


def test_a_train_without_a_mandatory_module_goes_nowhere(running: Running) -> None:
    running.pipeline.registry["matcher"].change({"min_modules": 1, "mandatory_modules": [1]})
    running.pipeline.corrected.submit(train(0, 1))
    running.pipeline.corrected.submit(train(1, 2))
    running.settle()
    assert running.out == [2]
    assert running.device("matcher")["properties"]["counters"]["modules_mandatory_missing"] == 1  # type: ignore[index]
    with pytest.raises(SettingRejected, match="among"):
        running.pipeline.registry["matcher"].change({"mandatory_modules": [7]})


def test_settings_of_the_recipe_are_checked_like_the_bench_file(running: Running) -> None:
    correction = running.pipeline.registry["correction"]
    assert correction.change({"common_mode_iterations": 2})["common_mode_iterations"] == 2
    assert correction.change({"steps": ["offset", "mask"]})["steps"] == ["offset", "mask"]
    for wrong in ({"common_mode_iterations": 0}, {"steps": ["amplifier_map"]}, {"common_mode_fraction": 2.0}):
        with pytest.raises(SettingRejected, match=r"correction\."):
            correction.change(wrong)
    assert correction.change({})["steps"] == ["offset", "mask"]


def test_a_train_that_cannot_be_corrected_or_finds_no_memory_is_let_go(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = running.pipeline.corrected.correction
    with monkeypatch.context() as broken:

        def no_memory(*_: object) -> object:
            raise MemoryError("too little")

        broken.setattr(stage._pool, "take", no_memory)
        running.feed(1)
        running.settle()
    shown = running.device("correction")
    assert shown["state"] == "ERROR"
    assert "too little" in shown["properties"]["problem"]  # type: ignore[index]
    assert shown["properties"]["counters"]["trains_failed"] == 2  # type: ignore[index]
    assert running.device("pipeline")["properties"]["in_work"] == 0  # type: ignore[index]
    assert running.call("correction", "reset") == {"state": "ACTIVE"}
    running.feed(2)
    running.settle()
    assert running.out == [2]


def test_bridge_and_splitter_outputs_are_switched_alone(running: Running) -> None:
    assert running.call("bridge", "stop") == {"state": "PASSIVE"}
    running.feed(1)
    running.settle()
    assert running.out == [1]
    assert running.call("bridge", "start") == {"state": "ACTIVE"}
    assert running.call("raw_splitter", "stop") == {"state": "PASSIVE"}
    assert running.device("splitter")["state"] == "ACTIVE"


def test_train_ids_that_begin_anew_go_on_and_nothing_stays_in_work(running: Running) -> None:
    running.feed(1000, 1001)
    running.settle()
    for train_id in range(1, 9):
        running.feed(train_id)
        running.settle()
    assert running.out[:2] == [1000, 1001]
    assert running.out[2:] == list(range(4, 9))
    shown = running.device("pipeline")["properties"]
    assert shown["in_work"] == 0  # type: ignore[index]
    assert shown["accounting"]["lost"] == 3  # type: ignore[index]


def test_trains_that_are_not_corrected_do_not_hold_the_gate_shut(running: Running) -> None:
    running.call("matcher", "stop")
    for first in range(0, 40, 2):
        running.feed(first, first + 1)
        running.settle()
    assert running.device("pipeline")["properties"]["decoupled"] is False  # type: ignore[index]
    running.call("matcher", "start")
    running.feed(100)
    running.settle()
    assert running.out == [100]
