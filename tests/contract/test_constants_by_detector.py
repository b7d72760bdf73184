"""Constants of LPD and DSSC in the simulated catalogue, over REST: what is asked for, what is left out, what is found.

The lists of parameters are written down from public clients (EXtra, calibration/conditions.py), not taken from our own
code. Every test has a bias voltage of its own, so that none finds what another injected.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fat.bench.owned import OwnedBench
from fat.testing.small_bench import write_bench_file
from pipeline.config import CorrectionTable
from pipeline.constants import (
    Catalogue,
    CatalogueRest,
    Conditions,
    DsscConditions,
    LpdConditions,
    Origin,
    inject,
)
from pipeline.correct import recipe_of
from pipeline.errors import ConstantMissing, SettingRejected
from sim.xtdf.build import make_module
from sim.xtdf.config import AnyTable, DsscTable, LpdTable
from sim.xtdf.inject import Campaign
from sim.xtdf.inject import inject as inject_campaign

LPD, DSSC = "FXE_DET_LPD1M-1", "SCS_DET_DSSC1M-1"
BEGIN = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
LPD_BASE = {"Sensor Bias Voltage", "Memory cells", "Pixels X", "Pixels Y", "Feedback capacitor"}
DSSC_BASE = {
    "Sensor Bias Voltage", "Memory cells", "Pixels X", "Pixels Y", "Pulse id checksum", "Acquisition rate",
}  # fmt: skip
CATALOGUE = """
[sim.devices.caldb]
kind = "caldb"
detectors = [
  { identifier = "FXE_DET_LPD1M-1", type = "LPD-Type", modules = 2 },
  { identifier = "SCS_DET_DSSC1M-1", type = "DSSC-Type", modules = 2 },
]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedBench]:
    folder = tmp_path_factory.mktemp("catalogue")
    path = write_bench_file(folder, [], mode="wall", receiver_port=None, extra=CATALOGUE)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as owned:
        yield owned


class Asked(CatalogueRest):
    """Notes the parameters of each lookup."""

    lookups: list[dict[str, Any]]

    def get(self, path: str, *, body: Any = None, **query: object) -> Any:
        if path.endswith("get_by_detector_conditions"):
            listed = body["parameters_conditions_attributes"]
            self.lookups.append({entry["parameter_name"]: entry["value"] for entry in listed})
        return super().get(path, body=body, **query)


@pytest.fixture
def rest(bench: OwnedBench) -> Iterator[Asked]:
    asked = Asked(bench.endpoints["caldb.rest"], retry_for_s=1.0, timeout_s=5.0)
    asked.lookups = []
    yield asked
    asked.close()


def catalogue_of(bench: OwnedBench, rest: CatalogueRest, detector: str) -> Catalogue:
    return Catalogue(rest, Path(bench.endpoints["caldb.store"]), detector)


@pytest.fixture
def lpd(bench: OwnedBench, rest: Asked) -> Catalogue:
    return catalogue_of(bench, rest, LPD)


@pytest.fixture
def dssc(bench: OwnedBench, rest: Asked) -> Catalogue:
    return catalogue_of(bench, rest, DSSC)


_voltages = itertools.count(101)


@pytest.fixture
def volts() -> float:
    return float(next(_voltages))


def put(
    catalogue: Catalogue, conditions: Conditions, value: float, module: int = 0, *calibrations: str
) -> None:
    constants = {
        name: np.full(conditions.shape_of(name), value, np.float32) for name in calibrations or ("Offset",)
    }
    inject(catalogue, module, constants, conditions, Origin(BEGIN, "proposal:900001 runs:1"))


def values(
    catalogue: Catalogue, conditions: Conditions, modules: tuple[int, ...] = (0,), calibration: str = "Offset"
) -> list[float]:
    found = catalogue.fetch(conditions, [calibration], modules, BEGIN)
    arrays = [found.get(module, calibration) for module in modules]
    return [float(array.flat[0]) for array in arrays if array is not None]


