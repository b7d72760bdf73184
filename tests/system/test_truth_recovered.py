"""What the chain measures is what is true: one module, from datagrams to constants and photons.

An acceptance run with a hundred trains in each dark run goes through the real processes; then its constants and its
corrected images are held against the truth file and against the photons that the simulator really let fall. The
chain itself never sees either.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from fat.configs import shipped_bench
from sim.xtdf.agipd.forward import AgipdModule
from sim.xtdf.agipd.truth import build_truth
from sim.xtdf.config import AgipdTable
from sim.xtdf.pixels import BadPixel

DARK_TRAINS, LIGHT_TRAINS, CELLS, SEED = 100, 12, 4, 20260115
CALIBRATION_ERROR = 0.002
STAGES = ("high", "medium", "low")


@dataclass(frozen=True)
class Chain:
    """A finished acceptance run and the truth of its module. Pixels are (512, 128) slow, fast."""

    constants: dict[str, NDArray[Any]]
    """By calibration: (cells, stages or thresholds, 512, 128)."""
    truth: dict[str, NDArray[Any]]
    corrected: dict[str, NDArray[Any]]
    """Of the illuminated run: data, gain, mask (frames, 512, 128); trainId, cellId (frames,)."""

    @property
    def good(self) -> NDArray[np.bool_]:
        return self.truth["bad_pixels"] == BadPixel.GOOD

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """(cells, 3, 512, 128)."""
        return self.constants["BadPixelsDark"] != 0


def bench_file(folder: Path) -> Path:
    text = Path(shipped_bench("mini")).read_text(encoding="utf-8")
    for old, new in (
        ("[fat.dark]\ntrains = 8", f"[fat.dark]\ntrains = {DARK_TRAINS}"),
        ("[fat.light]\ntrains = 4", f"[fat.light]\ntrains = {LIGHT_TRAINS}"),
        (
            "memory_cells = 4\nfirst_train",
            f"memory_cells = 4\ncalibration_error = {CALIBRATION_ERROR}\nfirst_train",
        ),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "truth.toml"
    path.write_text(text, encoding="utf-8")
    return path


def only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    assert len(found) == 1, found
    return found[0]


def injected(store: Path) -> dict[str, NDArray[Any]]:
    """What the chain put into the catalogue, in the truth's order of axes."""
    constants = {}
    for path in store.rglob("cal.*.h5"):
        with h5py.File(path, "r") as file:
            for calibrations in file.values():
                for name, versions in calibrations.items():
                    constants[name] = versions["0/data"][:].transpose(2, 3, 1, 0)
    return constants


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("truth")
    done = subprocess.run(
        [sys.executable, "-m", "fat", "fat", "run", str(bench_file(folder))],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = folder / "runs/mini"
    with h5py.File(data / "truth/agipd.h5", "r") as file:
        truth = {name: item[()] for name, item in file["00"].items() if isinstance(item, h5py.Dataset)}
    with h5py.File(only(data, "SPB/*/*/proc/r0004/CORR-*.h5"), "r") as file:
        image = file["INSTRUMENT/SPB_DET_AGIPD1M-1/CORR/0CH0:output/image"]
        corrected = {name: image[name][:] for name in ("data", "gain", "mask", "trainId", "cellId")}
    return Chain(injected(data / "caldb"), truth, corrected)


def test_nothing_is_missing(chain: Chain) -> None:
    assert chain.constants["Offset"].shape == chain.truth["offset"].shape == (CELLS, 3, 512, 128)
    assert len(chain.corrected["data"]) == LIGHT_TRAINS * CELLS
    assert not chain.flagged.all(axis=(2, 3)).any()


@pytest.mark.parametrize("stage", range(3), ids=STAGES)
def test_offsets_are_the_pedestals(chain: Chain, stage: int) -> None:
    error = (chain.constants["Offset"] - chain.truth["offset"])[:, stage, chain.good]
    assert np.median(np.abs(error)) < 0.5
    assert abs(np.mean(error)) < 0.05, "offsets of all pixels together are not shifted"


@pytest.mark.parametrize("stage", range(3), ids=STAGES)
def test_noise_is_the_modules_noise(chain: Chain, stage: int) -> None:
    ratio = chain.constants["Noise"][:, stage, chain.good] / chain.truth["total_noise"][stage, chain.good]
    assert abs(np.median(ratio) - 1) < 0.05


@pytest.mark.parametrize("kind", [kind for kind in BadPixel if kind != BadPixel.GOOD])
def test_bad_pixels_are_flagged_in_every_cell_and_stage(chain: Chain, kind: BadPixel) -> None:
    of_kind = chain.flagged[..., chain.truth["bad_pixels"] == kind]
    assert of_kind.shape[-1] > 50
    assert np.mean(of_kind) >= 0.995


def test_good_pixels_are_left_alone(chain: Chain) -> None:
    assert np.mean(chain.flagged[..., chain.good]) < 0.001


@dataclass(frozen=True)
class Light:
    """What fell, and what came out, value by value where the chain says that it is usable."""

    photons: NDArray[np.float64]
    recovered: NDArray[np.float64]
    gain: NDArray[np.uint8]
    switched: NDArray[np.uint8]
    """The gain stage that the pixel really was in."""


@pytest.fixture(scope="module")
def light(chain: Chain) -> Light:
    module = build_truth(AgipdTable(modules=1, memory_cells=CELLS), SEED, "AGIPD_SIM_M100")
    np.testing.assert_array_equal(module.pedestal, chain.truth["offset"])
    model = AgipdModule(module, SEED, 0, flat_photons=0)
    trains, cells = chain.corrected["trainId"], chain.corrected["cellId"]
    fallen = np.concatenate(
        [model.photons(int(train), cells[trains == train].tolist(), "rings") for train in np.unique(trains)]
    )
    signal = fallen[:, None] * module.photon_gain * module.cell_gain[cells][:, None, None, None]
    left_high = signal[:, 0] > module.switch[0]
    switched = left_high.astype(np.uint8) + (left_high & (signal[:, 1] > module.switch[1]))
    usable = chain.corrected["mask"] == 0
    return Light(
        photons=fallen[usable].astype(np.float64),
        recovered=chain.corrected["data"][usable].astype(np.float64),
        gain=chain.corrected["gain"][usable],
        switched=switched[usable],
    )


def test_the_gain_stage_is_the_one_that_the_pixel_was_in(light: Light) -> None:
    assert np.mean(light.gain == light.switched) > 0.9999


def test_a_pixel_without_light_shows_no_photons(light: Light) -> None:
    unlit = light.recovered[light.photons == 0]
    assert len(unlit) > 10_000
    assert abs(np.mean(unlit)) < 0.01
    assert np.std(unlit) < 0.15, "2.5 ADU of noise at 30 ADU a photon"


@pytest.mark.parametrize(
    ("stage", "low", "high"),
    [(0, 1, 10), (0, 10, 60), (1, 60, 400), (1, 400, 1500), (2, 1500, 2500), (2, 2500, 10_000)],
    ids=lambda value: str(value),
)
def test_photons_are_recovered_without_bias(light: Light, stage: int, low: int, high: int) -> None:
    # Chosen by what fell, not by what was measured: cutting a measured value would make a bias of its own.
    chosen = (light.switched == stage) & (light.photons >= low) & (light.photons < high)
    assert np.count_nonzero(chosen) > 1000
    bias = light.recovered[chosen].sum() / light.photons[chosen].sum() - 1
    assert abs(bias) < 0.01 + CALIBRATION_ERROR
