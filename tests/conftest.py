"""What tests of the offline correction share: a recorded run of a small AGIPD, and constants for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.config import CorrectionTable
from pipeline.constants import AgipdConditions
from pipeline.correct import ModuleCorrection, recipe_of
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

FRAMES = 2
CONDITIONS = AgipdConditions(FRAMES)


@dataclass(frozen=True)
class RecordedRun:
    """A raw run on the disk."""

    raw: Path
    detector: str = "SPB_DET_AGIPD1M-1"
    conditions: AgipdConditions = CONDITIONS

    def constants(self) -> dict[str, np.ndarray[Any, Any]]:
        """What the correction needs, by calibration; the same for every module."""
        rng = np.random.default_rng(1)
        return {
            name: np.zeros(self.conditions.shape_of(name), np.uint32)
            if name.startswith("BadPixels")
            else rng.uniform(1, 3000, self.conditions.shape_of(name)).astype(np.float32)
            for name in recipe_of(CorrectionTable(), self.conditions).needed
        }

    def corrections(self, modules: range) -> dict[int, ModuleCorrection]:
        """Prepared corrections."""
        recipe, stored = recipe_of(CorrectionTable(), self.conditions), self.constants()
        return {module: recipe.prepare(module, stored) for module in modules}

    @staticmethod
    def content(folder: Path) -> dict[str, dict[str, bytes]]:
        """All data of the corrected files by file and dataset; creation times left out."""
        return {path.name: _content_of(path) for path in sorted(folder.glob("*.h5"))}


def _content_of(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "Date" not in name:
            value = item[()]
            found[name] = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def _train(module: int, train_id: int) -> ModuleTrain:
    form = FORMATS["AGIPD"]
    rng = np.random.default_rng(train_id * 16 + module)
    return ModuleTrain(
        module=module,
        train_id=train_id,
        data=rng.integers(0, 16384, (FRAMES, *form.frame_shape), dtype=np.uint16),
        cell_id=np.arange(FRAMES, dtype=np.uint16),
        pulse_id=np.arange(FRAMES, dtype=np.uint64),
        status=np.zeros(FRAMES, np.uint16),
        length=np.full(FRAMES, form.frame_bytes, np.uint32),
        header=bytes(64),
        detector=np.zeros(form.detector_bytes, np.uint8),
        trailer=bytes(32),
    )


@pytest.fixture(scope="session")
def record_run() -> Callable[..., RecordedRun]:
    """Record a run below a folder: `record_run(folder, modules=2, sequences=2, trains=2)`, trains in each."""

    def record(folder: Path, modules: int = 2, sequences: int = 2, trains: int = 2) -> RecordedRun:
        run = RecordedRun(folder / "raw" / "r0003")
        plan = RecordingPlan(
            run.detector,
            FORMATS["AGIPD"],
            tuple(range(modules)),
            "SPB_IRU_AGIPD1M1",
            1,
            trains,
            TrainClock(1, 10**18),
        )
        writer = RunWriter(run.raw, plan, 3, "", run.conditions)
        for train_id in range(1, sequences * trains + 1):
            parts = {module: _train(module, train_id) for module in range(modules)}
            writer.write(Gathered(train_id, 0.0, parts))
        writer.close()
        return run

    return record
