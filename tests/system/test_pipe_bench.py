"""The benchmark as a program: small measurements whose numbers add up. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.bench import end_to_end, growth, kernel, made_data, offline
from pipeline.bench.end_to_end import EndToEnd, Load
from pipeline.bench.rounds import side_by_side
from pipeline.correct.agipd_constants import IMAGE
from pipeline.correct.kernels import agipd_fast, agipd_reference
from pipeline.correct.recipe import Buffers


def test_every_round_runs_all_candidates_in_turn() -> None:
    called: list[str] = []
    took = side_by_side({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, 3, warm_up=1)
    assert called == ["a", "b"] * 4
    assert set(took) == {"a", "b"}


def test_the_candidates_correct_the_same() -> None:
    made, raw = made_data.module(2, 1), made_data.raw_train(2, 1)
    cell_id = np.arange(2, dtype=np.uint16)
    rooms = [Buffers.of(2, IMAGE) for _ in range(3)]
    made.apply(agipd_fast, raw, cell_id, rooms[0])
    made.apply(agipd_reference, raw, cell_id, rooms[1])
    kernel.correct_with_plain_numpy(raw, cell_id, made_data.plain_constants(made.constants), rooms[2])
    for other in rooms[1:]:
        assert np.array_equal(other.gain, rooms[0].gain)
        assert np.array_equal(other.mask, rooms[0].mask)
        assert np.allclose(other.data, rooms[0].data, rtol=1e-5, atol=1e-3)
    switched = (rooms[0].gain == 1).mean()
    assert 0.02 <= switched < 0.025


def test_ratios_follow_from_the_numbers() -> None:
    found = kernel.KernelResult(400.0, 20.0, 30.0, 0.15)
    assert found.vs_numpy == 20
    assert found.gb_per_s == pytest.approx(400 * 16 * 65536 * 33 / 1e9)
    assert found.vs_triad == pytest.approx(found.gb_per_s / 30)


def test_end_to_end_accounts_for_every_train() -> None:
    found = end_to_end.measure(Load(frames=2, modules=1, seconds=3))
    trains = found.trains
    assert trains["sent"] == found.load.trains
    assert trains["sent"] == trains["corrected"] + trains["shed"] + trains["lost"]
    assert found.client_trains > 0
    assert {"simulator", "correct", "receive and assemble"} <= set(found.cores)
    assert growth.Growth([found], 1.0, 0.5).per_image_ms == 8


def test_the_growth_is_fitted_through_the_loads_that_held() -> None:
    def point(frames: int, core_ms: float, lost: int = 0) -> EndToEnd:
        trains = {"sent": 10, "received": 10, "corrected": 10 - lost, "shed": 0, "lost": lost}
        return EndToEnd(
            Load(frames=frames, modules=2), 0.0, {}, trains, 0, {"all": core_ms / 100}, (0.0, 0.0)
        )

    growing = growth.fitted([point(10, 6), point(20, 11), point(40, 21), point(80, 300, lost=3)])
    assert growing.per_module_image_ms == pytest.approx(0.25)
    assert growing.per_train_ms == pytest.approx(1)


def test_offline_is_measured_against_a_copy() -> None:
    found = offline.measure(modules=1, trains=1, frames=2, rounds=1)
    assert found.ratio > 0
    assert found.written_bytes_per_raw_byte > 0.5


def test_a_section_that_is_none_is_refused_with_those_that_are() -> None:
    command = [sys.executable, "-m", "fat", "pipe", "bench", "--section", "kernels", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "every_train" in json.loads(done.stdout)["error"]
