"""Every detector through the real processes: darks, constants, and runs that public software reads."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fat.bench.owned import OwnedBench
from fat.instruments.detector import DetectorControl
from fat.instruments.online_pipeline import OnlinePipeline
from pipeline.constants import (
    Catalogue,
    CatalogueRest,
    DarkRuns,
    DarkSettings,
    Origin,
    conditions_of,
    derive,
    inject,
    run_start,
)
from pipeline.daq.conditions import recorded_conditions
from pipeline.daq.inspection import inspect_run

FOREIGN = Path(__file__).parents[2] / ".venvs/euxfel/bin"
SCRIPTS = Path(__file__).parents[1] / "foreign"
DARKS, LIGHTS = 8, 5
XGM, CAMERA = "SA1_XTD2_XGM/XGM/DOOCS", "SPB_EXP_CAM/CAM/1"
pytestmark = pytest.mark.skipif(
    not (FOREIGN / "python").exists(), reason="no environment with the public clients: run make test"
)


@dataclass(frozen=True)
class Case:
    kind: str
    detector: str
    component: str
    image: tuple[int, int]
    options: str = ""
    conditions: str = ""
    modes: tuple[str, ...] = ("fixed_high", "fixed_medium", "fixed_low")
    cells: int = 2

    @property
    def type(self) -> str:
        return self.kind.upper()

    @property
    def parallel(self) -> bool:
        return "parallel_gain" in self.options


CASES = {
    "agipd": Case("agipd", "SPB_DET_AGIPD1M-1", "AGIPD1M", (512, 128)),
    "agipd 500k": Case("agipd", "HED_DET_AGIPD500K2G", "AGIPD500K", (512, 128)),
    "lpd": Case("lpd", "FXE_DET_LPD1M-1", "LPD1M", (256, 256)),
    "lpd parallel": Case(
        "lpd", "FXE_DET_LPD1M-1", "LPD1M", (256, 256), "parallel_gain = true", "parallel_gain = true", ("adaptive",)
    ),
    "dssc": Case("dssc", "SCS_DET_DSSC1M-1", "DSSC1M", (128, 512), modes=("adaptive",)),
}  # fmt: skip

BENCH = """
[bench]
name = "{kind}"
seed = 7
data_dir = "{folder}"

[sim.clock]
mode = "wall"

[sim.devices.caldb]
kind = "caldb"
detectors = [{{ identifier = "{detector}", type = "{type}-Type", modules = 2 }}]

[sim.devices.sources]
kind = "control_sources"
xgm = "{xgm}"
camera = "{camera}"

[sim.devices.det]
kind = "{kind}"
detector = "{detector}"
modules = 2
memory_cells = {cells}
flat_photons = 30.0
{options}

[pipeline]
detector = "{detector}"
type = "{type}"
modules = 2
memory_cells = {frames}
control_prefix = "DET_CTRL_1"

[pipeline.conditions]
{conditions}

[pipeline.matcher]
min_modules = 2

