"""The acceptance plan with an LPD, in adaptive and in parallel gain, and with a DSSC: it passes, and what it injects is
what the dark runs hold."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from fat.acceptance.launch import planned
from fat.configs import shipped_bench
from fat.report import data

DARKS = 24


@dataclass(frozen=True)
class Case:
    kind: str
    detector: str
    instrument: str
    cells: int
    """Memory cells of the constants."""
    darks: tuple[str, ...]
    """Tasks that record darks."""
    noise: dict[str, float]
    """Measurement and what the simulated detector has, ADU with rounding."""
    device: str = ""
    conditions: str = ""
    correction: str = ""


LPD_NOISE = {"high_gain_noise": 4.0, "medium_gain_noise": 3.2, "low_gain_noise": 2.8}
THREE = ("dark_high", "dark_medium", "dark_low")
CASES = {
    "lpd": Case("lpd", "FXE_DET_LPD1M-1", "FXE", 2, THREE, LPD_NOISE),
    "lpd parallel": Case(
        "lpd", "FXE_DET_LPD1M-1", "FXE", 6, ("dark",), LPD_NOISE,
        "parallel_gain = true", "parallel_gain = true",
    ),
    "dssc": Case("dssc", "SCS_DET_DSSC1M-1", "SCS", 2, ("dark",), {"noise": 0.85}),
    "dssc 8 bits": Case(
        "dssc", "SCS_DET_DSSC1M-1", "SCS", 2, ("dark",), {"noise": 0.85},
        "eight_bit = true", "acquisition_rate_mhz = 0.5", "eight_bit = true",
    ),
}  # fmt: skip


def bench_file(folder: Path, case: Case) -> Path:
    """The miniature with another detector."""
    text = Path(shipped_bench("mini")).read_text(encoding="utf-8")
    pulses = "pulse_step = 8\n" if "0.5" in case.conditions else ""
    for old, new in (
        (
            'identifier = "SPB_DET_AGIPD1M-1", type = "AGIPD-Type"',
            f'identifier = "{case.detector}", type = "{case.kind.upper()}-Type"',
        ),
        ("[sim.devices.agipd]\n", f"[sim.devices.{case.kind}]\n"),
        (
            'kind = "agipd"\nmodules = 1\nmemory_cells = 4\n',
            f'kind = "{case.kind}"\nmodules = 1\nmemory_cells = 2\n{case.device}\n{pulses}',
        ),
        (
            "[pipeline]\nmodules = 1\nmemory_cells = 4\n",
            f'[pipeline]\ndetector = "{case.detector}"\ntype = "{case.kind.upper()}"\n'
            f'instrument = "{case.instrument}"\n'
            f"modules = 1\nmemory_cells = {case.cells}\n\n[pipeline.conditions]\n{case.conditions}\n\n"
            f"[pipeline.correction]\n{case.correction}\n",
        ),
        ('limits = "agipd-demo"', f'limits = "{case.kind}-demo"\ndetector = "{case.kind}"'),
        ("[fat.dark]\ntrains = 8", f"[fat.dark]\ntrains = {DARKS}"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Accepted:
    case: Case
    run: Path
    record: dict[str, Any]
    constants: dict[str, NDArray[Any]]
    truth: dict[str, NDArray[Any]]

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(cells, stages) Which stage a memory cell's frames are in."""
        cells = np.arange(self.case.cells)
        if "parallel" in self.case.conditions:
            return (cells // 2)[:, None] == np.arange(3)
        return np.ones((self.case.cells, 3 if self.case.kind == "lpd" else 1), np.bool_)


VARIANTS = ("lpd parallel", "dssc 8 bits")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.thorough) if name in VARIANTS else name for name in CASES],
)
def accepted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(case.kind)
    path = bench_file(folder, case)
    command = [sys.executable, "-m", "fat", "fat", "run", str(path)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    run = (folder / "runs/latest").resolve()
    constants = {}
    for stored in (folder / "runs/mini/caldb").rglob("cal.*.h5"):
        with h5py.File(stored, "r") as file:
            for calibrations in file.values():
                for name, versions in calibrations.items():
                    array = versions["0/data"][:]
                    constants[name] = (array if array.ndim == 4 else array[..., None]).transpose(2, 3, 1, 0)
    with h5py.File(folder / f"runs/mini/truth/{case.kind}.h5", "r") as file:
        truth = {name: item[()] for name, item in file["00"].items() if isinstance(item, h5py.Dataset)}
    return Accepted(case, run, json.loads((run / "record.json").read_text()), constants, truth)


def measured(accepted: Accepted) -> dict[str, dict[str, Any]]:
    return {taken["name"]: taken for _, taken in accepted.record["measurements"]}


def test_the_plan_records_the_darks_that_the_detector_needs(tmp_path: Path) -> None:
    for case in CASES.values():
        tasks = [task.id for task in planned(bench_file(tmp_path, case))[0].plan.tasks]
        assert [task for task in tasks if task.startswith("dark")] == list(case.darks)


def test_it_passes_with_measurements_of_its_own(accepted: Accepted) -> None:
    assert accepted.record["verdict"] == "PASS"
    taken = measured(accepted)
    assert all(value["verdict"] == "PASS" for value in taken.values()), "each has a limit"
    for name, noise in accepted.case.noise.items():
        assert taken[name]["value"] == pytest.approx(noise, rel=0.05)
    assert "gain_level_separation" not in taken
    assert taken["trains_recorded"]["value"] == 1
    unit = "ADU" if accepted.case.kind == "dssc" else "photon"
    assert taken["zero_photon_peak"]["unit"] == unit
    assert 0.3 < taken["bad_pixels"]["value"] < 0.8, "0.6 % are bad, without those that nobody measured"


def test_the_injected_constants_are_true(accepted: Accepted) -> None:
    pedestal = accepted.truth["offset"]
    if accepted.case.kind == "dssc":
        pedestal = pedestal[:, None]
    good = accepted.truth["bad_pixels"] == 0
    shown = accepted.shown
    offset = accepted.constants["Offset"]
    assert {"Offset", "Noise", "BadPixelsDark"} <= set(accepted.constants)
    assert "ThresholdsDark" not in accepted.constants
    assert offset.shape == pedestal.shape
    noise = max(accepted.case.noise.values())
    assert np.abs(offset - pedestal)[shown][:, good].mean() < noise / np.sqrt(DARKS)
    assert np.isnan(offset[~shown]).all(), "what a cell of parallel gain does not show is no number"
    assert (accepted.constants["BadPixelsDark"][~shown] != 0).all()


def test_the_injection_names_each_run_once(accepted: Accepted) -> None:
    runs = accepted.record["provenance"]["runs"]
    darks = [runs[gain] for gain in ("high", "medium", "low") if gain in runs]
    assert sorted(set(darks)) == list(range(1, len(accepted.case.darks) + 1))
    assert runs["light"] == len(accepted.case.darks) + 1
    loaded = accepted.record["provenance"]["constants"]["constants"]
    assert {"Offset", "BadPixelsDark"} <= set(loaded)


def test_the_report_has_its_figures(accepted: Accepted) -> None:
    text = (accepted.run / "report.html").read_text(encoding="utf-8")
    assert "has not run" not in text
    assert text.count("data:image/png") == 8
    assert ("in ADU" in text) == (accepted.case.kind == "dssc")
    darks = data.load(accepted.run, "darks")
    assert darks is not None
    image = (128, 512) if accepted.case.kind == "dssc" else (256, 256)
    assert darks["offset"].shape == (1, accepted.shown.shape[1], *image)
    assert np.isfinite(darks["offset"]).mean() > 0.99
