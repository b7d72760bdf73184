"""`stellwerk sim ls`, `status` and `check` with a laboratory of sixteen modules; `sim doc`, which needs none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from sim.commands import app
from sim.kernel.figures import listed
from sim.kinds_command import in_short
from sim.lab.table import LabTable

BENCH = """
[bench]
name = "lab"
seed = 1
data_dir = "{folder}/data"

[sim.clock]
mode = "manual"

[sim.devices.lab]
kind = "lab"
"""


def stellwerk(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fat", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_sixteen_modules_are_listed_and_do_not_drown_a_person(tmp_path: Path) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(BENCH.format(folder=tmp_path))
    with OwnedBench(file, log=tmp_path / "bench.log") as bench:
        control = ControlClient(bench.endpoints["control"], bench.token)
        control.advance(3600 * 10**9)
        control.switch_fault("degg.5003", "trip_hv", channel=1)
        shown = stellwerk("sim", "ls", file)
        assert shown.returncode == 0, shown.stderr
        lines = shown.stdout.splitlines()
        assert lines[0].startswith("lab: day 1, ")
        assert lines[1].endswith("dark: the laser's supply is off")
        row = next(line for line in lines if line.split()[:1] == ["5003"])
        assert row.split()[1:3] == ["DEgg2021-3-103", "on"]
        assert row.endswith("trip_hv")
        assert sum(line.split()[:1] == [str(port)] for line in lines for port in range(5000, 5016)) == 16
        state = json.loads(stellwerk("sim", "ls", file, "--json").stdout)["lab"]
        assert state["parts"]["degg.5003"]["faults"]["trip_hv"]["on"]
        assert state["parts"]["lab.chamber"]["address"] == bench.endpoints["lab.chamber"]

        told = stellwerk("status", file).stdout.splitlines()
        assert len(told) < 30
        assert any(line.split() == ["degg.5003", "faults", "on:", "trip_hv"] for line in told)
        family = next(line for line in told if "degg.5000" in line)
        assert family.split()[:5] == ["degg.5000", "…", "10007", "17", "addresses,"]
        assert not any("degg.5001" in line for line in told)
        control.close()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('device = "degg.5016"\nfault = "trip_hv"', "did you mean 'degg.50"),
        ('device = "lab.termometer"\nfault = "stay_silent"', "did you mean 'lab.thermometer'?"),
        ('device = "degg.5003"\nfault = "trip_hw"', "degg.5003 has no such fault; did you mean 'trip_hv'?"),
        ('device = "degg.10007"\nfault = "dead_led"', "degg.10007 has no such fault"),
        ('device = "degg.5003"\nfault = "trip_hv"\nparameters = { chanel = 1 }', "it has: channel"),
    ],
)
def test_check_knows_parts_and_their_faults(tmp_path: Path, entry: str, said: str) -> None:
    from fat.bench.file import parse
    from fat.errors import BenchFileRejected

    text = BENCH.format(folder=tmp_path) + f"\n[[sim.faults]]\nat_s = 1.0\n{entry}\n"
    with pytest.raises(BenchFileRejected) as rejected:
        parse(text, Path("lab.toml"))
    assert said in str(rejected.value)
    assert "lab.toml:1" in str(rejected.value)


def test_every_figure_is_told_with_value_unit_origin_and_meaning() -> None:
    result = CliRunner().invoke(app, ["doc", "--json"])
    assert result.exit_code == 0
    told = {figure["key"]: figure for figure in json.loads(result.stdout)["lab"]}
    figures = type(LabTable().figures)
    assert set(told) == {f"figures.{figure.key}" for figure in listed(figures)}
    assert len(told) > 60
    assert told["figures.cold.air_lag_h"] == {
        "key": "figures.cold.air_lag_h",
        "value": 3.0,
        "unit": "h",
        "origin": "design choice",
        "about": "Lag of the air in the box behind the freezer.",
    }
    assert all(figure["about"].endswith(".") for figure in told.values())


def test_figures_are_chosen_by_word_and_origin() -> None:
    runner = CliRunner()
    sourced = json.loads(runner.invoke(app, ["doc", "--origin", "sourced", "--json"]).stdout)["lab"]
    assert {figure["origin"] for figure in sourced} == {"sourced"}
    text = runner.invoke(app, ["doc", "humidity_open"]).stdout.splitlines()
    assert text == [
        'lab: in a table with kind = "lab"',
        "  figures.cold.humidity_open = 45.0 %   (design choice)",
        "      Relative humidity of the laboratory.",
    ]
    assert runner.invoke(app, ["doc", "no such figure"]).exit_code == 2


def test_numbered_names_are_told_in_short() -> None:
    assert (
        in_short(["a", "degg.1", "degg.2", "degg.3", "icm.1", "icm.2"]) == "a, degg.1 … degg.3, icm.1, icm.2"
    )
