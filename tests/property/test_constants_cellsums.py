"""Sums over frames give the same statistics as numpy in double precision, in any order and grouping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.constants.cellsums import MOST_FRAMES, CellSums

SHAPE = (2, 2, 3)


@st.composite
def frames(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(0, 24))
    data = draw(arrays(np.uint16, (n, *SHAPE), elements=st.sampled_from([0, 1, 3500, 3501, 16383, 65535])))
    return data, draw(arrays(np.uint16, n, elements=st.integers(0, 5)))


@settings(deadline=None)
@given(frames(), st.integers(1, 24), st.randoms(use_true_random=False))
def test_statistics_are_exact_whatever_the_blocks(sample: tuple, block: int, random: object) -> None:
    data, cells = sample
    order = list(range(len(data)))
    random.shuffle(order)  # type: ignore[attr-defined]
    sums = CellSums(range(1, 4), SHAPE)
    for start in range(0, len(order), block):
        rows = order[start : start + block]
        sums.add(data[rows], cells[rows])
    mean, deviation = sums.mean(), sums.deviation()
    for row, cell in enumerate(range(1, 4)):
        chosen = data[cells == cell].astype(np.float64)
        assert sums.count[row] == len(chosen)
        if len(chosen) == 0:
            assert np.isnan(mean[row]).all()
        else:
            np.testing.assert_allclose(mean[row], chosen.mean(axis=0), rtol=1e-6)
        if len(chosen) < 2:
            assert np.isnan(deviation[row]).all()
        else:
            np.testing.assert_allclose(deviation[row], chosen.std(axis=0, ddof=1), rtol=1e-6, atol=1e-9)


def test_a_small_spread_on_a_large_level_is_not_lost() -> None:
    sums = CellSums(range(1), (1,))
    values = np.tile(np.array([65534, 65535], np.uint16), 20_000)[:, None]
    sums.add(values, np.zeros(len(values), np.uint16))
    assert sums.deviation()[0, 0] == pytest.approx(values.astype(np.float64).std(ddof=1), rel=1e-6)


def test_more_frames_than_the_sums_hold_are_refused() -> None:
    sums = CellSums(range(1), (1,))
    sums.count[0] = MOST_FRAMES
    with pytest.raises(OverflowError, match="memory cell 0"):
        sums.add(np.zeros((1, 1), np.uint16), np.zeros(1, np.uint16))
