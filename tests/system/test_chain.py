"""The chain on one module, from detector to corrected files: online against offline, and as public clients see it."""

from __future__ import annotations

import json
import os
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
def run(accepted_mini: Path) -> Path:
    """Data folder of an acceptance run."""
    return accepted_mini / "runs/mini"


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
def catalogue(store: Path, *options: str) -> Iterator[str]:
    """Address of a catalogue that serves a store."""
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            yield json.loads(serving.stdout.readline())["rest"]
        finally:
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


ANALYSIS = next((FOREIGN.parent / "lib").glob("python*/site-packages/extra"), None)


@foreign
@pytest.mark.foreign
@pytest.mark.skipif(
    ANALYSIS is None, reason="the environment .venvs/euxfel lacks EXtra: compile its lock anew"
)
@pytest.mark.parametrize(
    "oauth",
    [
        pytest.param(False, marks=pytest.mark.thorough, id="without OAuth"),
        pytest.param(True, id="with OAuth"),
    ],
)
def test_the_public_analysis_library_finds_and_loads_the_constants(
    run: Path, tmp_path: Path, oauth: bool
) -> None:
    store, raw = tmp_path / "caldb", run / "SPB/202601/p900001/raw/r0004"
    shutil.copytree(run / "caldb", store)
    who, options = ["", ""], []
    if oauth:
        command = [sys.executable, "-m", "fat", "caldb", "client", "add", "me", "--store", store, "--json"]
        added = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        who, options = [added["id"], added["secret"]], ["--require-token"]
    # Plain HTTP is allowed; the unit registry's cache is not shared with other environments of this user.
    environment = {**os.environ, "OAUTHLIB_INSECURE_TRANSPORT": "1", "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("PYTHONPATH", None)
    metadata = offline_metadata(raw, store, tmp_path / "out")
    with catalogue(store, *options) as address:
        command = [FOREIGN / "python", SCRIPTS / "look_up_constants.py", address, *who, store, raw, metadata]
        done = subprocess.run(
            [*command, "2026-01-10T00:00:00Z"], env=environment, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["me"]["email"] == "anna.berg@example.org"
    assert seen["conditions"] == {"memory_cells": 4, "gain_mode": 0, "acquisition_rate": 1.1}
    found = seen["from_data"]
    assert set(found) == set(stored(run))
    assert all(set(modules) == {"AGIPD00"} for modules in found.values())
    assert seen["now"] == seen["unmoved"] == found
    assert seen["moved"] == {name: {"AGIPD20": of["AGIPD00"]} for name, of in found.items()}
    assert seen["dark"] == {name: found[name] for name in ("Noise", "Offset")}
    assert seen["before"] == {name: found[name] for name in ("SlopesFF", "SlopesPC")}
    assert seen["elsewhere"] == {}
    assert seen["corrected"] == seen["plain"] == {name: found[name] for name in found if name != "Noise"}
    assert seen["corrected_modules"] == [["AGIPD00"], [PDU], [0]]
    assert seen["dims"] == ["module", "fast_scan", "slow_scan", "cell", "gain"]
    assert seen["shape"] == [1, 128, 512, 4, 3]
    assert seen["mean"] == pytest.approx(float(np.mean(stored(run)["Offset"], dtype=np.float64)))
    assert seen["begin"].endswith("+01:00")
    assert seen["detectors"] == [DETECTOR]
    assert "XYZ_DET_AGIPD1M-9" in seen["unknown"]
    assert seen["pages"] == {"total_pages": 4, "count_per_page": 5, "current_page": 1, "total_count": 19}


def offline_metadata(raw: Path, store: Path, out: Path) -> Path:
    """What the offline correction writes of the constants that it used."""
    with catalogue(store) as address:
        command = [sys.executable, "-m", "fat", "pipe", "offline", raw, "--catalogue", address]
        command += ["--store", store, "--out", out]
        subprocess.run(command, check=True, capture_output=True)
    return out / "calibration_metadata.yml"
