"""Truth closure of every detector and gain stage, in this process: simulated darks, constants, correction, photons.

What is compared with is what the simulator really let fall. The AGIPD in adaptive gain goes through the real processes
in test_truth_recovered.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config import CorrectionTable
from pipeline.constants import BadPixel as Bit
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
NO_DARK_DATA = int(Bit.NO_DARK_DATA)


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


@dataclass(frozen=True)
class Lit:
    """Corrected frames of a module, what fell on it, and which pixels are fit to be counted."""

    result: CorrectedModule
    photons: AnyArray
    good: AnyArray
    model: LitModule

    def bias(self, stage: int, low: int, high: int) -> float:
        """Relative difference of sums, of pixels chosen by what fell: a cut on measured values has a bias itself."""
        chosen = self.good & (self.result.gain == stage) & (self.photons >= low) & (self.photons < high)
        assert np.count_nonzero(chosen) > 500
        return bias(self.result, self.photons, chosen)


@pytest.fixture(scope="module")
def bright_lpd(tmp_path_factory: pytest.TempPathFactory) -> Lit:
    """Module 3 in adaptive gain: a tenth of its pixels sees more than medium gain holds."""
    table = LpdTable(memory_cells=2, modules=[3])
    model = make_module(table, SEED, 3)
    assert isinstance(model, LitModule)
    conditions = conditions_of("LPD", {"memory_cells": 2})
    made = constants(tmp_path_factory.mktemp("lpd"), model, table, conditions, STAGES)
    result, photons = corrected(made, model, table, conditions, "adaptive")
    return Lit(result, photons, good_pixels(model, result), model)


def test_lpd_leaves_each_stage_where_the_pixel_did(bright_lpd: Lit) -> None:
    truth = bright_lpd.model.truth  # type: ignore[attr-defined]
    cell_gain = np.tile(truth.cell_gain, LIGHTS)[:, None, None]
    in_high, in_medium = (bright_lpd.photons * cell_gain * truth.gain[stage] for stage in (0, 1))
    left_high = in_high > truth.switch[0]
    switched = left_high.astype(int) + (left_high & (in_medium > truth.switch[1]))
    good = bright_lpd.good
    assert np.mean((bright_lpd.result.gain == switched)[good]) > 0.99999
    seen = np.bincount(switched[good], minlength=3) / good.sum()
    assert (seen > 0.05).all(), seen


@pytest.mark.parametrize(
    ("stage", "low", "high"),
    [(0, 1, 10), (0, 10, 100), (1, 160, 600), (1, 600, 1200), (2, 1400, 2500), (2, 2500, 4000)],
    ids=str,
)
def test_lpd_recovers_photons_in_every_stage(bright_lpd: Lit, stage: int, low: int, high: int) -> None:
    assert abs(bright_lpd.bias(stage, low, high)) < 0.005


@pytest.fixture(scope="module")
def parallel_lpd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lit, Lit, dict[str, AnyArray]]:
    """The same module in parallel gain: three frames made into one, all three frames, and the constants."""
    table = LpdTable(memory_cells=2, modules=[3], parallel_gain=True)
    model = make_module(table, SEED, 3)
    assert isinstance(model, LitModule)
    conditions = conditions_of("LPD", {"memory_cells": 6, "parallel_gain": True})
    made = constants(tmp_path_factory.mktemp("parallel"), model, table, conditions, ["adaptive"])
    parts = []
    for combine in (True, False):
        settings = CorrectionTable(combine_parallel_gain=combine)
        result, photons = corrected(made, model, table, conditions, "adaptive", settings)
        if not combine:
            # Frame k of a train has the photons of pulse k modulo the number of pulses.
            one = [model.photons(train_id, range(2), "rings") for train_id in range(9000, 9000 + LIGHTS)]
            photons = np.concatenate([np.tile(fell, (3, 1, 1)) for fell in one])
        parts.append(Lit(result, photons, good_pixels(model, result), model))
    return parts[0], parts[1], made


def test_lpd_darks_of_parallel_gain_fill_the_cells_of_each_stage(
    parallel_lpd: tuple[Lit, Lit, dict[str, AnyArray]],
) -> None:
    lit, _, made = parallel_lpd
    offset, bits = (made[name].transpose(2, 3, 1, 0) for name in ("Offset", "BadPixelsDark"))
    truth = lit.model.truth  # type: ignore[attr-defined]
    good = truth.bad == BadPixel.GOOD
    for cell, stage in np.ndindex(6, 3):
        if cell // 2 == stage:
            assert np.abs(offset - truth.pedestal)[cell, stage, good].mean() < 0.6
            assert np.mean(bits[cell, stage, good] != 0) < 0.001
        else:
            assert np.isnan(offset[cell, stage]).all()
            assert (bits[cell, stage] == NO_DARK_DATA).all()


@pytest.mark.parametrize(("stage", "low", "high"), [(0, 1, 100), (1, 200, 1000), (2, 1700, 4000)], ids=str)
def test_lpd_in_parallel_gain(
    parallel_lpd: tuple[Lit, Lit, dict[str, AnyArray]], stage: int, low: int, high: int
) -> None:
    combined, each, _ = parallel_lpd
    assert len(combined.result.data) == 2 * LIGHTS
    assert len(each.result.data) == 6 * LIGHTS
    fell = combined.good & (combined.photons >= low) & (combined.photons < high)
    assert (combined.result.gain[fell] == stage).all()
    assert abs(combined.bias(stage, low, high)) < 0.005
    thirds = each.result.gain.reshape(LIGHTS, 3, 2, 256, 256)
    usable = each.good.reshape(thirds.shape)
    assert (thirds[:, stage][usable[:, stage]] == stage).all()
    assert abs(each.bias(stage, low, high)) < 0.005, "frames left apart are right, too"


def dssc(folder: Path, light: Illumination, *, eight_bit: bool, told: bool) -> tuple[Lit, AnyArray]:
    """A DSSC under light, and the signal in ADU that its photons make; *told*: the correction knows of the 8 bits."""
    table = DsscTable(memory_cells=3, modules=1, eight_bit=eight_bit)
    model = make_module(table, SEED, 0)
    assert isinstance(model, LitModule)
    conditions = conditions_of("DSSC", {"memory_cells": 3, "acquisition_rate_mhz": 1.1})
    made = constants(folder, model, table, conditions, ["adaptive"])
    assert made["Offset"].shape == (512, 128, 3)
    truth = model.truth  # type: ignore[attr-defined]
    good = truth.bad == BadPixel.GOOD
    assert np.abs(made["Offset"].transpose(2, 1, 0) - truth.pedestal)[:, good].mean() < 0.12
    result, photons = corrected(
        made, model, table, conditions, "adaptive", CorrectionTable(eight_bit=told), light
    )
    return Lit(result, photons, good_pixels(model, result), model), photons * truth.photon_gain


@pytest.mark.parametrize("eight_bit", [False, True], ids=["9 bits", "8 bits"])
def test_dssc(tmp_path: Path, eight_bit: bool) -> None:
    lit, signal = dssc(tmp_path, "flat", eight_bit=eight_bit, told=eight_bit)
    data = lit.result.data[lit.good].astype(float)
    assert abs(data.sum() / signal[lit.good].sum() - 1) < 0.005
    assert np.std(data - signal[lit.good]) < 1.2, "0.8 ADU of noise and rounding"


@pytest.mark.parametrize(("eight_bit", "most"), [(False, 511), (True, 256)], ids=["9 bits", "8 bits"])
def test_dssc_up_to_its_last_value(tmp_path: Path, eight_bit: bool, most: int) -> None:
    lit, signal = dssc(tmp_path, "rings", eight_bit=eight_bit, told=eight_bit)
    pedestal = np.tile(lit.model.truth.pedestal, (LIGHTS, 1, 1))  # type: ignore[attr-defined]
    room = most - pedestal
    below = lit.good & (signal < room - 10)
    assert (signal[below] > most - 100).sum() > 100, "the picture reaches the upper end"
    assert abs(lit.result.data[below].astype(float).sum() / signal[below].sum() - 1) < 0.002
    beyond = lit.good & (signal > room + 10)
    assert beyond.sum() > 1000
    assert np.abs(lit.result.data - room)[beyond].max() < 2, (
        "a full pixel reads the last value over its offset"
    )


def test_dssc_with_eight_bits_that_the_correction_is_not_told_of(tmp_path: Path) -> None:
    lit, signal = dssc(tmp_path, "rings", eight_bit=True, told=False)
    full = lit.good & (signal > 250)
    assert full.sum() > 1000
    assert lit.result.data[full].max() < 0, "256 is taken for 0: a full pixel looks darker than dark"


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
