"""The fast AGIPD kernels give the bits of the readable ones, whatever comes; prepared constants mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pipeline.config import CorrectionTable
from pipeline.constants import BadPixel
from pipeline.correct import Buffers
from pipeline.correct.agipd import AgipdModule, AgipdRecipe, AgipdSettings
from pipeline.correct.agipd_constants import AgipdConstants
from pipeline.correct.compact import compact, reached_from
from pipeline.correct.kernels import agipd_fast, agipd_reference
from pipeline.errors import SettingRejected

FAST, SLOW = 4, 3
ADC = st.integers(0, 2**16 - 1)
CONSTANT = st.one_of(
    st.floats(0, 1.6e4, width=32),
    st.floats(-1e4, 2e4, width=32),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 3e38, -3e38, 1e-40]),
)
ALL = CorrectionTable(
    steps=(
        "thresholding", "force_medium", "force_high", "offset", "medium_baseline", "relative_gain", "baseline",
        "common_mode", "photon_gain", "mask", "round_photons", "zero_out_of_range", "zero_nans",
    ),
    baseline_least_pixels=1,
    common_mode_fraction=0.01,
    common_mode_range_adu=(-1e5, 1e5),
)  # fmt: skip


def constants(cells: int, **overrides: NDArray[Any]) -> dict[str, NDArray[Any]]:
    shape = (FAST, SLOW, cells)
    slopes = np.zeros((*shape, 5), np.float32)
    slopes[..., 0], slopes[..., 3] = 10, 0.5
    stored = {
        "Offset": np.full((*shape, 3), 100, np.float32),
        "ThresholdsDark": np.full((*shape, 5), 50, np.float32),
        "SlopesPC": slopes,
        "SlopesFF": np.full((*shape, 2), 4, np.float32),
        "BadPixelsDark": np.zeros((*shape, 3), np.uint32),
    }
    return stored | overrides


@st.composite
def cases(draw: st.DrawFn) -> tuple[AgipdModule, NDArray[np.uint16], NDArray[np.uint16]]:
    frames, cells = draw(st.integers(0, 4)), draw(st.integers(1, 3))

    def values(last: int) -> NDArray[Any]:
        return draw(arrays.arrays(np.float32, (FAST, SLOW, cells, last), elements=CONSTANT))

    bad = draw(arrays.arrays(np.uint32, (FAST, SLOW, cells, 3), elements=st.integers(0, 2**32 - 1)))
    stored = {
        "Offset": values(3), "ThresholdsDark": values(5), "SlopesPC": values(5), "SlopesFF": values(2),
        "BadPixelsDark": bad,
    }  # fmt: skip
    steps = draw(st.lists(st.sampled_from(ALL.steps), min_size=1, unique=True))
    table = ALL.model_copy(update={"steps": tuple(steps)})
    chosen = AgipdSettings.of(table, draw(st.integers(0, 3)))
    with np.errstate(all="ignore"):
        module = AgipdModule(0, chosen, AgipdConstants.prepare(stored, chosen.steps), (), (SLOW, FAST))
    raw = draw(arrays.arrays(np.uint16, (frames, 2, SLOW, FAST), elements=ADC))
    cell_id = draw(arrays.arrays(np.uint16, (frames,), elements=st.sampled_from([0, 1, 2, 3, 351, 65535])))
    return module, raw, cell_id


def run(
    kernels: object, module: AgipdModule, raw: NDArray[np.uint16], cell_id: NDArray[np.uint16]
) -> Buffers:
    out = Buffers.of(len(raw), (SLOW, FAST))
    module.apply(kernels, raw, cell_id, out)
    return out


@given(cases())
@settings(deadline=None, max_examples=200)
def test_both_kernels_agree_to_the_bit(
    case: tuple[AgipdModule, NDArray[np.uint16], NDArray[np.uint16]],
) -> None:
    with np.errstate(all="ignore"):
        fast, readable = run(agipd_fast, *case), run(agipd_reference, *case)
    assert np.array_equal(fast.gain, readable.gain)
    assert np.array_equal(fast.mask, readable.mask)
    both_nan = np.isnan(fast.data) & np.isnan(readable.data)
    assert np.array_equal(fast.data[~both_nan].view(np.uint32), readable.data[~both_nan].view(np.uint32))


@given(arrays.arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_compact_values_are_within_half_a_step(values: NDArray[np.float32]) -> None:
    small = compact(values)
    assert np.abs(small.values - values.astype(np.float64)).max() <= small.step / 2
    span = float(values.max()) - float(values.min())
    assert small.step <= max(2 * span / 65534, 2.0**-40, 2 * float(np.abs(values).max()) / 2**23)


@given(st.integers(0, 16383), st.one_of(CONSTANT, st.integers(-5, 16400).map(float)))
def test_a_threshold_in_whole_numbers_loses_nothing(level: int, threshold: float) -> None:
    reached = reached_from(np.array([threshold], np.float32))[0]
    assert (level >= reached) == (level > np.float32(threshold))


def corrected(
    stored: dict[str, NDArray[Any]],
    analogue: int,
    level: int,
    table: CorrectionTable = ALL,
    gain_mode: int = 0,
) -> tuple[float, int, int]:
    chosen = AgipdSettings.of(table, gain_mode)
    module = AgipdModule(0, chosen, AgipdConstants.prepare(stored, chosen.steps), (), (SLOW, FAST))
    raw = np.zeros((1, 2, SLOW, FAST), np.uint16)
    raw[0, 0], raw[0, 1] = analogue, level
    out = run(agipd_fast, module, raw, np.zeros(1, np.uint16))
    return float(out.data[0, 0, 0]), int(out.gain[0, 0, 0]), int(out.mask[0, 0, 0])


PLAIN = CorrectionTable()


def test_stages_offset_factor_and_mask_by_hand() -> None:
    stored = constants(1)
    stored["Offset"][..., :] = (100, 200, 300)
    stored["ThresholdsDark"][..., 0], stored["ThresholdsDark"][..., 1] = 50, 80
    stored["BadPixelsDark"][..., :] = (0, 1, 2)
    # relative gain: high 1, medium 10 / 0.5 = 20, low 20 × 4.48; 4 ADU for each photon
    assert corrected(stored, 110, 10, PLAIN) == (pytest.approx(2.5, rel=1e-4), 0, 0)
    assert corrected(stored, 220, 60, PLAIN) == (pytest.approx(100, rel=1e-4), 1, 1)
    assert corrected(stored, 330, 90, PLAIN) == (pytest.approx(672, rel=1e-4), 2, 2)
    assert corrected(stored, 330, 90, PLAIN, gain_mode=1) == (pytest.approx(57.5, rel=1e-4), 0, 0)


def test_a_pixel_with_little_signal_is_forced_back() -> None:
    stored = constants(1)
    stored["Offset"][..., :] = (100, 2000, 3000)
    stored["ThresholdsDark"][..., 1] = 80
    medium = CorrectionTable(steps=("thresholding", "force_medium", "offset"))
    both = CorrectionTable(steps=("thresholding", "force_medium", "force_high", "offset"))
    assert corrected(stored, 2500, 90, medium)[:2] == (500, 1)
    assert corrected(stored, 3500, 90, medium)[:2] == (500, 2)
    assert corrected(stored, 1050, 90, both)[:2] == (950, 0)
    assert corrected(stored, 1200, 60, both)[:2] == (-800, 1)


def test_the_medium_baseline_joins_high_gain() -> None:
    stored = constants(1)
    slopes = stored["SlopesPC"]
    slopes[..., 0], slopes[..., 1], slopes[..., 3], slopes[..., 4] = 10, 80, 0.5, 700
    stored["ThresholdsDark"][..., 1] = 80
    stored["Offset"][..., 1] = 750  # a dark offset in forced medium gain that is 49 ADU off the line
    # Dark charge (100 - 80) / 10 = 2 steps; medium gain reads 700 + 0.5 × 2 = 701 there.
    steps = ("thresholding", "offset", "medium_baseline", "relative_gain")
    assert corrected(stored, 711, 60, CorrectionTable(steps=steps))[0] == pytest.approx(
        (711 - 701) * 20, rel=1e-4
    )


def test_the_common_mode_of_an_asic_goes_and_light_stays() -> None:
    stored = constants(1)
    table = CorrectionTable(steps=("offset", "common_mode"), common_mode_range_adu=(-30, 30))
    chosen = AgipdSettings.of(table)
    module = AgipdModule(0, chosen, AgipdConstants.prepare(stored, chosen.steps), (), (SLOW, FAST))
    raw = np.full((1, 2, SLOW, FAST), 107, np.uint16)
    raw[0, 0, 0, 0] = 1107
    out = run(agipd_fast, module, raw, np.zeros(1, np.uint16))
    assert out.data[0, 0, 0] == 1000
    assert np.all(out.data[0].ravel()[1:] == 0)


def test_the_noise_peak_of_an_asic_goes_to_zero_and_light_stays() -> None:
    stored = constants(1)
    table = CorrectionTable(steps=("offset", "baseline"), baseline_least_pixels=6)
    raw = np.full((1, 2, SLOW, FAST), 150, np.uint16)  # 50 ADU over the offset
    raw[0, 0, 0] = (1150, 190, 100, 149)
    for least, peak in ((6, 0), (12, 50)):  # with too few pixels in the peak nothing is shifted
        chosen = AgipdSettings.of(table.model_copy(update={"baseline_least_pixels": least}))
        module = AgipdModule(0, chosen, AgipdConstants.prepare(stored, chosen.steps), (), (SLOW, FAST))
        out = run(agipd_fast, module, raw, np.zeros(1, np.uint16)).data[0]
        assert out[1:] == pytest.approx(peak, abs=0.2)
        assert out[0, 0] - out[1, 0] == pytest.approx(1000)


def test_cleaning_rounds_and_zeroes_and_the_mask_says_why() -> None:
    stored = constants(1)
    stored["BadPixelsDark"][1, 0] = BadPixel.VALUE_IS_NAN
    steps = ("offset", "photon_gain", "mask", "round_photons", "zero_nans")
    chosen = AgipdSettings.of(CorrectionTable(steps=steps))
    module = AgipdModule(0, chosen, AgipdConstants.prepare(stored, chosen.steps), (), (SLOW, FAST))
    raw = np.zeros((1, 2, SLOW, FAST), np.uint16)
    raw[0, 0, 0] = (105, 300, 106, 90)  # photons: 1.25, no number, 1.5, −2.5
    out = run(agipd_fast, module, raw, np.zeros(1, np.uint16))
    assert out.data[0, 0].tolist() == [1, 0, 2, 0]
    assert out.mask[0, 0].tolist() == [0, BadPixel.VALUE_IS_NAN, 0, 0]


def test_constants_that_are_none_make_flagged_pixels() -> None:
    stored = constants(1)
    stored["SlopesPC"][0, 0, 0, 0] = 0
    value, _, mask = corrected(stored, 110, 10, PLAIN)
    assert np.isnan(value)
    assert mask == BadPixel.VALUE_IS_NAN
    stored = constants(1)
    stored["SlopesPC"][0, 0, 0, 0] = 0.1
    assert corrected(stored, 110, 10, PLAIN)[2] == BadPixel.VALUE_IS_NAN | BadPixel.CI_GAIN_OF_OF_THRESHOLD
    stored = constants(1)
    stored["Offset"][0, 0, 0, 0] = 40_000
    assert corrected(stored, 110, 10, PLAIN)[2] == BadPixel.VALUE_IS_NAN | BadPixel.OFFSET_OUT_OF_THRESHOLD


def test_further_maps_of_bad_pixels_are_added() -> None:
    shape = (FAST, SLOW, 1)
    stored = constants(1)
    stored["BadPixelsDark"][0, 0] = BadPixel.NOISE_OUT_OF_THRESHOLD
    stored["BadPixelsPC"] = np.full((*shape, 3), BadPixel.CI_EVAL_ERROR, np.uint32)
    stored["BadPixelsFF"] = np.full(shape, BadPixel.FF_GAIN_DEVIATION, np.uint32)
    wanted = BadPixel.NOISE_OUT_OF_THRESHOLD | BadPixel.CI_EVAL_ERROR | BadPixel.FF_GAIN_DEVIATION
    assert corrected(stored, 110, 10, PLAIN)[2] == wanted


def test_a_cell_without_constants_is_flagged() -> None:
    chosen = AgipdSettings.of(PLAIN)
    module = AgipdModule(0, chosen, AgipdConstants.prepare(constants(1), chosen.steps), (), (SLOW, FAST))
    out = run(agipd_fast, module, np.zeros((1, 2, SLOW, FAST), np.uint16), np.ones(1, np.uint16))
    assert np.isnan(out.data).all()
    assert np.all(out.mask == (BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN))


def test_what_a_step_needs_is_named() -> None:
    stored = {name: values for name, values in constants(1).items() if name != "SlopesFF"}
    with pytest.raises(SettingRejected, match="SlopesFF"):
        AgipdRecipe(AgipdSettings.of(PLAIN)).prepare(0, stored)
    with pytest.raises(SettingRejected, match="among"):
        AgipdSettings.of(CorrectionTable(steps=("ofset",)))


def test_a_large_detector_fits_in_six_gigabytes() -> None:
    cells = 4
    rng = np.random.default_rng(1)
    shape = (128, 512, cells)
    stored = {
        "Offset": rng.uniform(3000, 8000, (*shape, 3)).astype(np.float32),
        "ThresholdsDark": rng.uniform(5000, 8000, (*shape, 5)).astype(np.float32),
        "SlopesPC": rng.uniform(2.9, 3.1, (*shape, 5)).astype(np.float32),
        "SlopesFF": rng.uniform(29, 31, (*shape, 2)).astype(np.float32),
        "BadPixelsDark": (rng.random((*shape, 3)) < 0.006).astype(np.uint32),
    }
    module = AgipdRecipe(AgipdSettings.of(PLAIN)).prepare(0, stored)
    assert module.constants_bytes * 16 * 352 / cells < 6e9