[pipeline.preview]
every_nth_train = 1
"""


@dataclass(frozen=True)
class Recorded:
    """What a case left behind."""

    case: Case
    raw: Path
    corrected: Path
    shown: dict[str, Any]
    sources: dict[str, Any]
    preview: bytes


def record(
    detector: DetectorControl, pipeline: OnlinePipeline, run: int, mode: str, light: str, trains: int
) -> Path:
    detector.configure(gain_mode=mode, illumination=light)
    folder = Path(pipeline.call("daq", "record", run=run, run_type=light)["folder"])
    span = detector.start(trains)
    wait_for(lambda: pipeline.call("daq", "idle")["last_train_id"] >= span.last - 1)
    wait_for(lambda: detector.state()["state"] == "PASSIVE")
    pipeline.wait_idle()
    assert pipeline.call("daq", "stop")["trains"] == trains
    return folder


def wait_for(condition: Any) -> None:
    import threading

    pause = threading.Event()
    for _ in range(600):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come about within 30 s")


VARIANTS = ("agipd 500k", "lpd parallel")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.thorough) if name in VARIANTS else name for name in CASES],
)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(case.kind)
    frames = 3 * case.cells if case.parallel else case.cells
    file = folder / "bench.toml"
    values = {
        name: getattr(case, name) for name in ("kind", "detector", "type", "cells", "options", "conditions")
    }
    file.write_text(BENCH.format(folder=folder / "data", frames=frames, xgm=XGM, camera=CAMERA, **values))
    with OwnedBench(file, log=folder / "bench.log") as bench:
        detector = DetectorControl(bench.endpoints["det.control"])
        pipeline = OnlinePipeline(bench.endpoints["pipeline"], bench.token)
        runs = [
            record(detector, pipeline, number, mode, "dark", DARKS)
            for number, mode in enumerate(case.modes, start=1)
        ]
        conditions = recorded_conditions(runs[0])
        calibrate(case, runs, bench)
        loaded = pipeline.call(
            "correction",
            "load_constants",
            event_at=run_start(runs[-1]).isoformat(),
            conditions=given(case, frames),
        )
        assert "Offset" in loaded["constants"]
        pipeline.call("appender", "start_file", run=9)
        raw = record(detector, pipeline, 9, "adaptive", "flat", LIGHTS)
        corrected = Path(pipeline.call("appender", "stop_file")["folder"])
        shown = see(case, raw, corrected)
        import httpx

        preview = httpx.get(f"{bench.endpoints['pipeline']}/preview.png", trust_env=False)
        sources = pipeline.device("daq")["properties"]["control_sources"]
        detector.close()
        pipeline.close()
    assert conditions == conditions_of(case.type, given(case, frames))
    return Recorded(case, raw, corrected, shown, sources, preview.content)


def given(case: Case, frames: int) -> dict[str, Any]:
    rate = {} if case.kind == "lpd" else {"acquisition_rate_mhz": 1.1}
    return {"memory_cells": frames, **rate, **({"parallel_gain": True} if case.parallel else {})}


def calibrate(case: Case, runs: list[Path], bench: OwnedBench) -> None:
    """Derive dark constants and put them into the bench's catalogue."""
    conditions = recorded_conditions(runs[0])
    dark_runs = DarkRuns(*(runs * 3 if case.parallel else runs))
    derived = derive(
        dark_runs, case.detector, [0, 1], conditions.memory_cells, DarkSettings.of(case.type), kind=case.type
    )
    rest = CatalogueRest(bench.endpoints["caldb.rest"])
    catalogue = Catalogue(rest, Path(bench.endpoints["caldb.store"]), case.detector)
    for module, dark in derived.items():
        inject(catalogue, module, dark.constants, conditions, Origin(run_start(runs[0]), "proposal:1 runs:1"))
    rest.close()


def see(case: Case, raw: Path, corrected: Path) -> dict[str, Any]:
    mode = "parallel" if case.parallel else "plain"
    command = [
        FOREIGN / "python",
        SCRIPTS / "open_detector_run.py",
        raw,
        corrected,
        case.component,
        mode,
        XGM,
        CAMERA,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def tool(name: str, *arguments: object) -> str:
    done = subprocess.run([FOREIGN / name, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_public_component_reads_raw_and_corrected(recorded: Recorded) -> None:
    case, shown = recorded.case, recorded.shown
    pulses = LIGHTS * case.cells
    planes = (2, *case.image) if case.kind == "agipd" else case.image
    stages = (3,) if case.parallel else ()
    dims, shape, dtype = shown["raw"]
    assert (shape, dtype) == ([2, LIGHTS, *stages, case.cells, *planes], "uint16")
    assert ("gain" in dims) == case.parallel, dims
    assert shown["corrected"] == [[2, pulses, *case.image], "float32"]
    assert len(shown["trains"]) == LIGHTS
    assert shown["legacy"] == [f"{case.detector}/DET/{m}CH0:xtdf" for m in (0, 1)]
    assert shown["picture"][1] > 10
    expected = 60 if case.kind == "dssc" else 30  # DSSC: 2 ADU for each of 30 photons
    assert abs(shown["mean"] / expected - 1) < 0.03


def test_control_data_stand_beside_the_detectors(recorded: Recorded) -> None:
    shown = recorded.shown
    assert len(shown["xgm"]) == LIGHTS
    assert all(1000 < energy < 2000 for energy in shown["xgm"])
    assert len(set(shown["xgm"])) == LIGHTS
    assert shown["intensity"] == [LIGHTS, 1000]
    assert shown["camera"] == [LIGHTS, 96, 128]
    stamps = np.array(shown["timestamps"], "M8[ns]").astype(np.int64)
    assert np.allclose(np.diff(stamps), 100e6, atol=1e3)
    assert recorded.sources["sources"] == [XGM, f"{XGM}:output", f"{CAMERA}:daqOutput"]


def test_the_public_tools_find_nothing_wrong(recorded: Recorded, tmp_path: Path) -> None:
    for run in (recorded.raw, recorded.corrected):
        assert "No problems found" in tool("extra-data-validate", run)
        assert f"{recorded.case.detector}/DET/*" in tool("lsxfel", run).replace("CORR", "DET")
    assert inspect_run(recorded.raw, 2).findings == []
    if not recorded.case.parallel:
        for run, name in ((recorded.raw, "raw"), (recorded.corrected, "corrected")):
            tool("extra-data-make-virtual-cxi", run, "-o", tmp_path / f"{name}.cxi", "--min-modules", "1")
            assert (tmp_path / f"{name}.cxi").stat().st_size > 1000


def test_a_preview_was_made(recorded: Recorded) -> None:
    assert recorded.preview.startswith(b"\x89PNG")
