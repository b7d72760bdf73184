"""Dark pictures and pictures of a lit LED, made by the test."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fat.degg.analyses.camera import DarkFrames, blob

SHAPE = (993, 1312)
COVERED = (16, 3)
"""Rows and columns that see no light: the first ones."""


def dark(rng: np.random.Generator, pedestal: float = 270.0, noise: float = 1.5) -> NDArray[np.uint16]:
    return np.rint(rng.normal(pedestal, noise, SHAPE)).astype(np.uint16)


def test_pedestal_noise_and_hot_pixels_are_found() -> None:
    rng = np.random.default_rng(1)
    hot = rng.choice(977 * 1309, 25, replace=False)
    sums = DarkFrames()
    for frame in range(5):
        picture = dark(rng)
        lit = picture[COVERED[0] :, COVERED[1] :]
        rows, columns = np.unravel_index(hot, lit.shape)
        lit[rows, columns] += 300
        lit[100 + frame, 200] = 4000
        sums.add(picture)
    found = sums.result()
    assert found.pedestal == pytest.approx(270.0, abs=0.05)
    # Rounding to whole counts adds a twelfth.
    assert found.noise == pytest.approx(np.hypot(1.5, 1 / np.sqrt(12)), abs=0.06)
    assert {tuple(place) for place in found.hot.tolist()} == set(
        zip(rows.tolist(), columns.tolist(), strict=True)
    )
    assert found.frames == 5
    with pytest.raises(ValueError, match="no picture"):
        DarkFrames().result()
    with pytest.raises(ValueError, match="993"):
        sums.add(np.zeros((10, 10), np.uint16))


def lit(
    rng: np.random.Generator, row: float, column: float, sigma: float, height: float
) -> NDArray[np.uint16]:
    rows = np.exp(-0.5 * ((np.arange(977) - row) / sigma) ** 2)
    columns = np.exp(-0.5 * ((np.arange(1309) - column) / sigma) ** 2)
    picture = dark(rng).astype(np.float64)
    picture[COVERED[0] :, COVERED[1] :] += height * np.outer(rows, columns)
    return np.minimum(picture, 4095).astype(np.uint16)


@pytest.mark.parametrize("height", [100.0, 9000.0])
def test_the_picture_of_an_led_is_found_where_it_is(height: float) -> None:
    found = blob(lit(np.random.default_rng(2), 600.0, 420.0, 55.0, height))
    assert found.found
    assert found.row == pytest.approx(600.0, abs=4.0)
    assert found.column == pytest.approx(420.0, abs=4.0)
    if height < 3000:
        # Half of the height is passed at 1.177 sigma.
        assert found.area == pytest.approx(np.pi * (1.177 * 55.0) ** 2, rel=0.1)


def test_what_is_no_led_is_not_found() -> None:
    rng = np.random.default_rng(3)
    assert not blob(dark(rng)).found
    hot = dark(rng)
    hot[500, 500] = 4095
    assert not blob(hot).found
    stray = dark(rng)
    stray[:, 600:] += 400
    assert not blob(stray).found
    streak = dark(rng)
    streak[400:420, 100:1200] += 500
    assert not blob(streak).found
