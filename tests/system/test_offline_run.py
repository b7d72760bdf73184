"""Offline correction file by file: resumed, stopped, with a damaged file, in processes, for a detector of each type."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.config import CorrectionTable
from pipeline.constants import Conditions, conditions_of
from pipeline.correct import ModuleCorrection, recipe_of
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock
from pipeline.offline.correct import correct_run

DETECTORS = {"AGIPD": "SPB_DET_AGIPD1M-1", "LPD": "FXE_DET_LPD1M-1", "DSSC": "SCS_DET_DSSC1M-1"}
FRAMES, TRAINS, MODULES = 2, 4, 2


def conditions(kind: str) -> Conditions:
    rate = {} if kind == "LPD" else {"acquisition_rate_mhz": 1.1}
    return conditions_of(kind, {"memory_cells": FRAMES, **rate})


def train(kind: str, module: int, train_id: int) -> ModuleTrain:
    form = FORMATS[kind]
    rng = np.random.default_rng(train_id * 16 + module)
    return ModuleTrain(
        module=module,
        train_id=train_id,
        data=rng.integers(0, 4096, (FRAMES, *form.frame_shape), dtype=np.uint16),
        cell_id=np.arange(FRAMES, dtype=np.uint16),
        pulse_id=np.arange(FRAMES, dtype=np.uint64),
        status=np.zeros(FRAMES, np.uint16),
        length=np.full(FRAMES, form.frame_bytes, np.uint32),
        header=bytes(64),
        detector=np.zeros(form.detector_bytes, np.uint8),
        trailer=bytes(32),
    )


def recorded(folder: Path, kind: str) -> Path:
    """Two sequence files of two modules each."""
    plan = RecordingPlan(
        DETECTORS[kind], FORMATS[kind], tuple(range(MODULES)), "A_B_C1", 1, TRAINS // 2, TrainClock(1, 0)
    )
    writer = RunWriter(folder / "r0003", plan, 3, "", conditions(kind))
    for train_id in range(1, TRAINS + 1):
        parts = {module: train(kind, module, train_id) for module in range(MODULES)}
        writer.write(Gathered(train_id, 0.0, parts))
    writer.close()
    return writer.folder


def corrections(kind: str) -> dict[int, ModuleCorrection]:
    known = conditions(kind)
    recipe = recipe_of(CorrectionTable(), known)
    rng = np.random.default_rng(1)
    stored: dict[str, Any] = {}
    for name in recipe.needed:
        shape = known.shape_of(name)
        stored[name] = (
            np.zeros(shape, np.uint32)
            if name.startswith("BadPixels")
            else rng.uniform(1, 3000, shape).astype(np.float32)
        )
    return {module: recipe.prepare(module, stored) for module in range(MODULES)}


def dataset_names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def content(folder: Path) -> dict[str, bytes]:
    """All data of all files, by file and dataset; creation times left out."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("CORR-*.h5")):
        with h5py.File(path) as file:
            for name in dataset_names(file):
                if "Date" not in name:
                    value = file[name][()]
                    found[f"{path.name}/{name}"] = (
                        repr(value.tolist()).encode() if value.dtype == object else value.tobytes()
                    )
    return found


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_run_gives_the_bits_of_the_online_correction(tmp_path: Path, kind: str) -> None:
    raw, made = recorded(tmp_path, kind), corrections(kind)
    told: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as executor:
        done = correct_run(
            raw, tmp_path / "proc", DETECTORS[kind], made, executor, lambda *at: told.append(at)
        )
    assert (done.files, done.skipped, done.trains, done.failed) == (4, 0, 8, ())
    assert told == [(k, 4) for k in (1, 2, 3, 4)]
    with h5py.File(tmp_path / "proc" / f"CORR-R0003-{kind}01-S00001.h5") as file:
        data = file[f"INSTRUMENT/{DETECTORS[kind]}/CORR/1CH0:output/image/data"][()]
    online = np.concatenate([made[1].correct(train(kind, 1, train_id)).data for train_id in (3, 4)])
    assert data.tobytes() == online.tobytes()


def test_a_stopped_correction_goes_on_and_ends_with_the_same(tmp_path: Path) -> None:
    raw, made = recorded(tmp_path, "LPD"), corrections("LPD")
    with ThreadPoolExecutor(1) as executor:
        whole = correct_run(raw, tmp_path / "whole", DETECTORS["LPD"], made, executor)
        told: list[tuple[int, int]] = []
        stopped = correct_run(
            raw,
            tmp_path / "parts",
            DETECTORS["LPD"],
            made,
            executor,
            lambda *at: told.append(at),
            stopping=lambda: bool(told),
        )
        assert stopped.remaining > 0
        assert stopped.files > 0
        again = correct_run(raw, tmp_path / "parts", DETECTORS["LPD"], made, executor)
    assert (whole.remaining, again.remaining) == (0, 0)
    assert again.skipped == stopped.files
    assert content(tmp_path / "parts") == content(tmp_path / "whole")


def test_who_asked_to_stop_before_anything_began_gets_nothing(tmp_path: Path) -> None:
    raw, made = recorded(tmp_path, "LPD"), corrections("LPD")
    with ThreadPoolExecutor(1) as executor:
        stopped = correct_run(raw, tmp_path / "proc", DETECTORS["LPD"], made, executor, stopping=lambda: True)
    assert (stopped.files, stopped.remaining) == (0, 4)
    assert not list((tmp_path / "proc").iterdir())


def test_one_damaged_file_is_named_and_the_others_are_corrected(tmp_path: Path) -> None:
    raw, made = recorded(tmp_path, "DSSC"), corrections("DSSC")
    damaged = raw / "RAW-R0003-DSSC00-S00001.h5"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    with ThreadPoolExecutor(2) as executor:
        done = correct_run(raw, tmp_path / "proc", DETECTORS["DSSC"], made, executor)
    assert done.files == 3
    assert len(done.failed) == 1
    assert damaged.name in done.failed[0]
    assert not list((tmp_path / "proc").glob(".*unfinished"))


def test_processes_give_what_threads_give(tmp_path: Path) -> None:
    raw, made = recorded(tmp_path, "LPD"), corrections("LPD")
    with ThreadPoolExecutor(1) as threads:
        correct_run(raw, tmp_path / "threads", DETECTORS["LPD"], made, threads)
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        correct_run(raw, tmp_path / "processes", DETECTORS["LPD"], made, processes)
    assert content(tmp_path / "threads") == content(tmp_path / "processes")
