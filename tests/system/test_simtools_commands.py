"""`stellwerk sim fault` and `rates` on a bench that is up, and faults that the bench file appoints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench

BENCH = """
[bench]
name = "tools"
seed = 1
data_dir = "{folder}/data"

[sim.clock]
mode = "manual"

[sim.devices.agipd]
kind = "agipd"
modules = 1
memory_cells = 2
inject_constants = false

[pipeline]
modules = 1
memory_cells = 2

[[sim.faults]]
at_s = 1.0
for_s = 2.0
device = "agipd"
fault = "module_missing"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, ControlClient]]:
    """One bench for the file: each test leaves it without faults."""
    folder = tmp_path_factory.mktemp("tools")
    file = folder / "bench.toml"
    file.write_text(BENCH.format(folder=folder))
    with OwnedBench(file, log=folder / "bench.log") as bench:
        control = ControlClient(bench.endpoints["control"], bench.token)
        yield file, control
        control.close()


def sim(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fat", "sim", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def faults(control: ControlClient) -> dict[str, object]:
    return dict(control.status()["devices"]["agipd"]["faults"])


def test_a_fault_is_switched_shown_and_switched_off(up: tuple[Path, ControlClient]) -> None:
    file, control = up
    done = sim(
        "fault", file, "agipd", "drop_packets", "-p", "fraction=0.05", "-p", "numbers=[3, 4]", "--times", 2
    )
    assert done.returncode == 0, done.stderr
    assert faults(control)["drop_packets"] == {"module": -1, "fraction": 0.05, "numbers": [3, 4]}
    shown = sim("fault", file, "--json")
    assert json.loads(shown.stdout)["agipd"]["drop_packets"]["fraction"] == 0.05
    assert sim("fault", file, "agipd", "drop_packets", "--off").stdout == "agipd: drop_packets is off\n"
    assert faults(control) == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("agipd", "drop_pakets"), "drop_packets"),
        (("agpid", "drop_packets"), "no simulated device"),
        (("agipd", "drop_packets", "-p", "speed=2"), "has no parameter 'speed'"),
        (("agipd", "drop_packets", "-p", "fraction"), "write it as name=value"),
    ],
)
def test_mistakes_get_a_sentence(
    up: tuple[Path, ControlClient], arguments: tuple[str, ...], words: str
) -> None:
    done = sim("fault", up[0], *arguments)
    assert done.returncode != 0
    assert words in done.stderr


def test_without_a_bench_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(BENCH.format(folder=tmp_path))
    done = sim("fault", file)
    assert done.returncode == 2
    assert "stellwerk up" in done.stderr


def test_a_scripted_fault_comes_and_goes_at_its_time(up: tuple[Path, ControlClient]) -> None:
    _, control = up
    assert faults(control) == {}
    control.advance(1_100_000_000)
    assert list(faults(control)) == ["module_missing"]
    control.advance(2_000_000_000)
    assert faults(control) == {}


def test_rates_of_a_bench_name_every_link(up: tuple[Path, ControlClient]) -> None:
    done = sim("rates", up[0], "--seconds", "0.2", "--json")
    assert done.returncode == 0, done.stderr
    (link,) = json.loads(done.stdout)
    assert (link["module"], link["mb_per_s"], link["refused"]) == (0, 0.0, 0)


def test_computed_rates_are_the_published_numbers() -> None:
    """The reference's golden numbers: block of 352 AGIPD cells, datagrams, last payload."""
    (row,) = json.loads(sim("rates", "--kind", "agipd", "--cells", "352", "--json").stdout)
    assert (row["block_bytes"], row["datagrams"], row["last_payload"]) == (92_285_824, 11_277, 3_040)
    assert row["gb_per_s_16_modules"] == pytest.approx(14.78, abs=0.01)
