"""The chain on one module, from detector to corrected files: online against offline, and as public clients see it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fat.configs import shipped_bench
from pipeline.config import CorrectionTable
from pipeline.correct.agipd import AgipdRecipe, AgipdSettings
from pipeline.offline.correct import correct_run

DETECTOR = "SPB_DET_AGIPD1M-1"
SOURCE = f"INSTRUMENT/{DETECTOR}/CORR/0CH0:output"
PDU = "AGIPD_SIM_M100"
FOREIGN = Path(__file__).parents[2] / ".venvs" / "euxfel" / "bin"
SCRIPTS = Path(__file__).parents[1] / "foreign"

pytestmark = pytest.mark.timeout(300)
foreign = pytest.mark.skipif(
    not (FOREIGN / "python").exists(),
    reason="no environment .venvs/euxfel with the public clients: run make test",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of an acceptance run."""
    folder = tmp_path_factory.mktemp("chain")
    command = [sys.executable, "-m", "fat", "fat", "run", shipped_bench("mini")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs/mini"


def stored(run: Path) -> dict[str, Any]:
    """Every constant in the store, by calibration."""
    found = {}
    for path in (run / "caldb/xfel").rglob("cal.*.h5"):
        with h5py.File(path, "r") as file:
            for calibration, group in file[PDU].items():
                found[calibration] = group["0/data"][:]
    return found


def test_online_and_offline_are_equal_to_the_bit(run: Path, tmp_path: Path) -> None:
    recipe = AgipdRecipe(AgipdSettings.of(CorrectionTable()))
    corrections = {0: recipe.prepare(0, stored(run))}
    raw, online = run / "SPB/202601/p900001/raw/r0004", run / "SPB/202601/p900001/proc/r0004"
    with ThreadPoolExecutor(1) as executor:
        summary = correct_run(raw, tmp_path, DETECTOR, corrections, executor)
        again = correct_run(raw, tmp_path, DETECTOR, corrections, executor)
    assert (summary.files, summary.trains) == (1, 4)
    assert (again.files, again.skipped) == (0, 1)
    (name,) = (path.name for path in online.glob("CORR-*.h5"))
    with h5py.File(online / name, "r") as one, h5py.File(tmp_path / name, "r") as other:
        keys: list[str] = []
        one.visititems(lambda key, item: keys.append(key) if isinstance(item, h5py.Dataset) else None)
        compared = [key for key in keys if "Date" not in key]
        assert len(compared) > 30
        for key in compared:
            ours, theirs = one[key][()], other[key][()]
            if ours.dtype == object:  # texts: the bytes of such an array are addresses
                assert ours.tolist() == theirs.tolist(), key
            else:
                assert ours.tobytes() == theirs.tobytes(), key


@contextmanager
def catalogue(store: Path) -> Iterator[str]:
    """Address of a catalogue that serves a store."""
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        yield json.loads(serving.stdout.readline())["rest"]
        serving.terminate()


def test_an_unreadable_constants_file_is_one_sentence_and_exit_2(run: Path, tmp_path: Path) -> None:
    store = tmp_path / "caldb"
    shutil.copytree(run / "caldb", store)
    with catalogue(store) as address:
        command = [sys.executable, "-m", "fat", "pipe", "offline", run / "SPB/202601/p900001/raw/r0004"]
        command += ["--catalogue", address, "--store", store, "--out", tmp_path / "out"]
        good = subprocess.run(command, capture_output=True, text=True)
        assert good.returncode == 0, good.stderr
        shutil.rmtree(tmp_path / "out")
        for path in (store / "xfel").rglob("cal.*.h5"):
            path.write_bytes(path.read_bytes()[:2000])
        answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "cannot be read as HDF5" in answer.stderr
    assert "inject the constant again" in answer.stderr


@foreign
@pytest.mark.foreign
def test_the_public_client_opens_the_corrected_run(run: Path) -> None:
    folder = run / "SPB/202601/p900001/proc/r0004"
    seen = subprocess.run(
        [FOREIGN / "python", SCRIPTS / "open_corrected_run.py", folder], capture_output=True, text=True
    )
    assert seen.returncode == 0, seen.stderr
    found = json.loads(seen.stdout)
    assert found["shape"] == [1, 16, 512, 128]
    assert found["dtypes"] == ["float32", "uint32", "uint8"]
    assert f"{DETECTOR}/CORR/0CH0:output" in found["sources"]
    assert found["legacy"] == [f"{DETECTOR}/DET/0CH0:xtdf"]
    with h5py.File(next(folder.glob("CORR-*.h5")), "r") as file:
        image = file[f"{SOURCE}/image"]
        ours = np.nansum(np.where(image["mask"][:] == 0, image["data"][:], 0), dtype=np.float64)
    assert found["sum_of_good"] == pytest.approx(float(ours))


@foreign
@pytest.mark.foreign
@pytest.mark.parametrize("folder", ["raw/r0001", "raw/r0004", "proc/r0004"])
def test_the_public_validator_accepts(run: Path, folder: str) -> None:
    path = run / "SPB/202601/p900001" / folder
    found = subprocess.run([FOREIGN / "extra-data-validate", path], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    assert "No problems found" in found.stdout
