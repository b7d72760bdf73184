"""Offline correction: raw read, corrected and written, against a plain copy of the same files."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from pipeline.bench import made_data
from pipeline.constants import AgipdConditions
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock
from pipeline.offline.correct import correct_run

DETECTOR = "SPB_DET_AGIPD1M-1"


@dataclass(frozen=True, slots=True)
class OfflineResult:
    """GB of raw data in a second."""

    corrected_gb_per_s: float
    copied_gb_per_s: float
    written_bytes_per_raw_byte: float

    @property
    def ratio(self) -> float:
        """Share of the speed of a plain copy."""
        return self.corrected_gb_per_s / self.copied_gb_per_s


def measure(modules: int = 2, trains: int = 8, frames: int = 16, rounds: int = 5) -> OfflineResult:
    """Correct a small run of noise and spots several times, in turn with copying it."""
    with tempfile.TemporaryDirectory(prefix="stellwerk-bench-") as folder:
        root = Path(folder)
        raw = _recorded(root / "raw" / "r0001", modules, trains, frames)
        size = sum(path.stat().st_size for path in raw.glob("*.h5"))
        corrections = {number: made_data.module(frames, number) for number in range(modules)}

        def correct(target: Path) -> None:
            with ThreadPoolExecutor(2) as executor:
                correct_run(raw, target, DETECTOR, corrections, executor)

        def copy(target: Path) -> None:
            shutil.copytree(raw, target)

        took: dict[str, list[float]] = {"correct": [], "copy": []}
        written = 0
        jobs: list[tuple[str, Callable[[Path], None]]] = [("correct", correct), ("copy", copy)]
        for number in range(rounds + 1):
            for name, job in jobs:
                target = root / f"{name}{number}"
                began = time.perf_counter()
                job(target)
                if number:
                    took[name].append(time.perf_counter() - began)
                if name == "correct":
                    written = sum(path.stat().st_size for path in target.glob("*.h5"))
                shutil.rmtree(target)
    return OfflineResult(
        size / median(took["correct"]) / 1e9, size / median(took["copy"]) / 1e9, written / size
    )


def _recorded(folder: Path, modules: int, trains: int, frames: int) -> Path:
    form = FORMATS["AGIPD"]
    plan = RecordingPlan(DETECTOR, form, tuple(range(modules)), "SPB_IRU_AGIPD1M1", 1, 256, TrainClock(1, 0))
    writer = RunWriter(folder, plan, 1, "", AgipdConditions(frames))
    for train_id in range(1, trains + 1):
        parts = {
            module: ModuleTrain(
                module=module,
                train_id=train_id,
                data=made_data.raw_train(frames, train_id * modules + module),
                cell_id=np.arange(frames, dtype=np.uint16),
                pulse_id=np.arange(frames, dtype=np.uint64),
                status=np.zeros(frames, np.uint16),
                length=np.full(frames, form.frame_bytes, np.uint32),
                header=bytes(64),
                detector=np.zeros(form.detector_bytes, np.uint8),
                trailer=bytes(32),
            )
            for module in range(modules)
        }
        writer.write(Gathered(train_id, 0.0, parts))
    writer.close()
    return folder
