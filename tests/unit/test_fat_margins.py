"""Margins of a finished run, from measurements that the test makes up."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "fat_margins.py"


@pytest.fixture(scope="module")
def program() -> Any:
    spec = importlib.util.spec_from_file_location("fat_margins", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fat_margins"] = module
    spec.loader.exec_module(module)
    del sys.modules["fat_margins"]
    return module


def measured(value: float | None, part: str = "LowerPmt", **bounds: float | None) -> dict[str, Any]:
    limit = {"name": "degg_pmt_R5912-100-70_some-width", "at_least": None, "at_most": None, **bounds}
    return {"name": "width", "unit": "ns", "device": "DEgg2021-3-133", "part": part, "value": value} | {
        "limit": limit if bounds else None
    }


def test_repeats_are_told_from_what_parts_differ_by(program: Any) -> None:
    lower = [measured(value, at_most=20.0) for value in (9.0, 11.0)]
    upper = [measured(value, "UpperPmt", at_most=20.0) for value in (1.0, 3.0)]
    (found,) = program.margins([*lower, *upper])
    assert (found.limit, found.side, found.bound, found.unit) == ("some-width", "at most", 20.0, "ns")
    assert (found.count, found.least, found.median, found.most) == (4, 1.0, 6.0, 11.0)
    # Two repeats that are one from their mean have a standard deviation of the root of two.
    assert found.of_one == pytest.approx((20.0 - 10.0) / math.sqrt(2.0))
    assert found.of_all == pytest.approx((20.0 - 6.0) / math.sqrt((3.0**2 + 5.0**2) / 2))
    assert found.missed == 0


def test_both_sides_of_a_range_have_a_margin_by_the_spread_of_their_own_side(program: Any) -> None:
    values = [9.0, 10.0, 10.0, 10.0, 16.0]
    least, most = program.margins([measured(value, at_least=0.0, at_most=40.0) for value in values])
    assert (least.side, least.bound) == ("at least", 0.0)
    assert least.of_all == pytest.approx(10.0 / 1.0)
    assert (most.side, most.bound) == ("at most", 40.0)
    assert most.of_all == pytest.approx(30.0 / 6.0)


@pytest.mark.parametrize(("value", "missed"), [(20.0, 0), (20.5, 1)])
def test_what_is_outside_is_counted(program: Any, value: float, missed: int) -> None:
    (found,) = program.margins([measured(9.0, at_most=20.0), measured(value, at_most=20.0)])
    assert found.missed == missed


def test_what_never_varies_and_what_was_not_judged_has_no_distance(program: Any) -> None:
    (found,) = program.margins(
        [measured(0.0, at_most=3.0), measured(0.0, at_most=3.0), measured(7.0), measured(None, at_most=3.0)]
    )
    assert found.count == 2
    assert math.isnan(found.of_all)
    assert math.isnan(found.of_one)
    assert not found.near(5.0)


@pytest.mark.parametrize(("bound", "code", "told"), [(100.0, 0, "no limits are nearer"), (14.0, 1, "  near")])
def test_runs_are_read_together_and_near_limits_told(
    tmp_path: Path, bound: float, code: int, told: str
) -> None:
    for name, values in (("00001", (9.0, 11.0)), ("00002", (8.0, 10.0))):
        (tmp_path / name).mkdir()
        record = {"measurements": [["task_0", measured(value, at_most=bound)] for value in values]}
        (tmp_path / name / "record.json").write_text(json.dumps(record))
    folders = [str(tmp_path / name) for name in ("00001", "00002")]
    done = subprocess.run([sys.executable, PROGRAM, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert told in done.stdout
    assert "some-width" in done.stdout
    assert "     4         8" in done.stdout
