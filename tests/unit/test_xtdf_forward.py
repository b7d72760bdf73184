"""The forward model against its own truth, and against what Poisson and gain switching must give."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.xtdf.agipd.constants import make_constant
from sim.xtdf.agipd.forward import AgipdModule
from sim.xtdf.agipd.truth import ModuleTruth, build_truth
from sim.xtdf.config import AgipdTable, pdu_name
from sim.xtdf.illumination import Illumination, expected_photons
from sim.xtdf.kernels import PIXELS, draw_photons, normal_table
from sim.xtdf.light import tabulate
from sim.xtdf.module import GainMode
from sim.xtdf.pixels import BadPixel

CELLS = 2
TABLE = AgipdTable(modules=[3], memory_cells=CELLS)
SEED = 11


@pytest.fixture(scope="module")
def truth() -> ModuleTruth:
    return build_truth(TABLE, SEED, pdu_name("AGIPD", 3))


@pytest.fixture(scope="module")
def model(truth: ModuleTruth) -> AgipdModule:
    return AgipdModule(truth, SEED, 3, TABLE.flat_photons)


def images(
    model: AgipdModule, train_id: int, gain_mode: GainMode = "adaptive", light: Illumination = "dark"
) -> NDArray[np.uint16]:
    out = np.empty((CELLS, 2 * PIXELS), np.uint16)
    model.make_images(out, train_id, gain_mode, light)
    return out.reshape(CELLS, 2, 512, 128)


def stages(truth: ModuleTruth, raw: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Gain stage of each pixel from its digital level, (frames, 512, 128)."""
    return (raw[:, 1, None] > truth.thresholds).sum(axis=1)


def test_a_train_is_the_same_whatever_was_sent_before(model: AgipdModule, truth: ModuleTruth) -> None:
    first = images(model, 1000, light="rings")
    images(model, 1001, "fixed_low", "flat")
    fresh = AgipdModule(build_truth(TABLE, SEED, pdu_name("AGIPD", 3)), SEED, 3, TABLE.flat_photons)
    assert np.array_equal(images(model, 1000, light="rings"), first)
    assert np.array_equal(images(fresh, 1000, light="rings"), first)


def test_trains_cells_seeds_and_modules_differ(model: AgipdModule) -> None:
    dark = images(model, 1000).astype(int)
    assert np.mean(images(model, 1001) == dark) < 0.3
    for seed, channel in ((12, 3), (SEED, 4)):
        other = AgipdModule(build_truth(TABLE, seed, pdu_name("AGIPD", channel)), seed, channel, 20)
        assert np.mean(images(other, 1000) == dark) < 0.1
    residuals = dark[:, 0] - model.truth.pedestal[:, 0]
    good = model.truth.bad == 0
    assert abs(np.corrcoef(residuals[0][good], residuals[1][good])[0, 1]) < 0.1


@pytest.mark.parametrize(("gain_mode", "stage"), [("fixed_high", 0), ("fixed_medium", 1), ("fixed_low", 2)])
def test_darks_have_the_pedestal_noise_and_level_of_their_stage(
    model: AgipdModule, truth: ModuleTruth, gain_mode: GainMode, stage: int
) -> None:
    trains = 60
    raw = np.stack([images(model, 5000 + k, gain_mode) for k in range(trains)]).astype(np.float64)
    good = truth.bad == BadPixel.GOOD
    offset, noise = raw[:, :, 0].mean(0), raw[:, :, 0].std(0, ddof=1)
    off = (offset - truth.pedestal[:, stage])[:, good] / truth.total_noise[stage][good] * np.sqrt(trains)
    assert abs(off.std() - 1) < 0.02
    # The standard deviation of 60 draws has a relative spread of 9 %; its median over 120 000 is far sharper.
    assert abs(np.median(noise[:, good] / truth.total_noise[stage][good]) - 1) < 0.01
    level = (raw[:, :, 1].mean(0) - truth.level[stage])[:, good]
    assert abs(level.std() * np.sqrt(trains) / truth.level_noise - 1) < 0.03


def test_pixels_of_an_asic_share_a_shift_in_each_frame(model: AgipdModule, truth: ModuleTruth) -> None:
    shifts = []
    good = truth.bad[:64, :64] == BadPixel.GOOD
    for train in range(200):
        residual = images(model, 7000 + train)[:, 0, :64, :64] - truth.pedestal[:, 0, :64, :64]
        shifts.extend(residual[:, good].mean(axis=1))
    assert np.std(shifts) == pytest.approx(truth.common_mode, rel=0.15)


def test_bad_pixels_are_as_many_and_as_bad_as_said(model: AgipdModule, truth: ModuleTruth) -> None:
    counts = {kind: np.count_nonzero(truth.bad == kind) for kind in BadPixel}
    assert counts[BadPixel.DEAD] == counts[BadPixel.NOISY] == 131
    assert counts[BadPixel.STUCK_GAIN] == counts[BadPixel.OFFSET_OUTLIER] == 66
    raw = np.stack([images(model, 100 + k, "fixed_medium", "flat") for k in range(12)])
    dead, stuck = truth.bad == BadPixel.DEAD, truth.bad == BadPixel.STUCK_GAIN
    assert np.ptp(raw[:, :, 0, dead], axis=0).max() == 0
    assert raw[:, :, 0, dead].max() <= 600
    noisy = raw[:, :, 0, truth.bad == BadPixel.NOISY].std(axis=0)
    assert np.median(noisy) > 5 * np.median(truth.total_noise[1])
    assert np.abs(raw[:, :, 1, stuck] - truth.level[0, stuck]).max() < 6 * truth.level_noise
    outlier = truth.bad == BadPixel.OFFSET_OUTLIER
    assert np.abs(truth.pedestal[:, 0, outlier] - np.median(truth.pedestal[:, 0])).min() > 1300


