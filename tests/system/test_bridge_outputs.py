"""Raw and preview outputs of a pipeline in this process: what late clients get, settings, pictures."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zmq

from pipeline.config import CorrectionTable, PipelineTable
from pipeline.constants import AgipdConditions
from pipeline.control.app import control_app
from pipeline.control.device import Registry
from pipeline.control.server import ControlServer
from pipeline.correct import recipe_of
from pipeline.daq.bridge_messages import parse_message
from pipeline.errors import SettingRejected
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.assembly import OnlinePipeline
from pipeline.online.raw import RawBranch

FOREIGN = Path(__file__).parents[2] / ".venvs/euxfel/bin"
READER = Path(__file__).parents[1] / "foreign" / "read_bridge_arrays.py"
MODULES = (0, 1)
DETECTOR = "SPB_DET_AGIPD1M-1"


def train(module: int, train_id: int) -> ModuleTrain:
    rng = np.random.default_rng(16 * train_id + module)
    return ModuleTrain(
        module, train_id, rng.integers(600, 9000, (1, 2, 512, 128), dtype=np.uint16), np.zeros(1, np.uint16),
        np.zeros(1, np.uint64), np.zeros(1, np.uint16), np.zeros(1, np.uint32), bytes(64),
        np.zeros(5408, np.uint8), bytes(32),
    )  # fmt: skip


def table(**tables: Any) -> PipelineTable:
    common = {"modules": len(MODULES), "memory_cells": 1, "matcher": {"min_modules": 2}}
    return PipelineTable.model_validate(common | tables)


@contextmanager
def raw_branch(**bridge: Any) -> Iterator[tuple[RawBranch, str]]:
    made = RawBranch(
        table(bridge=bridge, preview={"enabled": bridge.get("raw_combined", False), "every_nth_train": 2}),
        TrainClock(1, 0),
        16,
    )
    yield made, made.start()
    made.stop()


def ask(address: str) -> Any:
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.linger, client.rcvtimeo = 0, 60_000
        client.connect(address)
        client.send(b"next")
        (source,) = parse_message([bytes(part) for part in client.recv_multipart()]).items()
    return source


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_who_asks_late_gets_a_recent_train_of_the_one_module() -> None:
    with raw_branch(raw_module=1) as (branch, address):
        for train_id in range(1, 101):
            for module in MODULES:
                branch.look(train(module, train_id))
        name, source = ask(address)
        assert name == f"{DETECTOR}/DET/1CH0:xtdf"
        assert source.train_id > 80
        assert branch.bridge.counters["trains_offered"] <= 12  # not a copy of each for nobody
        before = branch.bridge.counters["trains_offered"]
        branch.look(train(1, 3))  # train ids that begin anew are no reason to wait
        assert branch.bridge.counters["trains_offered"] == before + 1


def test_axes_and_keys_of_the_combined_raw_trains_can_be_set() -> None:
    with raw_branch(raw_combined=True) as (branch, address):
        device = branch.device(MODULES)
        shapes = []
        for train_id, settings in enumerate(
            [{}, {"axes": "online"}, {"keys": ["image.data", "image.cellId"]}, {"axes": "file"}], start=1
        ):
            device.change(settings)
            for module in MODULES:
                branch.submit(train(module, train_id))
            _, source = ask(address)
            assert source.train_id == train_id
            shapes.append((source.arrays["image.data"].shape, "image.pulseId" in source.arrays))
        assert shapes == [
            ((1, 16, 2, 512, 128), True),
            ((16, 128, 512, 2, 1), True),
            ((16, 128, 512, 2, 1), False),
            ((1, 16, 2, 512, 128), False),
        ]
        with pytest.raises(SettingRejected, match="file or online"):
            device.change({"axes": "sideways"})


def test_pictures_of_raw_trains_over_http() -> None:
    with raw_branch(raw_combined=True) as (branch, _):
        server = ControlServer(control_app(Registry([]), "token", raw_preview=branch.preview.png))
        with httpx.Client(base_url=server.start(), trust_env=False) as http:
            answer = http.get("/preview.png?of=raw")
            assert answer.status_code == 404
            assert "raw train" in answer.json()["error"]
            for train_id in (1, 2, 3):
                for module in MODULES:
                    branch.submit(train(module, train_id))
            until(lambda: branch.preview.pictures == 1)
            newest = branch.preview.latest()
            assert newest is not None
            assert newest[0] == 2
            plain, marked = (http.get(f"/preview.png?of=raw&cross={cross}").content for cross in (0, 1))
            assert plain.startswith(b"\x89PNG")
            assert plain != marked
            assert http.get("/preview.png").status_code == 404  # there are no corrected trains here
        server.stop()


@pytest.mark.foreign
@pytest.mark.skipif(not (FOREIGN / "python").exists(), reason="no public clients: run make test")
@pytest.mark.parametrize(("protocol", "mode"), [("2.2", "REP"), ("1.0", "REP"), ("2.2", "PUSH")])
def test_the_public_client_reads_previews(protocol: str, mode: str, tmp_path: Path) -> None:
    pipeline = OnlinePipeline(
        table(preview={"every_nth_train": 2}, bridge={"protocol": protocol, "mode": mode}),
        tmp_path,
        {},
        TrainClock(1, 0),
        "token-of-the-test",
    )
    pictures: dict[int, list[Any]] = {}

    def keep(_: MatchedTrain[CorrectedModule]) -> None:
        newest = pipeline.corrected.preview.latest()
        if newest is not None:
            shape = list(newest[1].shape)
            pictures[newest[0]] = [shape, "float32", hashlib.sha256(newest[1].tobytes()).hexdigest()]

    pipeline.corrected.output.add(keep)
    recipe = recipe_of(CorrectionTable(steps=("offset",)), AgipdConditions(1))
    offset = np.full((128, 512, 1, 3), 700, np.float32)
    made = {module: recipe.prepare(module, {"Offset": offset}) for module in MODULES}
    pipeline.corrected.correction.load(recipe, made, 1)
    addresses = pipeline.start()
    sock = {"REP": "REQ", "PUSH": "PULL"}[mode]
    command = [FOREIGN / "python", READER, addresses["bridge.preview"], sock, "2"]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            train_id = 0
            while client.poll() is None:
                train_id += 1
                for module in MODULES:
                    pipeline.corrected.submit(train(module, train_id))
                threading.Event().wait(0.02)
            seen = [json.loads(line) for line in client.stdout]
        assert client.returncode == 0
        until(lambda: not pipeline.corrected.busy)
    finally:
        pipeline.stop()
    assert len(seen) == 2
    for shown in seen:
        (picture,) = shown.values()
        assert list(shown) == [f"{DETECTOR}/CAL/PREVIEW"]
        assert picture["train_id"] % 2 == 0
        assert picture["content"] == {"image.data": pictures[picture["train_id"]]}
