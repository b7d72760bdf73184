"""Dark constants from synthetic runs whose truth is known; the files are laid out as recorded ones are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.constants import BadPixel, DarkRuns, DarkSettings, ModuleDark, derive, run_start
from pipeline.constants.darkflags import DarkStatistics, flag_bad_pixels
from pipeline.errors import RunUnreadable

DETECTOR = "SPB_DET_AGIPD1M-1"
SOURCE = f"{DETECTOR}/DET/0CH0:xtdf"
CELLS, TRAINS = 2, 20
PEDESTAL, NOISE, LEVEL = (3500.0, 6000.0, 8000.0), (2.4, 2.6, 2.5), (5000.0, 7000.0, 8600.0)
START_NS = 1_767_225_600_000_000_000
DEAD, NOISY, OUTLIER, STUCK = (slice(0, 5), 0), (slice(0, 5), 10), (slice(0, 5), 20), (slice(0, 5), 30)


def write_sequence(
    run: Path, data: np.ndarray, cell_id: np.ndarray, counts: list[int], sequence: int = 0
) -> Path:
    """One sequence file of module 0 (hdf5-runs, sections 3 and 4): only what a reader of darks looks at."""
    run.mkdir(parents=True, exist_ok=True)
    path = run / f"RAW-R0001-AGIPD00-S{sequence:05d}.h5"
    with h5py.File(path, "w") as file:
        image = file.create_group(f"INSTRUMENT/{SOURCE}/image")
        image.create_dataset("data", data=data, chunks=(1, 2, 512, 128))
        image["cellId"] = cell_id[:, None].astype(np.uint16)
        image["status"] = np.zeros((len(data), 1), np.uint16)
        index = file.create_group(f"INDEX/{SOURCE}/image")
        index["count"] = np.array(counts, np.uint64)
        index["first"] = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.uint64)
        file["INDEX/timestamp"] = (START_NS + 100_000_000 * np.arange(len(counts))).astype(np.uint64)
    return path


def draw_dark(stage: int, trains: int = TRAINS) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(stage)
    frames = trains * CELLS
    analogue = PEDESTAL[stage] + NOISE[stage] * rng.standard_normal((frames, 512, 128), np.float32)
    digital = LEVEL[stage] + 30 * rng.standard_normal((frames, 512, 128), np.float32)
    cell_id = np.tile(np.arange(CELLS), trains)
    analogue += 7.0 * cell_id[:, None, None]
    analogue[:, *DEAD] = 300
    analogue[:, *NOISY] += 30 * rng.standard_normal((frames, 5))
    analogue[:, *OUTLIER] += 2000
    digital[:, *STUCK] = LEVEL[0] + 30 * rng.standard_normal((frames, 5))
    return np.stack([analogue, digital], axis=1).round().astype(np.uint16), cell_id


@dataclass(frozen=True)
class Darks:
    runs: DarkRuns
    dark: ModuleDark
    told: list[tuple[int, int]]


@pytest.fixture(scope="module")
def darks(tmp_path_factory: pytest.TempPathFactory) -> Darks:
    root = tmp_path_factory.mktemp("raw")
    runs = DarkRuns(root / "r0001", root / "r0002", root / "r0003")
    for stage, run in enumerate(runs.by_stage()):
        data, cell_id = draw_dark(stage)
        # A train without data in between, and a second sequence file.
        half = TRAINS // 2 * CELLS
        write_sequence(run, data[:half], cell_id[:half], [CELLS] * 4 + [0] + [CELLS] * (TRAINS // 2 - 4))
        write_sequence(run, data[half:], cell_id[half:], [CELLS] * (TRAINS // 2), sequence=1)
    told: list[tuple[int, int]] = []
    derived = derive(
        runs, DETECTOR, [0], CELLS, DarkSettings(), progress=lambda done, total: told.append((done, total))
    )
    return Darks(runs, derived[0], told)


def images(dark: ModuleDark, calibration: str) -> np.ndarray:
    return dark.constants[calibration].transpose(2, 3, 1, 0)


def good_pixels() -> np.ndarray:
    good = np.ones((512, 128), bool)
    for where in (DEAD, NOISY, OUTLIER, STUCK):
        good[where] = False
    return good


def test_offsets_noise_and_thresholds_are_those_that_were_put_in(darks: Darks) -> None:
    offset, noise = images(darks.dark, "Offset"), images(darks.dark, "Noise")
    levels, good = images(darks.dark, "ThresholdsDark"), good_pixels()
    assert darks.dark.constants["Offset"].shape == (128, 512, CELLS, 3)
    assert darks.dark.constants["ThresholdsDark"].shape == (128, 512, CELLS, 5)
    assert darks.dark.trains.tolist() == [[TRAINS] * 3] * CELLS
    for cell in range(CELLS):
        for stage in range(3):
            assert np.mean(offset[cell, stage][good]) == pytest.approx(PEDESTAL[stage] + 7 * cell, abs=0.01)
            rms = np.sqrt(np.mean(noise[cell, stage][good] ** 2))
            assert rms == pytest.approx(np.sqrt(NOISE[stage] ** 2 + 1 / 12), rel=0.005)
        assert np.mean(levels[cell, 0][good]) == pytest.approx(6000, abs=0.5)
        assert np.mean(levels[cell, 1][good]) == pytest.approx(7800, abs=0.5)
        np.testing.assert_allclose(levels[cell, 0], (levels[cell, 2] + levels[cell, 3]) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("where", "bits"),
    [
        (DEAD, BadPixel.OFFSET_OUT_OF_THRESHOLD | BadPixel.NOISE_OUT_OF_THRESHOLD),
        (NOISY, BadPixel.NOISE_OUT_OF_THRESHOLD),
        (OUTLIER, BadPixel.OFFSET_OUT_OF_THRESHOLD),
        (STUCK, BadPixel.GAIN_THRESHOLDING_ERROR),
    ],
    ids=["dead", "noisy", "outlier", "stuck"],
)
def test_each_kind_of_bad_pixel_has_its_bits_in_every_cell_and_stage(
    darks: Darks, where: tuple[slice, int], bits: BadPixel
) -> None:
    mask = images(darks.dark, "BadPixelsDark")[:, :, *where]
    assert np.all(mask & np.uint32(bits) == bits)


def test_good_pixels_are_left_alone(darks: Darks) -> None:
    mask = images(darks.dark, "BadPixelsDark")[..., good_pixels()]
    assert np.mean(mask != 0) < 1e-4
    counts = darks.dark.bad_counts()
    assert counts["GAIN_THRESHOLDING_ERROR"] == 5
    assert 20 <= counts["any"] < 50


def test_progress_counts_every_frame_once(darks: Darks) -> None:
    total = 3 * TRAINS * CELLS
    assert darks.told[-1] == (total, total)
    done = [frames for frames, _ in darks.told]
    assert done == sorted(done)


def test_the_run_starts_at_its_first_train(darks: Darks) -> None:
    assert run_start(darks.runs.high) == datetime(2026, 1, 1, tzinfo=UTC)


def statistics(trains: int) -> DarkStatistics:
    """What *trains* trains of a faultless module give, 1 cell."""
    rng = np.random.default_rng(trains)
    shape = (1, 3, 512, 128)
    scatter = rng.standard_normal(shape) / np.sqrt(trains)
    noise = 2.4 * np.sqrt(rng.chisquare(trains - 1, shape) / (trains - 1))
    level = np.array(LEVEL).reshape(1, 3, 1, 1)
    return DarkStatistics(
        offset=(np.array(PEDESTAL).reshape(1, 3, 1, 1) + 2.4 * scatter).astype(np.float32),
        noise=noise.astype(np.float32),
        level=(level + 30 * scatter).astype(np.float32),
        level_noise=(30 * noise / 2.4).astype(np.float32),
        trains=np.full((1, 3), trains),
    )


@pytest.mark.parametrize("trains", [8, 20, 100, 500])
def test_few_trains_cost_few_good_pixels(trains: int) -> None:
    assert np.mean(flag_bad_pixels(statistics(trains), DarkSettings()) != 0) < 1e-4


@pytest.mark.parametrize(("factor", "bad"), [(0.27, True), (0.36, False), (1.75, False), (2.05, True)])
def test_noise_limits_are_those_of_the_documentation(factor: float, bad: bool) -> None:
    seen = statistics(20)
    seen.noise[0, 0, 7, 7] = 2.4 * factor
    limits = DarkSettings(noise_limits_adu=(0.0, 1e6))
    assert bool(flag_bad_pixels(seen, limits)[0, 0, 7, 7] & BadPixel.NOISE_OUT_OF_THRESHOLD) is bad


def test_frames_of_bad_status_and_frames_behind_the_index_do_not_enter(tmp_path: Path) -> None:
    runs = DarkRuns(tmp_path / "r0001", tmp_path / "r0002", tmp_path / "r0003")
    for stage, run in enumerate(runs.by_stage()):
        data, cell_id = draw_dark(stage, trains=8)
        data[4:6] = data[-2:] = 9999
        path = write_sequence(run, data, cell_id, [CELLS] * 7)
        with h5py.File(path, "a") as file:
            file[f"INSTRUMENT/{SOURCE}/image/status"][4:6] = 1
    dark = derive(runs, DETECTOR, [0], CELLS, DarkSettings())[0]
    assert dark.trains.tolist() == [[6, 6, 6]] * CELLS
    offsets = images(dark, "Offset")[..., good_pixels()].mean(axis=2, dtype=np.float64)
    assert np.abs(offsets - np.array(PEDESTAL) - 7.0 * np.arange(CELLS)[:, None]).max() < 0.1


def test_cells_with_too_few_trains_say_so(tmp_path: Path) -> None:
    runs = DarkRuns(tmp_path / "r0001", tmp_path / "r0002", tmp_path / "r0003")
    for stage, run in enumerate(runs.by_stage()):
        data, cell_id = draw_dark(stage, trains=3)
        write_sequence(run, data, cell_id, [CELLS] * 3)
    dark = derive(runs, DETECTOR, [0], CELLS + 1, DarkSettings())[0]
    mask = dark.constants["BadPixelsDark"]
    assert np.all(mask == BadPixel.NO_DARK_DATA)
    assert np.isnan(dark.constants["Offset"]).all()
    assert dark.trains.tolist() == [[3, 3, 3], [3, 3, 3], [0, 0, 0]]


def test_values_that_are_not_numbers_are_flagged() -> None:
    seen = statistics(20)
    seen.noise[0, 1, 4, 5] = np.nan
    mask = flag_bad_pixels(seen, DarkSettings())
    assert mask[0, 1, 4, 5] == BadPixel.OFFSET_NOISE_EVAL_ERROR


def damage_index(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file[f"INDEX/{SOURCE}/image/count"][0] = 10_000


def damage_shape(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[f"INSTRUMENT/{SOURCE}/image/data"]
        file[f"INSTRUMENT/{SOURCE}/image/data"] = np.zeros((6, 2, 8, 8), np.uint16)


def damage_source(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[f"INSTRUMENT/{SOURCE}"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (damage_index, "points behind"),
        (damage_shape, r"not uint16 \(n, 2, 512, 128\)"),
        (damage_source, "is SPB_DET_AGIPD1M-1 the detector's name"),
        (lambda path: path.write_bytes(b"no HDF5"), "cannot be read as HDF5"),
        (lambda path: path.unlink(), "was module 0 recorded"),
    ],
    ids=["index", "shape", "source", "no hdf5", "no file"],
)
def test_a_damaged_run_is_a_sentence(tmp_path: Path, damage: object, words: str) -> None:
    runs = DarkRuns(tmp_path / "r0001", tmp_path / "r0001", tmp_path / "r0001")
    path = write_sequence(runs.high, np.zeros((6, 2, 512, 128), np.uint16), np.tile([0, 1], 3), [2] * 3)
    damage(path)  # type: ignore[operator]
    with pytest.raises(RunUnreadable, match=words):
        derive(runs, DETECTOR, [0], CELLS, DarkSettings())
