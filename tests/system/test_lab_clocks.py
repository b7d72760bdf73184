"""A laboratory on the bench's clocks, over real sockets: five days in seconds, the same bytes for the same seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fat.bench.client import ClockClient
from fat.bench.owned import OwnedBench

HOUR_NS = 3600 * 10**9
DAY_H = 24
BENCH = """
[bench]
name = "lab"
seed = {seed}
data_dir = "unused"

[sim.clock]
mode = "{mode}"
epoch = 2026-01-01T00:00:00Z
{more}

[sim.devices.lab]
kind = "lab"
modules = {{ count = 1 }}
{table}
"""
PROFILE = [(-40.0, 44), (-20.0, 20), (20.0, 14), (-40.0, 28), (20.0, 14)]
"""Set-points of fat.md section 10 and hours at each: five days."""


@contextmanager
def a_bench(
    folder: Path, *, mode: str = "skip", seed: int = 1, more: str = "", table: str = ""
) -> Iterator[OwnedBench]:
    folder.mkdir(exist_ok=True)
    (folder / "lab.toml").write_text(BENCH.format(mode=mode, seed=seed, more=more, table=table))
    with OwnedBench(folder / "lab.toml", data_dir=folder / "data", log=folder / "bench.log") as bench:
        yield bench


def state(bench: OwnedBench) -> Any:
    return httpx.get(f"{bench.endpoints['lab.page']}/state").json()


def test_five_days_pass_in_skip_mode_over_real_sockets(tmp_path: Path, lab_lines: Any) -> None:
    with (
        a_bench(tmp_path) as bench,
        ClockClient(bench.endpoints["clock"], "operator") as clock,
        lab_lines.Tcp(bench.endpoints["lab.chamber"]) as chamber,
    ):
        hour, seen = 0, []
        for set_point, hours in PROFILE:
            chamber.write(f"SETP1,{set_point:g}\n".encode())
            chamber.write(b"RUNM\n")
            assert float(chamber.ask(b"SETP1?\n")) == set_point
            for _ in range(hours):
                hour += 1
                assert clock.wait_until(hour * HOUR_NS) == hour * HOUR_NS
                seen.append(float(chamber.ask(b"PVAR1?\n")))
            # After ten lags or so the air, and the glass behind it, have arrived.
            assert seen[-1] == pytest.approx(set_point, abs=0.7)
            assert state(bench)["cold"]["glass_c"] == pytest.approx(set_point, abs=4.0)
        assert hour == 5 * DAY_H
        assert state(bench)["time"]["now_ns"] == 5 * DAY_H * HOUR_NS
        # First-order lag of three hours: 1 - 1/e of the way from 20 to -40 C after that time.
        assert seen[2] == pytest.approx(-40 + 60 * 0.3679, abs=0.1)


def test_a_fault_by_time_comes_and_goes_at_its_moment(tmp_path: Path) -> None:
    scripted = (
        '[[sim.faults]]\nat_s = 3600.0\nfor_s = 1800.0\ndevice = "lab.laser"\nfault = "miss_sync"\n'
        '[[sim.faults]]\nat_s = 5000.0\ndevice = "degg.5000"\nfault = "dead_fibre"\nparameters = { channel = 1 }\n'
    )
    with (
        a_bench(tmp_path, table=scripted) as bench,
        ClockClient(bench.endpoints["clock"], "operator") as clock,
    ):
        on = []
        for second in (3599, 3600, 5399, 5400):
            clock.wait_until(second * 10**9)
            parts = state(bench)["parts"]
            on.append(
                (
                    parts["lab.laser"]["faults"]["miss_sync"]["on"],
                    parts["degg.5000"]["faults"]["dead_fibre"]["on"],
                )
            )
        assert on == [(False, False), (True, False), (True, True), (False, True)]


def told(bench: OwnedBench, lab_lines: Any) -> list[bytes]:
    """What a round of questions is answered with: noise, draws, identities."""
    answers = []
    with lab_lines.Tcp(bench.endpoints["degg.5000"]) as console:
        for command in (
            b"boot",
            b"icmID",
            b"sloAdcReadAll",
            b"7 sloAdcReadChannel",
            b"getPressure printPressure",
        ):
            answers += [console.ask(command + b"\r\n", end=b"\r\n> ")]
    with lab_lines.Requests(bench.endpoints["icm.6000"]) as wire_pair:
        for command in ("devlist", "wp_voltage", "wp_current", "get_icm_time"):
            answers += [json.dumps(wire_pair.command(command=command)).encode()]
    return answers


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path, lab_lines: Any) -> None:
    rounds = []
    for number, seed in enumerate((1, 1, 2)):
        with (
            a_bench(tmp_path / str(number), seed=seed) as bench,
            ClockClient(bench.endpoints["clock"], "operator") as clock,
        ):
            first = told(bench, lab_lines)
            clock.wait_until(10 * HOUR_NS)
            truth = (tmp_path / str(number) / "data" / "lab" / "truth" / "degg_5000.json").read_bytes()
            rounds.append([*first, *told(bench, lab_lines), truth])
    assert rounds[0] == rounds[1]
    assert len(rounds[0]) == len(rounds[2])
    differing = [mine != other for mine, other in zip(rounds[0], rounds[2], strict=True)]
    assert sum(differing) >= len(differing) // 2


def test_scaled_time_runs_the_same_physics_faster(tmp_path: Path, lab_lines: Any) -> None:
    with (
        a_bench(tmp_path, mode="scaled", more="speed = 1000.0") as bench,
        lab_lines.Tcp(bench.endpoints["lab.chamber"]) as chamber,
    ):
        chamber.write(b"SETP1,-40\n")
        chamber.write(b"RUNM\n")
        while (first := state(bench))["cold"]["set_point_c"] != -40.0:
            pass
        # Nobody waits by the wall: the air is asked until it has cooled a little, minutes of simulated time.
        while (found := state(bench))["cold"]["air_c"] > first["cold"]["air_c"] - 1.0:
            pass
        passed_h = (found["time"]["now_ns"] - first["time"]["now_ns"]) / HOUR_NS
        left = (first["cold"]["air_c"] + 40) * 2.71828 ** (-passed_h / 3)
        assert found["cold"]["air_c"] == pytest.approx(-40 + left, abs=0.01)
