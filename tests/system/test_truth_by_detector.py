"""Truth closure of every detector and gain stage, in this process: simulated darks, constants, correction, photons.

What is compared with is what the simulator really let fall. The AGIPD in adaptive gain goes through the real processes
in test_truth_recovered.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config import CorrectionTable
from pipeline.constants import Conditions, DarkRuns, DarkSettings, conditions_of, derive
from pipeline.correct import recipe_of
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS, decode
from pipeline.gathering import Gathered
from pipeline.model import CorrectedModule, ModuleTrain, TrainClock
from sim.xtdf.build import make_module
from sim.xtdf.codec import encode_block, good_fields
from sim.xtdf.config import AgipdTable, AnyTable, DsscTable, LpdTable
from sim.xtdf.illumination import Illumination
from sim.xtdf.module import GainMode, LitModule
from sim.xtdf.pixels import BadPixel

SEED, DARKS, LIGHTS = 11, 60, 6
STAGES: tuple[GainMode, ...] = ("fixed_high", "fixed_medium", "fixed_low")
AnyArray = NDArray[Any]


def train(
    model: LitModule, table: AnyTable, train_id: int, mode: GainMode, light: Illumination
) -> ModuleTrain:
    """A train as it would come over the wire: encoded by the simulator, decoded by the pipeline."""
    images = np.zeros((table.frames, model.wire.bytes_per_pulse // 2), np.uint16)
    model.make_images(images, train_id, mode, light)  # type: ignore[attr-defined]
    fields = good_fields(model.wire, train_id=train_id, link=0, pulse_id=table.pulse_ids)
    block = encode_block(model.wire, images, fields)
    return decode(np.frombuffer(block, np.uint8), 0, FORMATS[table.type])


def dark_run(folder: Path, number: int, model: LitModule, table: AnyTable, mode: GainMode) -> Path:
    rate = {} if table.type == "LPD" else {"acquisition_rate_mhz": 1.1}
    conditions = conditions_of(table.type, {"memory_cells": table.memory_cells, **rate})
    plan = RecordingPlan(table.detector, FORMATS[table.type], (0,), "X_Y_Z", 1, 256, TrainClock(1, 0))
    writer = RunWriter(folder / f"r{number:04d}", plan, number, "", conditions)
    for k in range(DARKS):
        train_id = 1000 * number + k
        writer.write(Gathered(train_id, 0.0, {0: train(model, table, train_id, mode, "dark")}))
    writer.close()
    return writer.folder


def constants(
    folder: Path, model: LitModule, table: AnyTable, conditions: Conditions, modes: Sequence[GainMode]
) -> dict[str, AnyArray]:
    if len(modes) == 1 and table.type == "LPD":
        one = dark_run(folder, 1, model, table, modes[0])
        runs = DarkRuns(one, one, one)
    else:
        runs = DarkRuns(*(dark_run(folder, k + 1, model, table, mode) for k, mode in enumerate(modes)))
    derived = derive(
        runs, table.detector, [0], conditions.memory_cells, DarkSettings.of(table.type), kind=table.type
    )
    return derived[0].constants | model.gain_constants(SEED, 0.0)  # type: ignore[attr-defined]


def corrected(
    made: dict[str, AnyArray],
    model: LitModule,
    table: AnyTable,
    conditions: Conditions,
    mode: GainMode,
    settings: CorrectionTable | None = None,
    light: Illumination = "rings",
) -> tuple[CorrectedModule, AnyArray]:
    """Corrected frames of some trains, joined, and the photons of each."""
    module = recipe_of(settings or CorrectionTable(), conditions).prepare(0, made)
    parts, fell = [], []
    for train_id in range(9000, 9000 + LIGHTS):
        parts.append(module.correct(train(model, table, train_id, mode, light)))
        fell.append(model.photons(train_id, range(len(parts[-1].data)), light))
    joined = CorrectedModule(
        0, 0, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "gain", "mask")),
        parts[0].cell_id, parts[0].pulse_id,
    )  # fmt: skip
    return joined, np.concatenate(fell)


def bias(result: CorrectedModule, photons: AnyArray, chosen: AnyArray) -> float:
    """Relative difference of the sums of photons over chosen pixels."""
    return float(result.data[chosen].astype(float).sum() / photons[chosen].sum() - 1)


def good_pixels(model: LitModule, result: CorrectedModule) -> AnyArray:
    truth: AnyArray = model.truth.bad == BadPixel.GOOD  # type: ignore[attr-defined]
    return np.broadcast_to(truth, result.data.shape) & (result.mask == 0)


def test_lpd_in_all_three_stages(tmp_path: Path) -> None:
    table = LpdTable(memory_cells=2, modules=1)
    model = make_module(table, SEED, 0)
    assert isinstance(model, LitModule)
    conditions = conditions_of("LPD", {"memory_cells": 2})
    made = constants(tmp_path, model, table, conditions, STAGES)
    offset = made["Offset"].transpose(2, 3, 1, 0)
    truth = model.truth  # type: ignore[attr-defined]
    good = truth.bad == BadPixel.GOOD
    assert np.abs(offset - truth.pedestal)[..., good].mean() < 0.6
    bad = np.isin(truth.bad, [BadPixel.DEAD, BadPixel.NOISY, BadPixel.OFFSET_OUTLIER])
    flagged = (made["BadPixelsDark"] != 0).any(axis=(2, 3)).T
    assert flagged[bad].mean() > 0.999
    assert flagged[good].mean() < 0.001
    result, photons = corrected(made, model, table, conditions, "adaptive")
    usable = good_pixels(model, result) & (result.data < 3e4)
    for stage, limit in ((0, 0.01), (1, 0.01)):
        chosen = usable & (result.gain == stage)
        assert chosen.sum() > 500, stage
        assert abs(bias(result, photons, chosen)) < limit, stage
    stuck = truth.bad == BadPixel.STUCK_GAIN
    assert np.isnan(result.data[:, stuck]).all()
    for stage, mode in enumerate(STAGES):
        forced, fell = corrected(made, model, table, conditions, mode, light="flat")
        chosen = good_pixels(model, forced)
        assert (forced.gain[chosen] == stage).all()
        assert abs(bias(forced, fell, chosen)) < 0.02, mode


def test_lpd_in_parallel_gain(tmp_path: Path) -> None:
    table = LpdTable(memory_cells=2, modules=1, parallel_gain=True)
    model = make_module(table, SEED, 0)
    assert isinstance(model, LitModule)
    conditions = conditions_of("LPD", {"memory_cells": 6, "parallel_gain": True})
    made = constants(tmp_path, model, table, conditions, ["adaptive"])
    result, photons = corrected(made, model, table, conditions, "adaptive")
    assert len(result.data) == 2 * LIGHTS
    usable = good_pixels(model, result)
    assert {0, 1} <= set(np.unique(result.gain[usable]))
    for stage in (0, 1):
        chosen = usable & (result.gain == stage)
        # Frames of memory cells 0 and 1 hold the photons that the simulator counts for cells 0 and 1.
        assert abs(bias(result, photons, chosen)) < 0.015, stage


def test_dssc(tmp_path: Path) -> None:
    table = DsscTable(memory_cells=3, modules=1)
    model = make_module(table, SEED, 0)
    assert isinstance(model, LitModule)
    conditions = conditions_of("DSSC", {"memory_cells": 3, "acquisition_rate_mhz": 1.1})
    made = constants(tmp_path, model, table, conditions, ["adaptive"])
    assert made["Offset"].shape == (512, 128, 3)
    truth = model.truth  # type: ignore[attr-defined]
    good = truth.bad == BadPixel.GOOD
    assert np.abs(made["Offset"].transpose(2, 1, 0) - truth.pedestal)[:, good].mean() < 0.12
    result, photons = corrected(made, model, table, conditions, "adaptive", light="flat")
    chosen = good_pixels(model, result)
    signal = result.data[chosen].astype(float).sum()
    expected = (photons * truth.photon_gain)[chosen].sum()
    assert abs(signal / expected - 1) < 0.005


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_agipd_in_fixed_gain(tmp_path: Path, stage: int) -> None:
    table = AgipdTable(memory_cells=1, modules=1, flat_photons=50.0)
    model = make_module(table, SEED, 0)
    assert isinstance(model, LitModule)
    made = constants(
        tmp_path,
        model,
        table,
        conditions_of("AGIPD", {"memory_cells": 1, "acquisition_rate_mhz": 1.1}),
        STAGES,
    )
    fixed = conditions_of("AGIPD", {"memory_cells": 1, "acquisition_rate_mhz": 1.1, "gain_mode": stage + 1})
    result, photons = corrected(made, model, table, fixed, STAGES[stage], light="flat")
    chosen = good_pixels(model, result)
    assert (result.gain == stage).all()
    assert abs(bias(result, photons, chosen)) < 0.01