def stored_parameters(catalogue: Catalogue, conditions: Conditions, calibration: str) -> dict[str, Any]:
    """What the catalogue keeps as the condition of the one version that is found."""
    (version,) = catalogue.find(conditions, [calibration], BEGIN)
    shown = catalogue.rest.get(f"calibration_constant_versions/{version.id}")
    condition = catalogue.rest.get(f"conditions/{shown['calibration_constant']['condition_id']}")
    return {entry["parameter_name"]: entry for entry in condition["parameters_conditions"]}


def test_lpd_without_its_memory_cell_order_takes_the_generic_one(lpd: Catalogue, volts: float) -> None:
    generic = LpdConditions(memory_cells=1, sensor_bias_voltage_v=volts)
    ordered = replace(generic, memory_cell_order="8,24,40,")
    put(lpd, generic, 1.0, 0)
    put(lpd, generic, 1.0, 1)
    put(lpd, ordered, 2.0, 0)
    assert values(lpd, ordered, (0, 1)) == [2.0, 1.0], "module 1 has nothing for this order"
    assert values(lpd, generic, (0, 1)) == [1.0, 1.0]
    assert values(lpd, replace(generic, memory_cell_order="1,2,3,"), (0, 1)) == [1.0, 1.0]
    put(lpd, generic, 3.0, 0, "Noise")
    found = lpd.fetch(ordered, ["Offset", "Noise"], [0], BEGIN)
    assert [float(array.flat[0]) for array in found.module(0).values()] == [2.0, 3.0], "each for itself"


def test_lpd_for_no_order_is_not_answered_with_one(lpd: Catalogue, volts: float) -> None:
    generic = LpdConditions(memory_cells=1, sensor_bias_voltage_v=volts)
    put(lpd, replace(generic, memory_cell_order="8,24,40,"), 2.0)
    with pytest.raises(ConstantMissing, match="no Offset for module 0"):
        values(lpd, generic)


def test_lpd_falls_back_in_nothing_but_the_order(lpd: Catalogue, volts: float) -> None:
    generic = LpdConditions(memory_cells=3, sensor_bias_voltage_v=volts)
    put(lpd, generic, 1.0)
    for other in (
        {"parallel_gain": True},
        {"memory_cells": 4},
        {"feedback_capacitor_pf": 50.0},
        {"sensor_bias_voltage_v": volts + 0.5},
    ):
        with pytest.raises(ConstantMissing):
            values(lpd, replace(generic, memory_cell_order="8,24,40,", **other))  # type: ignore[arg-type]


def test_lpd_asks_twice_only_for_what_has_an_order(lpd: Catalogue, rest: Asked, volts: float) -> None:
    conditions = LpdConditions(memory_cells=1, sensor_bias_voltage_v=volts, memory_cell_order="8,24,40,")
    calibrations = ["Offset", "Noise", "BadPixelsDark", "RelativeGain", "GainAmpMap", "FFMap", "BadPixelsFF"]
    lpd.find(conditions, calibrations, BEGIN)
    light = LPD_BASE | {"Source Energy", "category"}
    assert [set(asked) for asked in rest.lookups] == [LPD_BASE | {"Memory cell order"}, light, LPD_BASE]
    rest.lookups.clear()
    lpd.find(replace(conditions, memory_cell_order="", parallel_gain=True), calibrations, BEGIN)
    assert [set(asked) for asked in rest.lookups] == [LPD_BASE | {"Parallel gain"}, light]


