"""From the simulator through the raw bridge to the public client: every pixel as it stands in the raw files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from fat.bench.owned import OwnedBench
from fat.instruments.detector import DetectorControl
from fat.instruments.online_pipeline import OnlinePipeline

FOREIGN = Path(__file__).parents[2] / ".venvs/euxfel/bin"
READER = Path(__file__).parents[1] / "foreign" / "read_bridge_arrays.py"
CELLS, TRAINS, SEEN = 2, 8, 3
pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(
        not (FOREIGN / "python").exists(), reason="no environment with the public clients: run make test"
    ),
]


@dataclass(frozen=True)
class Case:
    kind: str
    detector: str
    combined: bool
    layout: str
    axes: str
    protocol: str
    mode: str = "PUB"
    keys: tuple[str, ...] = ()

    @property
    def split(self) -> bool:
        return self.kind == "agipd" and self.layout == "live"

    @property
    def source(self) -> str:
        return f"{self.detector}/CAL/APPEND_RAW" if self.combined else f"{self.detector}/DET/1CH0:xtdf"


AGIPD, LPD = ("agipd", "SPB_DET_AGIPD1M-1"), ("lpd", "FXE_DET_LPD1M-1")
IMAGES = ("image.data", "image.gain")
CASES = {
    "one module": Case(*AGIPD, False, "file", "file", "2.2", "REP"),
    "one module live, 1.0": Case(*AGIPD, False, "live", "file", "1.0", keys=(*IMAGES, "image.pulseId")),
    "combined": Case(*AGIPD, True, "file", "file", "2.2", "REP"),
    "combined, 1.0": Case(*AGIPD, True, "live", "online", "1.0", "PUSH", keys=(*IMAGES, "image.cellId")),
    "combined live online": Case(*AGIPD, True, "live", "online", "2.2", keys=IMAGES),
    "combined lpd": Case(*LPD, True, "live", "online", "2.2"),
}

BENCH = """
[bench]
name = "raw"
seed = 7
data_dir = "{folder}"

[sim.clock]
mode = "wall"

[sim.devices.det]
kind = "{case.kind}"
detector = "{case.detector}"
modules = 2
memory_cells = {cells}
inject_constants = false

[pipeline]
detector = "{case.detector}"
type = "{type}"
modules = 2
memory_cells = {cells}
control_prefix = "DET_CTRL_1"

[pipeline.splitter]
raw_every_nth_train = 1

[pipeline.matcher]
min_modules = 2

[pipeline.preview]
enabled = false

[pipeline.bridge]
mode = "{case.mode}"
protocol = "{case.protocol}"
raw_combined = {combined}
raw_module = 1
raw_layout = "{case.layout}"
axes = "{case.axes}"
keys = {keys}
"""


@contextlib.contextmanager
def reading(address: str, mode: str) -> Iterator[subprocess.Popen[str]]:
    sock = {"REP": "REQ", "PUB": "SUB", "PUSH": "PULL"}[mode]
    command = [FOREIGN / "python", READER, address, sock, str(SEEN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield client
        finally:
            client.kill()


# What these two set is set by the others as well, in other company.
VARIANTS = ("one module", "combined live online")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.thorough) if name in VARIANTS else name for name in CASES],
)
def read(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Case, Path, list[dict[str, Any]]]:
    """The case, the raw run, and what the client saw of it."""
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp("raw")
    file = folder / "bench.toml"
    file.write_text(
        BENCH.format(
            folder=folder / "data",
            case=case,
            type=case.kind.upper(),
            cells=CELLS,
            combined=str(case.combined).lower(),
            keys=list(case.keys),
        )
    )
    with OwnedBench(file, log=folder / "bench.log") as bench:
        detector = DetectorControl(bench.endpoints["det.control"])
        pipeline = OnlinePipeline(bench.endpoints["pipeline"], bench.token)
        with reading(bench.endpoints["bridge.raw"], case.mode) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "ready\n"
            run = Path(pipeline.call("daq", "record", run=1)["folder"])
            detector.start(TRAINS)
            seen = [json.loads(client.stdout.readline()) for _ in range(SEEN)]
            assert client.wait(30) == 0
        pipeline.wait_idle()
        pipeline.call("daq", "stop")
        detector.close()
        pipeline.close()
    return case, run, seen


def recorded(run: Path, case: Case, module: int, train_id: int) -> dict[str, NDArray[Any]]:
    """One module's train as the raw file has it."""
    file_name = run / f"RAW-R0001-{case.kind.upper()}{module:02d}-S00000.h5"
    with h5py.File(file_name) as file:
        name = f"{case.detector}/DET/{module}CH0:xtdf/image"
        (at,) = np.flatnonzero(file["INDEX/trainId"][:] == train_id)
        first, count = (int(file[f"INDEX/{name}/{what}"][at]) for what in ("first", "count"))
        group = file[f"INSTRUMENT/{name}"]
        found = {key: group[key][first : first + count] for key in ("data", "cellId", "pulseId")}
    return {key: value if key == "data" else value.reshape(-1) for key, value in found.items()}


def expected(run: Path, case: Case, train_id: int) -> dict[str, NDArray[Any]]:
    """The arrays that the bridge promises, put together from the files the plain way."""
    modules = [recorded(run, case, module, train_id) for module in (0, 1)]
    if not case.combined:
        data = modules[1]["data"]
        return {"image.data": data[:, 0], "image.gain": data[:, 1]} if case.split else {"image.data": data}
    nothing = np.zeros_like(modules[0]["data"])
    stacked = np.stack([module["data"] for module in modules] + [nothing] * 14, axis=1)
    images = {"image.data": stacked}
    if case.kind == "lpd":
        images = {"image.data": stacked[:, :, 0]}
    elif case.split:
        images = {"image.data": stacked[:, :, 0], "image.gain": stacked[:, :, 1]}
    if case.axes == "online":
        images = {key: a.transpose(1, *range(a.ndim - 1, 1, -1), 0) for key, a in images.items()}
    return images


def digest(array: NDArray[Any]) -> list[Any]:
    return [list(array.shape), str(array.dtype), hashlib.sha256(array.tobytes()).hexdigest()]


def test_the_client_sees_what_the_files_hold(read: tuple[Case, Path, list[dict[str, Any]]]) -> None:
    case, run, seen = read
    train_ids = []
    for train in seen:
        assert list(train) == [case.source]
        train_ids.append(train[case.source]["train_id"])
        content = train[case.source]["content"]
        if case.keys:
            assert sorted(content) == sorted(case.keys)
        images = expected(run, case, train_ids[-1])
        assert np.any(next(iter(images.values())))
        for key, array in images.items():
            assert content[key] == digest(array), key
        assert set(content) & set(IMAGES) == set(images)
        pulses = recorded(run, case, 0, train_ids[-1])
        for key, name in (("image.pulseId", "pulseId"), ("image.cellId", "cellId")):
            if not case.keys or key in case.keys:
                assert content[key] == digest(pulses[name])
    assert train_ids == sorted(set(train_ids))


def test_the_source_says_where_it_comes_from(read: tuple[Case, Path, list[dict[str, Any]]]) -> None:
    case, _, seen = read
    if case.keys:
        pytest.skip("only some keys are sent")
    content = seen[0][case.source]["content"]
    if case.combined:
        assert content["modulesPresent"] == [True, True] + [False] * 14
        assert content["sources"] == [f"{case.detector}/DET/{module}CH0:xtdf" for module in (0, 1)]
    else:
        assert content["header.pulseCount"] == CELLS
        assert content["header.trainId"] == content["trailer.trainId"] == seen[0][case.source]["train_id"]
