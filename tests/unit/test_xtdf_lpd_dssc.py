"""LPD and DSSC modules against their own truth."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from pydantic import ValidationError

from sim.xtdf.build import make_module
from sim.xtdf.config import AgipdTable, DsscTable, LpdTable
from sim.xtdf.dssc.forward import DsscModule
from sim.xtdf.dssc.section import detector_section
from sim.xtdf.lpd.forward import LpdModule
from sim.xtdf.module import GainMode, ModuleModel
from sim.xtdf.pixels import BadPixel

SEED = 5


def images(
    model: ModuleModel, frames: int, train: int, gain_mode: GainMode = "adaptive", light: str = "dark"
) -> np.ndarray:
    out = np.zeros((frames, 65536), np.uint16)
    model.make_images(out, train, gain_mode, light)  # type: ignore[arg-type]
    return out


def lpd(**options: object) -> LpdModule:
    model = make_module(LpdTable(memory_cells=3, **options), SEED, 3)  # type: ignore[arg-type]
    assert isinstance(model, LpdModule)
    return model


@pytest.mark.parametrize(("gain_mode", "stage"), [("fixed_high", 0), ("fixed_medium", 1), ("fixed_low", 2)])
def test_lpd_darks_have_the_pedestal_of_their_stage(gain_mode: GainMode, stage: int) -> None:
    model = lpd()
    trains = np.stack([images(model, 3, 100 + k, gain_mode) for k in range(40)])
    good = model.truth.bad.reshape(-1) == BadPixel.GOOD
    assert np.all(trains[..., good] >> 12 == stage)
    wrong = model.truth.bad.reshape(-1) == BadPixel.STUCK_GAIN
    assert np.all(trains[..., wrong] >> 12 == 3)
    mean = (trains & 0xFFF).mean(axis=0)
    pedestal = model.truth.pedestal[:, stage].reshape(3, -1)
    noise = model.truth.readout_noise[stage].reshape(-1)
    assert np.abs((mean - pedestal)[:, good]).max() < 6 * noise[good].max() / np.sqrt(40)
    assert (trains & 0xFFF).std(axis=0)[:, good].mean() == pytest.approx(noise[good].mean(), rel=0.03)


def test_lpd_signals_are_photons_times_gain_in_each_stage() -> None:
    model = lpd()
    raw = images(model, 3, 9, light="rings")
    photons = model.photons(9, range(3), "rings").reshape(3, -1)
    good = model.truth.bad.reshape(-1) == BadPixel.GOOD
    stages = raw >> 12
    seen = set()
    for stage in range(3):
        chosen = (stages == stage) & good
        if chosen.sum() < 100:
            continue
        seen.add(stage)
        cell, pixel = np.nonzero(chosen)
        gain = model.truth.gain.reshape(3, -1)[stage, pixel] * model.truth.cell_gain[cell]
        signal = (raw[chosen] & 0xFFF) - model.truth.pedestal.reshape(3, 3, -1)[cell, stage, pixel]
        inside = (raw[chosen] & 0xFFF) < 4095
        rest = signal[inside] - photons[chosen][inside] * gain[inside]
        assert abs(rest.mean()) < 0.2, stage
    assert {0, 1} <= seen


def test_lpd_parallel_gain_shows_the_same_photons_three_times() -> None:
    table = LpdTable(memory_cells=2, parallel_gain=True)
    model = make_module(table, SEED, 0)
    raw = images(model, table.frames, 4, light="flat")
    good = model.truth.bad.reshape(-1) == BadPixel.GOOD  # type: ignore[attr-defined]
    assert table.pulse_ids == (0, 4, 0, 4, 0, 4)
    assert table.cell_ids == (0, 1, 2, 3, 4, 5)
    assert (raw[:, good] >> 12 == np.repeat([0, 1, 2], 2)[:, None]).all()
    pedestal = model.truth.pedestal.reshape(6, 3, -1)  # type: ignore[attr-defined]
    high = (raw[0] & 0xFFF) - pedestal[0, 0]
    medium = (raw[2] & 0xFFF) - pedestal[2, 1]
    photons = model.photons(4, [0], "flat").reshape(-1)  # type: ignore[attr-defined]
    assert np.corrcoef(high[good], photons[good])[0, 1] > 0.99
    assert np.corrcoef(medium[good], photons[good])[0, 1] > 0.9


def test_lpd_constants_turn_adu_back_into_photons() -> None:
    model = lpd()
    constants = model.gain_constants(SEED, 0.0)
    factor = constants["RelativeGain"] * constants["GainAmpMap"] * constants["FFMap"]
    gain = model.truth.gain.transpose(2, 1, 0)[:, :, None, :] * model.truth.cell_gain[:, None]
    alive = model.truth.photon_gain.T > 0
    assert np.allclose((factor * gain)[alive], 1, rtol=1e-4)
    assert constants["FFMap"].shape == (256, 256, 3, 3)
    assert (constants["BadPixelsFF"][~alive] != 0).all()


def test_dssc_is_linear_in_nine_bits() -> None:
    model = make_module(DsscTable(memory_cells=2), SEED, 1)
    assert isinstance(model, DsscModule)
    raw = images(model, 2, 7, light="flat").astype(float)
    photons = model.photons(7, range(2), "flat").reshape(2, -1)
    good = model.truth.bad.reshape(-1) == BadPixel.GOOD
    rest = raw - model.truth.pedestal.reshape(2, -1) - photons * model.truth.photon_gain.reshape(-1)
    assert abs(rest[:, good].mean()) < 0.02
    assert rest[:, good].std() == pytest.approx(np.hypot(0.8, np.sqrt(1 / 12)), rel=0.05)
    assert raw.max() <= 511


def test_dssc_with_eight_bits_wraps_at_256() -> None:
    model = make_module(DsscTable(memory_cells=1, eight_bit=True), SEED, 1)
    raw = images(model, 1, 7, light="rings")
    assert raw.max() <= 255
    bright = model.photons(7, [0], "rings").reshape(-1) > 400  # type: ignore[attr-defined]
    good = model.truth.bad.reshape(-1) == BadPixel.GOOD  # type: ignore[attr-defined]
    assert (raw[0, bright & good] == 0).all()


def test_the_dssc_section_as_its_public_layout_has_it() -> None:
    """Assembled by hand from the tables of `DsscTrainData.hh`: 8 words, 144 bytes, 16 trailers of 16 bytes."""
    section = detector_section(channel=5, vetoes=2300, temperatures=(2, 7))
    assert len(section) == 416
    assert section[:16] == bytes.fromhex("fc08 0000 0000 0000 0000 0510 0501 5753".replace(" ", ""))
    assert section[16:160] == bytes(144)
    # Gray code: 2 -> 3, 7 -> 4; vetoes as u32; readout XOR; padding; test pattern 5
    assert section[160:176] == bytes.fromhex("0300 0400 fc080000 00000000 0000 0500".replace(" ", ""))
    assert section[160:] == section[160:176] * 16


def test_the_dssc_dummy_readout_as_it_is_described() -> None:
    """Written down by hand: 33 − c in the left half of an ASIC, c + 2 in the right, 64 more in each row, modulo 512."""
    model = make_module(DsscTable(memory_cells=2), SEED, 1)
    frames = images(model, 2, 7, light="dummy").reshape(2, 128, 512)
    assert np.array_equal(frames[0], frames[1])
    assert frames[0, 0, :64].tolist() == [*range(33, 1, -1), *range(34, 66)]
    assert frames[0, 1, :3].tolist() == [97, 96, 95]
    assert frames[0, 7, 60:64].tolist() == [510, 511, 0, 1]
    assert frames[0, 8, 0] == 33
    for slow, fast in np.ndindex(2, 8):
        asic = frames[0, 64 * slow : 64 * slow + 64, 64 * fast : 64 * fast + 64]
        assert np.array_equal(asic, frames[0, :64, :64])
    eight = images(make_module(DsscTable(memory_cells=1, eight_bit=True), SEED, 1), 1, 7, light="dummy")
    assert np.array_equal(eight[0], frames[0].reshape(-1) % 256)
    assert not model.photons(7, range(2), "dummy").any()  # type: ignore[attr-defined]


def test_the_dssc_section_tells_of_the_dummy_readout() -> None:
    model = make_module(DsscTable(memory_cells=2), SEED, 1)
    words = struct.unpack_from("<8H", model.detector_section(7, "dummy"))
    assert words[5] == 0x0401, "module 1, data mode send_dummy_dr"
    patterns = [model.detector_section(7, "dummy")[160 + 16 * asic + 14] for asic in range(16)]
    assert patterns == [1] * 16
    assert model.detector_section(7, "rings") == detector_section(1, 2700 - 2)


def test_the_same_seed_gives_the_same_bytes() -> None:
    for table in (LpdTable(memory_cells=2), DsscTable(memory_cells=2)):
        one, other = (images(make_module(table, SEED, 2), 2, 11, light="rings") for _ in range(2))
        assert np.array_equal(one, other)
        assert not np.array_equal(one, images(make_module(table, SEED + 1, 2), 2, 11, light="rings"))


def test_the_checksum_of_pulse_ids_is_the_documented_one() -> None:
    import hashlib

    table = DsscTable(memory_cells=3, pulse_step=2)
    digest = hashlib.blake2b(np.array([0, 2, 4], np.uint64).tobytes(), digest_size=8).digest()
    assert table.conditions["Pulse id checksum"] == struct.unpack("<d", digest)[0]


@pytest.mark.parametrize(
    ("table", "options", "words"),
    [
        (LpdTable, {"memory_cells": 513}, "the detector has 512"),
        (LpdTable, {"memory_cells": 200, "parallel_gain": True}, "600 memory cells"),
        (DsscTable, {"memory_cells": 801}, "the detector has 800"),
        (AgipdTable, {"memory_cells": 353}, "the detector has 352"),
        (AgipdTable, {"detector": "HED_DET_AGIPD500K2G", "modules": [8]}, "channels 0 to 7"),
        (DsscTable, {"memory_cells": 800, "pulse_step": 4}, "a train ends at 2699"),
        (
            DsscTable,
            {"memory_cells": 764, "pulse_step": 1},
            "checksum of 764 pulses with pulse_step 1 is no number",
        ),
    ],
)
def test_what_no_detector_can_do_is_refused(table: type, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        table.model_validate(options)


def test_a_half_detector_has_eight_modules() -> None:
    assert AgipdTable(detector="HED_DET_AGIPD500K2G").channels == tuple(range(8))
