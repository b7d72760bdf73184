"""The fast LPD and DSSC kernels give the bits of the readable ones, and both what the conventions say."""

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
from pipeline.correct.dssc import DsscModule, DsscRecipe
from pipeline.correct.kernels import dssc_fast, dssc_reference, lpd_fast, lpd_reference
from pipeline.correct.lpd import LpdModule, LpdRecipe
from pipeline.errors import SettingRejected

SLOW, FAST = 2, 3
PIXELS = SLOW * FAST
ADC = st.integers(0, 2**14 - 1)
CONSTANT = st.one_of(
    st.floats(-1e3, 5e3, width=32),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 3e38, -3e38, 1e-40]),
)
CELLS = st.sampled_from([0, 1, 2, 511, 65535])
BITS = st.integers(0, 2**32 - 1)


def equal(one: Buffers, other: Buffers) -> bool:
    nan = np.isnan(one.data) & np.isnan(other.data)
    same = np.array_equal(one.data[~nan].view(np.uint32), other.data[~nan].view(np.uint32))
    return same and np.array_equal(one.gain, other.gain) and np.array_equal(one.mask, other.mask)


@st.composite
def lpd_cases(draw: st.DrawFn) -> tuple[LpdModule, NDArray[Any], NDArray[Any]]:
    cells, combine = draw(st.integers(1, 3)), draw(st.booleans())
    frames = 3 * draw(st.integers(0, 2)) if combine else draw(st.integers(0, 4))

    def values(elements: st.SearchStrategy[Any], dtype: type) -> NDArray[Any]:
        return draw(arrays.arrays(dtype, (3, cells, PIXELS), elements=elements))

    module = LpdModule(
        0, values(CONSTANT, np.float32), values(CONSTANT, np.float32), values(BITS, np.uint32), combine,
        (draw(st.integers(0, 4095)), draw(st.integers(0, 4095))), (), (SLOW, FAST),
    )  # fmt: skip
    raw = draw(arrays.arrays(np.uint16, (frames, 1, SLOW, FAST), elements=ADC))
    return module, raw, draw(arrays.arrays(np.uint16, (frames,), elements=CELLS))


@given(lpd_cases())
@settings(deadline=None, max_examples=150)
def test_both_lpd_kernels_agree_to_the_bit(case: tuple[LpdModule, NDArray[Any], NDArray[Any]]) -> None:
    module, raw, cell_id = case
    one, other = (Buffers.of(module.frames_out(len(raw)), (SLOW, FAST)) for _ in range(2))
    with np.errstate(all="ignore"):
        module.apply(lpd_fast, raw, cell_id, one)
        module.apply(lpd_reference, raw, cell_id, other)
    assert equal(one, other)


@given(
    arrays.arrays(np.uint16, (3, 1, SLOW, FAST), elements=st.integers(0, 511)),
    arrays.arrays(np.uint16, (3,), elements=CELLS),
    arrays.arrays(np.float32, (2, PIXELS), elements=CONSTANT),
    arrays.arrays(np.uint32, (2, PIXELS), elements=BITS),
    st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_both_dssc_kernels_agree_to_the_bit(
    raw: NDArray[Any], cell_id: NDArray[Any], offset: NDArray[Any], bits: NDArray[Any], eight: bool
) -> None:
    module = DsscModule(0, offset, bits, eight, (), (SLOW, FAST))
    one, other = (Buffers.of(3, (SLOW, FAST)) for _ in range(2))
    module.apply(dssc_fast, raw, cell_id, one)
    module.apply(dssc_reference, raw, cell_id, other)
    assert equal(one, other)


def lpd_constants(cells: int = 1) -> dict[str, NDArray[Any]]:
    def stages(*values: float) -> NDArray[Any]:
        return np.broadcast_to(np.array(values, np.float32), (256, 256, cells, 3)).copy()

    return {
        "Offset": stages(700, 750, 800),
        "RelativeGain": stages(1, 10, 100),
        "GainAmpMap": stages(2, 2, 2),
        "FFMap": stages(0.05, 0.05, 0.05),
        "BadPixelsDark": np.zeros((256, 256, cells, 3), np.uint32),
    }


def lpd_value(words: list[int], table: CorrectionTable | None = None, parallel: bool = False) -> Buffers:
    recipe = LpdRecipe(table or CorrectionTable(), parallel)
    module = recipe.prepare(0, lpd_constants(len(words)))
    raw = np.empty((len(words), 1, 256, 256), np.uint16)
    raw[:] = np.array(words, np.uint16)[:, None, None, None]
    out = Buffers.of(module.frames_out(len(words)), (256, 256))
    module.apply(lpd_fast, raw, np.arange(len(words), dtype=np.uint16), out)
    return out


def test_lpd_gain_bits_choose_the_constants() -> None:
    out = lpd_value([720, 760 | 1 << 12, 900 | 2 << 12, 900 | 3 << 12])
    assert out.data[:3, 0, 0].tolist() == pytest.approx([20 * 2 * 0.05, 10 * 10 * 0.1, 100 * 100 * 0.1])
    assert np.isnan(out.data[3, 0, 0])
    assert out.gain[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert out.mask[:3].max() == 0
    assert out.mask[3, 0, 0] == BadPixel.WRONG_GAIN_VALUE | BadPixel.VALUE_IS_NAN


def test_parallel_gain_takes_the_first_frame_that_is_not_full() -> None:
    medium, low = 1 << 12, 2 << 12
    # Pulse 0: high gain is within its limit. Pulse 1: high and medium are full.
    out = lpd_value([720, 4095, 760 | medium, 3900 | medium, 801 | low, 1000 | low], parallel=True)
    assert out.data[:, 0, 0].tolist() == pytest.approx([2.0, 200 * 100 * 0.1])
    assert out.gain[:, 0, 0].tolist() == [0, 2]
    apart = lpd_value([720, 760 | medium, 801 | low], CorrectionTable(combine_parallel_gain=False), True)
    assert apart.gain[:, 0, 0].tolist() == [0, 1, 2]


def test_dssc_subtracts_the_offset_of_the_cell_and_knows_eight_bits() -> None:
    offset = np.broadcast_to(np.array([60, 70], np.float32), (512, 128, 2)).copy()
    for eight, expected in ((False, [0 - 60, 100 - 70]), (True, [256 - 60, 100 - 70])):
        module = DsscRecipe(CorrectionTable(eight_bit=eight)).prepare(0, {"Offset": offset})
        raw = np.zeros((2, 1, 128, 512), np.uint16)
        raw[1] = 100
        out = Buffers.of(2, (128, 512))
        module.apply(dssc_fast, raw, np.array([0, 1], np.uint16), out)
        assert out.data[:, 5, 7].tolist() == expected
        assert out.gain.max() == 0


def test_what_a_step_needs_is_named() -> None:
    stored = {name: values for name, values in lpd_constants().items() if name != "FFMap"}
    with pytest.raises(SettingRejected, match="FFMap"):
        LpdRecipe(CorrectionTable()).prepare(0, stored)
    LpdRecipe(CorrectionTable(steps=("offset", "relative_gain"))).prepare(0, stored)
    with pytest.raises(SettingRejected, match="Offset"):
        DsscRecipe(CorrectionTable()).prepare(0, {})
