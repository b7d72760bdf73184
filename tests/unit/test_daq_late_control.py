"""Control data come another way than the detector's: a train waits a moment for its own."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.constants import AgipdConditions
from pipeline.daq import recording
from pipeline.daq.bridge_messages import BridgeSource
from pipeline.daq.control_sources import ControlSources
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

AGIPD = FORMATS["AGIPD"]


def train(train_id: int) -> Gathered[ModuleTrain]:
    part = ModuleTrain(
        0, train_id, np.zeros((1, *AGIPD.frame_shape), np.uint16), np.zeros(1, np.uint16), np.zeros(1, np.uint64),
        np.zeros(1, np.uint16), np.zeros(1, np.uint32), bytes(64), np.zeros(AGIPD.detector_bytes, np.uint8), bytes(32),
    )  # fmt: skip
    return Gathered(train_id, 0.0, {0: part})


@pytest.fixture
def slow() -> ControlSources:
    return ControlSources("tcp://127.0.0.1:1", "SUB")


def come(slow: ControlSources, train_id: int) -> None:
    slow._take({"A/XGM/1": BridgeSource({"timestamp.tid": train_id}, {}, {"energy": float(train_id)})})


def written(folder: Path, slow: ControlSources, trains: dict[int, bool]) -> list[float]:
    """Energies of a run; *trains* says whether a train's message comes at all, and it comes after the train."""
    plan = RecordingPlan("SPB_DET_AGIPD1M-1", AGIPD, (0,), "SPB_IRU_AGIPD1M1", 1, 2, TrainClock(1, 10**18))
    come(slow, 1)
    run = RunWriter(folder, plan, 1, "", AgipdConditions(1), slow)
    for train_id, comes in trains.items():
        run.write(train(train_id))
        if comes:
            come(slow, train_id)
        run.settle()
    run.close()
    slow.stop()
    found: list[float] = []
    for path in sorted(folder.glob("*DA01*")):
        with h5py.File(path) as file:
            found += file["CONTROL/A/XGM/1/energy/value"][:].tolist()
            assert len(file["INDEX/trainId"]) == len(file["CONTROL/A/XGM/1/energy/value"])
    return found


def test_a_value_that_comes_after_its_train_is_its_own(tmp_path: Path, slow: ControlSources) -> None:
    assert written(tmp_path / "r", slow, {2: True, 3: True, 4: True, 5: True}) == [2, 3, 4, 5]
    assert slow.counters["trains_missing"] == 0


def test_a_train_whose_data_never_come_does_not_wait_for_ever(
    tmp_path: Path, slow: ControlSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "CONTROL_DEADLINE_S", 0.05)
    assert written(tmp_path / "r", slow, {2: True, 3: False, 4: True}) == [2, 2, 4]
    assert slow.counters["trains_missing"] == 1
