"""The whole chain on one module: detector, acquisition, constants, correction; against the truth and public clients."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fat.configs import shipped_bench
from pipeline.correct import AgipdConstants, AgipdSettings
from pipeline.offline.correct import correct_run
from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.forward import ModuleModel
from sim.xtdf.truth import build_truth

DETECTOR = "SPB_DET_AGIPD1M-1"
SOURCE = f"INSTRUMENT/{DETECTOR}/CORR/0CH0:output"
SEED = 20260115
CALIBRATION_ERROR = 0.002
FOREIGN = Path(__file__).parents[2] / ".venvs" / "euxfel" / "bin"
SCRIPTS = Path(__file__).parents[1] / "foreign"

pytestmark = pytest.mark.timeout(300)
foreign = pytest.mark.skipif(
    not (FOREIGN / "python").exists(),
    reason="no environment .venvs/euxfel with the public clients: run make test",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of an acceptance run with a hundred dark trains for each stage."""
    folder = tmp_path_factory.mktemp("chain")
    text = shipped_bench("mini").read_text()
    text = text.replace("[fat.dark]\ntrains = 8", "[fat.dark]\ntrains = 100").replace("runs/mini", "data")
    (folder / "chain.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "fat", "fat", "run", "chain.toml"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "data"


def stored(run: Path) -> dict[str, Any]:
    """Every constant in the store, by calibration."""
    found = {}
    for path in (run / "caldb/xfel").rglob("cal.*.h5"):
        with h5py.File(path, "r") as file:
            for calibration, group in file[pdu_name(0)].items():
                found[calibration] = group["0/data"][:]
    return found


@pytest.fixture(scope="module")
def truth(run: Path) -> dict[str, Any]:
    with h5py.File(run / "truth/agipd.h5", "r") as file:
        return {key: file["00"][key][()] for key in ("offset", "total_noise", "bad_pixels")}


def images(values: Any) -> Any:
    """From storage (fast, slow, cell, gain) to (cell, gain, slow, fast), as the truth has it."""
    return values.transpose(2, 3, 1, 0)


def test_offsets_and_noise_are_the_truth(run: Path, truth: dict[str, Any]) -> None:
    constants = stored(run)
    good = np.broadcast_to(truth["bad_pixels"] == 0, truth["offset"].shape)
    offset, noise = images(constants["Offset"]), images(constants["Noise"])
    assert np.median(np.abs(offset - truth["offset"])[good]) < 0.5
    for gain in range(3):
        chosen = good[:, gain]
        true = np.broadcast_to(truth["total_noise"][gain], chosen.shape)
        assert abs(np.median(noise[:, gain][chosen] / true[chosen]) - 1) < 0.05


def test_simulated_bad_pixels_are_flagged_and_few_others(run: Path, truth: dict[str, Any]) -> None:
    flagged = np.bitwise_or.reduce(images(stored(run)["BadPixelsDark"]), axis=(0, 1)) != 0
    bad = truth["bad_pixels"] != 0
    assert bad.sum() > 100
    assert flagged[bad].mean() >= 0.995
    assert flagged[~bad].mean() < 0.005


def test_photons_come_back_in_each_gain_stage(run: Path, truth: dict[str, Any]) -> None:
    table = AgipdTable(modules=1, memory_cells=4, first_train_id=1_500_000_000)
    model = ModuleModel(build_truth(table, SEED, pdu_name(0)), SEED, 0, table.flat_photons)
    (path,) = (run / "SPB/202601/p900001/proc/r0004").glob("CORR-*.h5")
    sums = np.zeros((2, 3))
    with h5py.File(path, "r") as file:
        image = file[f"{SOURCE}/image"]
        for row, train_id in enumerate(file["INDEX/trainId"][:]):
            frames = slice(4 * row, 4 * row + 4)
            true = model.photons(int(train_id), range(4), "rings")
            data, gain, mask = (image[key][frames] for key in ("data", "gain", "mask"))
            # Judge by the true photons, far from where a stage begins and ends: its own edges would bias a selection.
            for stage, (low, high) in enumerate(((0, 40), (150, 1000), (3000, 1e9))):
                chosen = (mask == 0) & (gain == stage) & (true >= low) & (true < high)
                assert chosen.sum() > 500
                sums[:, stage] += data[chosen].sum(dtype=np.float64), true[chosen].sum(dtype=np.float64)
    bias = sums[0] / sums[1] - 1
    assert np.all(np.abs(bias) < 0.01 + CALIBRATION_ERROR), bias


def test_online_and_offline_are_equal_to_the_bit(run: Path, tmp_path: Path) -> None:
    settings = AgipdSettings()
    constants = {0: AgipdConstants.prepare(stored(run), settings)}
    raw, online = run / "SPB/202601/p900001/raw/r0004", run / "SPB/202601/p900001/proc/r0004"
    with ThreadPoolExecutor(1) as executor:
        summary = correct_run(raw, tmp_path, DETECTOR, constants, settings, executor)
        again = correct_run(raw, tmp_path, DETECTOR, constants, settings, executor)
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