@pytest.mark.parametrize(
    ("given", "calibration", "more"),
    [
        ({}, "Offset", {}),
        ({"parallel_gain": True}, "Noise", {"Parallel gain": 1.0}),
        ({"parallel_gain": True}, "FFMap", {"Source energy": 9.3, "category": 0.0}),
        ({"memory_cell_order": "8,24,40,"}, "RelativeGain", {"Source energy": 9.3, "category": 0.0}),
    ],
    ids=["adaptive", "parallel", "parallel, light", "order, light"],
)
def test_lpd_leaves_out_what_public_clients_leave_out(
    lpd: Catalogue, volts: float, given: dict[str, Any], calibration: str, more: dict[str, float]
) -> None:
    conditions = LpdConditions(memory_cells=3, sensor_bias_voltage_v=volts, **given)
    put(lpd, conditions, 1.0, 0, calibration)
    stored = {name: entry["value"] for name, entry in stored_parameters(lpd, conditions, calibration).items()}
    base = {
        "Sensor Bias Voltage": volts, "Memory cells": 3.0, "Pixels X": 256.0, "Pixels Y": 256.0,
        "Feedback capacitor": 5.0,
    }  # fmt: skip
    assert stored == base | more


def test_lpd_keeps_the_order_as_a_text(lpd: Catalogue, volts: float) -> None:
    conditions = LpdConditions(memory_cells=1, sensor_bias_voltage_v=volts, memory_cell_order="8,24,40,")
    put(lpd, conditions, 1.0)
    entry = stored_parameters(lpd, conditions, "Offset")["Memory cell order"]
    assert (entry["value"], entry["txt_value"], entry["parameter_id"]) == (0.0, "8,24,40,", 30)


def test_lpd_parallel_and_adaptive_darks_live_side_by_side(lpd: Catalogue, volts: float) -> None:
    adaptive = LpdConditions(memory_cells=3, sensor_bias_voltage_v=volts)
    parallel = replace(adaptive, parallel_gain=True)
    put(lpd, adaptive, 1.0)
    put(lpd, parallel, 2.0)
    put(lpd, adaptive, 3.0, 0, "FFMap")
    assert (values(lpd, adaptive), values(lpd, parallel)) == ([1.0], [2.0])
    assert values(lpd, parallel, calibration="FFMap") == [3.0], "gain constants know no parallel gain"


def checksum(pulses: list[int]) -> float:
    digest = hashlib.blake2b(np.array(pulses, np.uint64).tobytes(), digest_size=8).digest()
    return float(np.frombuffer(digest, "<f8")[0])


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, {}),
        ({"target_gain": 2}, {"Target gain": 2.0}),
        (
            {"target_gain": 0, "encoded_gain": 7 + (1 << 8) + (3 << 16) + (1 << 32)},
            {"Target gain": 0.0, "Encoded gain": 4295164167.0},
        ),
    ],
    ids=["none", "target", "both, and a gain of 0"],
)
def test_dssc_leaves_out_gains_that_are_not_known(
    dssc: Catalogue, volts: float, given: dict[str, Any], more: dict[str, float]
) -> None:
    conditions = DsscConditions(memory_cells=2, sensor_bias_voltage_v=volts, **given)
    put(dssc, conditions, 1.0)
    stored = {name: entry["value"] for name, entry in stored_parameters(dssc, conditions, "Offset").items()}
    assert set(stored) == DSSC_BASE | set(more)
    assert stored["Pulse id checksum"] == checksum([0, 4])
    assert (stored["Pixels X"], stored["Pixels Y"], stored["Acquisition rate"]) == (512.0, 128.0, 1.1)
    assert {name: stored[name] for name in more} == more
    with pytest.raises(ConstantMissing):
        values(dssc, replace(conditions, target_gain=5))


def test_dssc_tells_patterns_of_pulses_apart(dssc: Catalogue, volts: float) -> None:
    usual = DsscConditions(memory_cells=2, sensor_bias_voltage_v=volts)
    shifted = replace(usual, pulse_ids=(100, 104))
    put(dssc, usual, 1.0)
    put(dssc, shifted, 2.0)
    assert values(dssc, usual) == values(dssc, replace(usual, pulse_ids=(0, 4))) == [1.0]
    assert values(dssc, shifted) == [2.0]
    with pytest.raises(ConstantMissing):
        values(dssc, replace(usual, pulse_ids=(104, 100)))


