"""Raw files: the public client and its validator open them, a killed recording too; our inspection finds each wound."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.constants import AgipdConditions
from pipeline.daq.conditions import recorded_conditions
from pipeline.daq.inspection import inspect_run
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS, MAGIC_BEGIN, MAGIC_END
from pipeline.errors import RunUnreadable
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / ".venvs" / "euxfel" / "bin"
FIRST = 1_500_000_000
EPOCH_NS = 1_768_464_000 * 10**9
FRAMES = 2
CONDITIONS = AgipdConditions(FRAMES, 1.1)
foreign = pytest.mark.skipif(
    not (FOREIGN / "python").exists(), reason="no environment .venvs/euxfel with the public clients"
)


def module_train(module: int, train_id: int, frames: int = FRAMES) -> ModuleTrain:
    data = np.full((frames, 2, 512, 128), 10 * module + train_id - FIRST, np.uint16)
    head = MAGIC_BEGIN + np.array([1, 0], "<u4").tobytes()
    head += (
        np.array([train_id, 0, module, frames], "<u8").tobytes()
        + np.array([5408, 0], "<u4").tobytes()
        + bytes(8)
    )
    return ModuleTrain(
        module,
        train_id,
        data,
        np.arange(frames, dtype=np.uint16),
        np.arange(0, 4 * frames, 4, dtype=np.uint64),
        np.zeros(frames, np.uint16),
        np.full(frames, 262144, np.uint32),
        head,
        np.zeros(5408, np.uint8),
        bytes(24) + MAGIC_END,
    )


def record(folder: Path, *, close: bool = True) -> RunWriter:
    """Two modules, five trains in sequences of three; module 1 misses the second train."""
    plan = RecordingPlan(
        "SPB_DET_AGIPD1M-1",
        FORMATS["AGIPD"],
        (0, 1),
        "SPB_IRU_AGIPD1M1",
        900001,
        3,
        TrainClock(FIRST, EPOCH_NS),
    )
    writer = RunWriter(folder, plan, 7, "test", CONDITIONS)
    for train_id in range(FIRST, FIRST + 5):
        modules = (0,) if train_id == FIRST + 1 else (0, 1)
        writer.write(Gathered(train_id, 0.0, {m: module_train(m, train_id) for m in modules}))
    if close:
        writer.close()
    return writer


def foreign_sees(folder: Path) -> dict[str, Any]:
    script = ROOT / "tests" / "foreign" / "open_raw_run.py"
    seen = subprocess.run(
        [FOREIGN / "python", script, folder], capture_output=True, text=True, timeout=90, check=False
    )
    assert seen.returncode == 0, seen.stderr
    return json.loads(seen.stdout)


@pytest.mark.foreign
@foreign
def test_the_public_client_reads_what_was_recorded(tmp_path: Path) -> None:
    record(tmp_path / "r0007")
    seen = foreign_sees(tmp_path / "r0007")
    assert seen["trains"] == list(range(FIRST, FIRST + 5))
    assert seen["timestamps"] == [EPOCH_NS + k * 100_000_000 for k in range(5)]
    assert (seen["shape"], seen["dtype"]) == ([2, 10, 2, 512, 128], "uint16")
    assert seen["corner"] == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [10, 10, 0, 0, 12, 12, 13, 13, 14, 14]]
    assert seen["repetition_rate"] == 1.1
    assert seen["cells_control"] == FRAMES
    assert seen["voltage"] == 300.0
    assert seen["metadata"] == {"dataFormatVersion": "1.2", "runNumber": "7"}


@pytest.mark.foreign
@foreign
def test_the_public_validator_finds_no_problem(tmp_path: Path) -> None:
    record(tmp_path / "r0007")
    result = subprocess.run(
        [FOREIGN / "extra-data-validate", tmp_path / "r0007"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert "No problems found" in result.stdout


@pytest.mark.foreign
@foreign
def test_a_recording_that_was_killed_can_be_read(tmp_path: Path) -> None:
    writer = record(tmp_path / "r0007", close=False)
    killed = tmp_path / "killed" / "r0007"
    shutil.copytree(writer.folder, killed)  # what the disk holds while nothing has been closed
    writer.close()
    assert foreign_sees(killed)["trains"] == list(range(FIRST, FIRST + 5))


def test_the_conditions_come_back(tmp_path: Path) -> None:
    record(tmp_path / "r0007")
    assert recorded_conditions(tmp_path / "r0007") == CONDITIONS


def test_conditions_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunUnreadable, match="no control file"):
        recorded_conditions(tmp_path)


def test_update_date_is_that_of_the_end(tmp_path: Path) -> None:
    record(tmp_path / "r0007")
    with h5py.File(tmp_path / "r0007" / "RAW-R0007-AGIPD00-S00000.h5") as file:
        assert file["METADATA/updateDate"][0] >= file["METADATA/creationDate"][0]
        assert file["METADATA/dataSources/deviceId"][0] == b"SPB_DET_AGIPD1M-1/DET/0CH0:xtdf/detector"


def test_a_good_run_has_no_findings(tmp_path: Path) -> None:
    record(tmp_path / "r0007")
    result = inspect_run(tmp_path / "r0007", expected_modules=2)
    assert result.findings == []
    assert (result.modules, result.trains, result.frames, result.files) == ((0, 1), 5, 18, 6)


SOURCE = "INSTRUMENT/SPB_DET_AGIPD1M-1/DET/1CH0:xtdf"
INDEX = "INDEX/SPB_DET_AGIPD1M-1/DET/1CH0:xtdf/image"


def _set(path: str, at: Any, value: Any) -> Callable[[h5py.File], None]:
    def wound(file: h5py.File) -> None:
        file[path][at] = value

    return wound


@pytest.mark.parametrize(
    ("rule", "wound"),
    [
        ("train_ids", _set("INDEX/trainId", 1, 0)),
        ("train_ids", _set("INDEX/trainId", 2, FIRST)),
        ("trains", _set("INDEX/trainId", 2, FIRST + 100)),
        ("index", _set(f"{INDEX}/first", 2, 3)),
        ("index", _set(f"{INDEX}/count", 2, 200)),
        ("image_train_id", _set(f"{SOURCE}/image/trainId", 0, FIRST + 1)),
        ("length", _set(f"{SOURCE}/image/length", 1, 5)),
        ("magic", _set(f"{SOURCE}/header/magicNumberBegin", 0, 0)),
        ("magic", _set(f"{SOURCE}/trailer/magicNumberEnd", 1, 0)),
        ("pulse_count", _set(f"{SOURCE}/header/pulseCount", 0, 9)),
        ("pulse_id", _set(f"{SOURCE}/image/pulseId", 1, 5)),
        ("cell_id", _set(f"{SOURCE}/image/cellId", 1, 5)),
        ("frame_count", _set(f"{INDEX}/count", 2, 1)),
    ],
)
def test_the_inspection_finds_each_wound(
    tmp_path: Path, rule: str, wound: Callable[[h5py.File], None]
) -> None:
    record(tmp_path / "r0007")
    with h5py.File(tmp_path / "r0007" / "RAW-R0007-AGIPD01-S00000.h5", "r+") as file:
        wound(file)
    assert rule in {finding.rule for finding in inspect_run(tmp_path / "r0007", 2).findings}


def test_missing_and_damaged_files_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "r0007"
    record(folder)
    (folder / "RAW-R0007-AGIPD01-S00001.h5").unlink()
    (folder / "RAW-R0007-AGIPD00-S00001.h5").write_bytes(b"not HDF5 at all")
    found = inspect_run(folder, 3).findings
    assert {(f.rule, f.where) for f in found} == {
        ("readable", "RAW-R0007-AGIPD00-S00001.h5"),
        ("missing_modules", "SPB_DET_AGIPD1M-1"),
    }


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunUnreadable, match="holds no file like"):
        inspect_run(tmp_path)
