"""Our own raw run, served by the public `karabo-bridge-serve-files`, feeds our pipeline."""

from __future__ import annotations

import socket
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import CorrectionTable, PipelineTable
from pipeline.constants import AgipdConditions
from pipeline.correct import recipe_of
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import CorrectedModule, MatchedTrain, ModuleTrain, TrainClock
from pipeline.online.assembly import OnlinePipeline

FOREIGN = Path(__file__).parents[2] / ".venvs/euxfel/bin"
DETECTOR = "SPB_DET_AGIPD1M-1"
FRAMES, TRAINS, MODULES = 2, 4, (0, 1)
pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(
        not (FOREIGN / "karabo-bridge-serve-files").exists(),
        reason="no environment with the public clients: run make test",
    ),
]


def train(module: int, train_id: int) -> ModuleTrain:
    form = FORMATS["AGIPD"]
    rng = np.random.default_rng(train_id * 16 + module)
    return ModuleTrain(
        module=module,
        train_id=train_id,
        data=rng.integers(0, 9000, (FRAMES, *form.frame_shape), dtype=np.uint16),
        cell_id=np.arange(FRAMES, dtype=np.uint16),
        pulse_id=np.arange(FRAMES, dtype=np.uint64) * 4,
        status=np.zeros(FRAMES, np.uint16),
        length=np.full(FRAMES, form.frame_bytes, np.uint32),
        header=bytes(64),
        detector=np.zeros(form.detector_bytes, np.uint8),
        trailer=bytes(32),
    )


def test_the_fed_trains_are_corrected_as_those_from_datagrams(tmp_path: Path) -> None:
    conditions = AgipdConditions(FRAMES)
    plan = RecordingPlan(DETECTOR, FORMATS["AGIPD"], MODULES, "SPB_IRU_AGIPD1M1", 1, 256, TrainClock(1, 0))
    writer = RunWriter(tmp_path / "r0001", plan, 1, "", conditions)
    for train_id in range(1001, 1001 + TRAINS):
        writer.write(Gathered(train_id, 0.0, {module: train(module, train_id) for module in MODULES}))
    writer.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    table = PipelineTable.model_validate(
        {
            "modules": 2,
            "memory_cells": FRAMES,
            "matcher": {"min_modules": 2},
            "feed": {"address": f"tcp://127.0.0.1:{port}", "mode": "REQ"},
            "preview": {"enabled": False},
        }
    )
    recipe = recipe_of(CorrectionTable(steps=("offset",)), conditions)
    offset = np.full((128, 512, FRAMES, 3), 700, np.float32)
    corrections = {module: recipe.prepare(module, {"Offset": offset}) for module in MODULES}
    came: dict[int, dict[int, bytes]] = {}
    enough = threading.Event()

    def take(matched: MatchedTrain[CorrectedModule]) -> None:
        came[matched.train_id] = {module: part.data.tobytes() for module, part in matched.modules.items()}
        if len(came) == TRAINS:
            enough.set()

    pipeline = OnlinePipeline(table, tmp_path / "data", {}, TrainClock(1, 0), "token-of-the-test")
    pipeline.corrected.output.add(take)
    pipeline.corrected.correction.load(recipe, corrections, FRAMES)
    command = [
        FOREIGN / "karabo-bridge-serve-files",
        tmp_path / "r0001",
        str(port),
        "--source",
        f"{DETECTOR}/DET/*",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
        pipeline.start()
        try:
            assert enough.wait(60), pipeline.feed and pipeline.feed.describe()
        finally:
            pipeline.stop()
            serving.terminate()
    assert sorted(came) == list(range(1001, 1001 + TRAINS))
    for train_id, modules in came.items():
        for module, data in modules.items():
            assert data == corrections[module].correct(train(module, train_id)).data.tobytes()
