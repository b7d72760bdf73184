"""The fast kernel gives the bits of the readable one, whatever comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.constants import BadPixel
from pipeline.correct.agipd import AgipdConstants, AgipdSettings
from pipeline.correct.kernels import fast, reference
from pipeline.errors import SettingRejected

SHAPE = (3, 4)
ADC = st.integers(0, 2**16 - 1)
CONSTANT = st.one_of(
    st.floats(-1e4, 2e4, width=32),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 3e38, -3e38, 1e-40]),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[object, ...]:
    frames, cells = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    raw = draw(arrays.arrays(np.uint16, (frames, 2, *SHAPE), elements=ADC))
    cell_id = draw(arrays.arrays(np.uint16, (frames,), elements=st.sampled_from([0, 1, 2, 3, 351, 65535])))
    thresholds = draw(arrays.arrays(np.float32, (cells, *SHAPE, 2), elements=CONSTANT))
    offset = draw(arrays.arrays(np.float32, (cells, *SHAPE, 3), elements=CONSTANT))
    factor = draw(arrays.arrays(np.float32, (cells, *SHAPE, 3), elements=CONSTANT))
    bad = draw(arrays.arrays(np.uint32, (cells, *SHAPE, 3), elements=st.integers(0, 2**32 - 1)))
    return raw, cell_id, thresholds, offset, factor, bad, draw(st.booleans()), draw(st.integers(0, 2))


def run(kernel: object, case: tuple[object, ...]) -> tuple[object, object, object]:
    frames = len(case[0])  # type: ignore[arg-type]
    out = np.full((frames, *SHAPE), 7, np.float32)
    gain, mask = np.full((frames, *SHAPE), 7, np.uint8), np.full((frames, *SHAPE), 7, np.uint32)
    kernel(*case, out, gain, mask)  # type: ignore[operator]
    return out, gain, mask


@given(cases())
@settings(deadline=None, max_examples=150)
def test_both_kernels_agree_to_the_bit(case: tuple[object, ...]) -> None:
    for ours, theirs in zip(run(fast.correct_agipd, case), run(reference.correct_agipd, case), strict=True):
        one, other = np.asarray(ours), np.asarray(theirs)
        both_nan = np.isnan(one) & np.isnan(other) if one.dtype.kind == "f" else np.zeros(one.shape, bool)
        assert np.array_equal(one[~both_nan].view(np.uint8), other[~both_nan].view(np.uint8))


def test_stages_offset_factor_and_mask_by_hand() -> None:
    raw = np.zeros((1, 2, 1, 3), np.uint16)
    raw[0, 0] = [[110, 220, 330]]
    raw[0, 1] = [[10, 60, 90]]
    thresholds = np.zeros((1, 1, 3, 2), np.float32)
    thresholds[..., 0], thresholds[..., 1] = 50, 80
    offset = np.broadcast_to(np.array([100, 200, 300], np.float32), (1, 1, 3, 3)).copy()
    factor = np.broadcast_to(np.array([0.5, 2, 4], np.float32), (1, 1, 3, 3)).copy()
    bad = np.broadcast_to(np.array([0, 1, 2], np.uint32), (1, 1, 3, 3)).copy()
    out, gain, mask = (
        np.empty((1, 1, 3), np.float32),
        np.empty((1, 1, 3), np.uint8),
        np.empty((1, 1, 3), np.uint32),
    )
    fast.correct_agipd(raw, np.zeros(1, np.uint16), thresholds, offset, factor, bad, True, 0, out, gain, mask)
    assert out.tolist() == [[[5.0, 40.0, 120.0]]]
    assert gain.tolist() == [[[0, 1, 2]]]
    assert mask.tolist() == [[[0, 1, 2]]]


def test_a_cell_without_constants_is_flagged() -> None:
    three = np.ones((1, 1, 1, 3), np.float32)
    out, gain, mask = (
        np.empty((1, 1, 1), np.float32),
        np.empty((1, 1, 1), np.uint8),
        np.empty((1, 1, 1), np.uint32),
    )
    fast.correct_agipd(
        np.zeros((1, 2, 1, 1), np.uint16), np.array([1], np.uint16), np.ones((1, 1, 1, 2), np.float32),
        three, three, np.zeros((1, 1, 1, 3), np.uint32), True, 0, out, gain, mask,
    )  # fmt: skip
    assert np.isnan(out[0, 0, 0])
    assert mask[0, 0, 0] == BadPixel.NO_DARK_DATA | BadPixel.VALUE_IS_NAN


def test_relative_gain_follows_the_documented_convention() -> None:
    shape = (128, 512, 1)
    slopes = np.zeros((*shape, 5), np.float32)
    slopes[..., 0], slopes[..., 3] = 10, 0.5
    slopes[0, 0, 0, 0] = 20
    stored = {
        "Offset": np.zeros((*shape, 3), np.float32),
        "ThresholdsDark": np.zeros((*shape, 5), np.float32),
        "SlopesPC": slopes,
        "SlopesFF": np.full((*shape, 2), 4, np.float32),
        "BadPixelsDark": np.zeros((*shape, 3), np.uint32),
    }
    prepared = AgipdConstants.prepare(stored, AgipdSettings())
    assert prepared.factor[0, 5, 5].tolist() == pytest.approx([1 / 4, 20 / 4, 20 * 4.48 / 4])
    assert prepared.factor[0, 0, 0, 0] == pytest.approx(0.5 / 4)
    with pytest.raises(SettingRejected, match="SlopesFF"):
        AgipdConstants.prepare({k: v for k, v in stored.items() if k != "SlopesFF"}, AgipdSettings())
    only_offset = AgipdSettings.of_steps(["offset"])
    assert np.all(AgipdConstants.prepare(stored, only_offset).factor == 1)
    with pytest.raises(SettingRejected, match="among"):
        AgipdSettings.of_steps(["ofset"])