def test_recomputed_photons_are_those_in_the_images(model: AgipdModule, truth: ModuleTruth) -> None:
    raw = images(model, 42, "fixed_high", "flat")[:, 0].astype(np.float64)
    photons = model.photons(42, range(CELLS), "flat")
    signal = photons * truth.photon_gain[0] * truth.cell_gain[:, None, None]
    good = truth.bad == BadPixel.GOOD
    residual = (raw - truth.pedestal[:, 0] - signal)[:, good] / truth.total_noise[0][good]
    assert residual.std() == pytest.approx(1, abs=0.05)
    assert np.abs(residual).max() < 7


def test_gain_switches_with_the_photons_and_never_back(model: AgipdModule, truth: ModuleTruth) -> None:
    raw = images(model, 9, light="rings")
    stage, photons = stages(truth, raw), model.photons(9, range(CELLS), "rings")
    good = truth.bad == BadPixel.GOOD
    high, medium = (
        photons * truth.photon_gain[g] * truth.cell_gain[:, None, None] > truth.switch[g] for g in (0, 1)
    )
    expected = np.where(high, np.where(medium, 2, 1), 0)
    assert np.array_equal(stage[:, good], expected[:, good])
    more = photons[1] >= photons[0]
    # Cells differ by some 0.5 % in gain, so only clear differences must be ordered.
    clear = good & more & (photons[1] > 1.05 * photons[0])
    assert (stage[1] >= stage[0])[clear].all()


@pytest.mark.parametrize("channel", range(16))
def test_rings_span_all_stages_on_every_module(channel: int) -> None:
    photons = expected_photons("rings", "AGIPD1M", channel, 0)
    assert photons.min() > 0.2
    assert np.mean(photons < 50) > 0.05
    assert np.mean((photons > 90) & (photons < 1400)) > 0.01
    assert np.mean(photons > 2200) > 0.002


@pytest.mark.parametrize("mean", [0.0, 0.3, 3.0, 11.9, 12.1, 60.0, 4000.0])
def test_photons_are_poisson(mean: float) -> None:
    light = tabulate(np.full((512, 128), mean, np.float32))
    drawn = np.empty(PIXELS, np.int32)
    draw_photons(drawn, np.uint64(1), np.uint64(99), *light, normal_table())
    assert drawn.min() >= 0
    error = np.sqrt(mean / PIXELS)
    assert abs(drawn.mean() - mean) <= 5 * error
    if mean:
        # Rounding adds 1/12 to the variance of the expansion; the variance of n draws spreads by √(2/n).
        assert drawn.var() == pytest.approx(
            mean, rel=5 * np.sqrt((2 + 1 / mean) / PIXELS) + 0.1 / max(mean, 12)
        )
        skew = ((drawn - drawn.mean()) ** 3).mean() / drawn.std() ** 3
        assert skew == pytest.approx(mean**-0.5, abs=0.06 + 0.05 * mean**-0.5)


def test_constants_turn_adu_back_into_photons(model: AgipdModule, truth: ModuleTruth) -> None:
    """The convention of the bench: photons = (a − Offset) × rel[g] / SlopesFF."""
    pc = make_constant("SlopesPC", truth, SEED, 0.0).transpose(2, 1, 0, 3)
    ff = make_constant("SlopesFF", truth, SEED, 0.0).transpose(2, 1, 0, 3)
    median = np.median(pc[..., 0])
    rel = np.stack([median / pc[..., 0], median / pc[..., 3], median / pc[..., 3] * 4.48], axis=1)
    good = np.broadcast_to(truth.bad == BadPixel.GOOD, (CELLS, 512, 128))
    recovered, photons = [], []
    for train in range(4):
        raw = images(model, train, light="rings")
        stage = stages(truth, raw)[:, None]
        offset = np.take_along_axis(truth.pedestal, stage, 1)[:, 0]
        gain = np.take_along_axis(rel, stage, 1)[:, 0]
        recovered.append((raw[:, 0] - offset) * gain / ff[..., 0])
        photons.append(np.where(good, model.photons(train, range(CELLS), "rings"), -1))
        for g, most in ((0, 1e-3), (1, 1e-3), (2, 1e-3)):
            here = good & (stage[:, 0] == g) & (photons[-1] > 20)
            assert here.sum() > 1000
            assert recovered[-1][here].sum() / photons[-1][here].sum() == pytest.approx(1, abs=most)


def test_calibration_error_is_as_large_as_stated(truth: ModuleTruth) -> None:
    for name, entries in (("SlopesPC", (0, 3)), ("SlopesFF", (0,))):
        right = make_constant(name, truth, SEED, 0.0)  # type: ignore[arg-type]
        wrong = make_constant(name, truth, SEED, 0.01)  # type: ignore[arg-type]
        for entry in entries:
            ratio = wrong[..., entry] / right[..., entry]
            assert ratio.std() == pytest.approx(0.01, rel=0.05)
            assert abs(ratio.mean() - 1) < 0.04