@pytest.mark.parametrize("pulses", [[-1, 3], [0.5], [True], "0,4", 4, [1 << 40]], ids=str)
def test_dssc_pulses_that_cannot_be_are_a_sentence(pulses: object) -> None:
    with pytest.raises(SettingRejected, match="a list of whole numbers from 0 on"):
        DsscConditions.from_properties({"memory_cells": 2, "pulse_ids": pulses})


def test_dssc_pulses_whose_checksum_is_no_number_are_a_sentence(dssc: Catalogue) -> None:
    assert np.isnan(checksum(list(range(764))))
    with pytest.raises(SettingRejected, match=r"764 pulses up to 763.*take one more or less"):
        values(dssc, DsscConditions(memory_cells=764, acquisition_rate_mhz=4.5))
    with pytest.raises(ConstantMissing):
        values(dssc, DsscConditions(memory_cells=765, acquisition_rate_mhz=4.5))


@pytest.mark.parametrize("rate", [0.0, -1.1, 3.0, float("nan")])
def test_dssc_at_a_rate_that_no_step_makes_is_a_sentence(dssc: Catalogue, rate: float) -> None:
    with pytest.raises(SettingRejected, match="acquisition_rate_mhz"):
        values(dssc, DsscConditions(memory_cells=2, acquisition_rate_mhz=rate))
    with pytest.raises(ConstantMissing):
        values(dssc, DsscConditions(memory_cells=2, pulse_ids=(3, 5), sensor_bias_voltage_v=1.0))


@pytest.mark.parametrize(
    ("table", "conditions"),
    [
        (LpdTable(modules=1, memory_cells=2), LpdConditions(memory_cells=2)),
        (LpdTable(modules=1, memory_cells=1, parallel_gain=True), LpdConditions(memory_cells=3, parallel_gain=True)),
        *[
            (DsscTable(modules=1, memory_cells=2, pulse_step=step), DsscConditions(2, acquisition_rate_mhz=rate))
            for step, rate in ((1, 4.5), (2, 2.2), (4, 1.1), (8, 0.5))
        ],
        (DsscTable(modules=1, memory_cells=3, frames_per_train=2), DsscConditions(3, pulse_ids=(0, 4))),
        (DsscTable(modules=1, memory_cells=2, first_pulse=7), DsscConditions(2, pulse_ids=(7, 11))),
        (DsscTable(modules=1, memory_cells=2, target_gain=3), DsscConditions(2, target_gain=3)),
    ],
    ids=[
        "lpd", "lpd parallel", "dssc 4.5 MHz", "dssc 2.2 MHz", "dssc 1.1 MHz", "dssc 0.5 MHz", "dssc frames",
        "dssc first pulse", "dssc target gain",
    ],
)  # fmt: skip
def test_what_the_simulator_injects_is_found(
    bench: OwnedBench, rest: Asked, table: AnyTable, conditions: Conditions
) -> None:
    """Every constant that a recipe wants, under conditions that only name what an operator knows."""
    store = Path(bench.endpoints["caldb.store"])
    table = table.model_copy(update={"inject_darks": True})
    campaign = Campaign(seed=1, error=0.0, table=table, begin_unix_s=int(BEGIN.timestamp()))
    model = make_module(table, 1, 0)
    inject_campaign(bench.endpoints["caldb.rest"], store, campaign, [model])
    recipe = recipe_of(CorrectionTable(), conditions)
    found = catalogue_of(bench, rest, table.detector).fetch(
        conditions, (*recipe.needed, *recipe.welcome), [0], BEGIN
    )
    offset = found.get(0, "Offset")
    assert offset is not None
    np.testing.assert_array_equal(offset, model.dark_constants()["Offset"])
    recipe.prepare(0, found.module(0))
