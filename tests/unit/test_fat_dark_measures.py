"""What an acceptance run measures of dark constants: with gain stages and without, and in parallel gain."""

from __future__ import annotations

import numpy as np

from fat.tasks.constants import measure, stages_shown
from pipeline.constants import BadPixel, ModuleDark, conditions_of

LOST = int(BadPixel.NO_DARK_DATA)


def dark(shape: tuple[int, ...], trains: np.ndarray) -> ModuleDark:
    """Noise 3 ADU wherever there are trains."""
    stages = shape if len(shape) == 4 else (*shape, 1)
    there = np.broadcast_to(trains > 0, stages).reshape(shape)
    noise = np.where(there, np.float32(3), np.float32(np.nan))
    bits = np.where(there, np.uint32(0), np.uint32(LOST))
    return ModuleDark(0, {"Offset": noise * 100, "Noise": noise, "BadPixelsDark": bits}, trains)


def values(made: ModuleDark, shown: np.ndarray) -> dict[str, float]:
    return {measurement.name: value for measurement, value in measure({0: made}, shown, 10)}


def test_parallel_gain_shows_one_stage_in_a_third_of_the_cells() -> None:
    parallel = conditions_of("LPD", {"memory_cells": 6, "parallel_gain": True})
    shown = stages_shown(parallel, 3)
    assert shown.astype(int).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert stages_shown(conditions_of("LPD", {"memory_cells": 6}), 3).all()
    assert stages_shown(conditions_of("DSSC", {"memory_cells": 2}), 1).shape == (2, 1)
    made = dark((4, 4, 6, 3), 10 * shown)
    assert values(made, shown) == {
        "high_gain_noise": 3, "medium_gain_noise": 3, "low_gain_noise": 3, "bad_pixels": 0, "trains_recorded": 1,
    }  # fmt: skip
    assert made.bad_counts(shown) == {"any": 0}
    assert made.bad_counts() == {"NO_DARK_DATA": 16, "any": 16}


def test_a_cell_that_was_lost_is_bad_in_parallel_gain_too() -> None:
    shown = stages_shown(conditions_of("LPD", {"memory_cells": 6, "parallel_gain": True}), 3)
    trains = 10 * shown
    trains[5] = 0
    taken = values(dark((4, 4, 6, 3), trains), shown)
    assert taken["bad_pixels"] == 100, "in any cell"
    assert taken["trains_recorded"] == 0
    assert taken["low_gain_noise"] == 3


def test_a_dssc_has_one_noise_and_a_module_without_data_none() -> None:
    shown = stages_shown(conditions_of("DSSC", {"memory_cells": 2}), 1)
    trains = np.full((2, 1), 8)
    assert values(dark((4, 4, 2), trains), shown) == {"noise": 3, "bad_pixels": 0, "trains_recorded": 0.8}
    taken = values(dark((4, 4, 2), 0 * trains), shown)
    assert np.isnan(taken["noise"])
    assert taken["bad_pixels"] == 100
