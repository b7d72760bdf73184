"""Bench files: every mistake gives one sentence with file, line, and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fat.bench.file import load, parse
from fat.configs import configs_folder, shipped_bench
from fat.errors import BenchFileRejected
from scheduler.schedule.toml_position import line_of

GOOD = """[bench]
name = "b"
seed = 1
data_dir = "runs/b"

[sim.clock]
mode = "skip"

[sim.devices.slack]
kind = "slack"
port = 0

[[sim.faults]]
at_s = 1.0
device = "slack"
fault = "server_error"

[fat.dark]
trains = 3
"""


def sentences(text: str) -> list[str]:
    with pytest.raises(BenchFileRejected) as rejected:
        parse(text, Path("b.toml"))
    return list(rejected.value.mistakes)


@pytest.mark.parametrize("path", sorted(configs_folder().glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_bench_files_are_good(path: Path) -> None:
    assert load(path).bench.name == path.stem


def test_a_good_file_is_read() -> None:
    file = parse(GOOD, Path("b.toml"))
    assert file.sim.devices["slack"].kind == "slack"
    assert file.fat.dark.trains == 3
    assert file.pipeline is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 1", "sed = 1", "b.toml:3: unknown key 'bench.sed'; did you mean 'seed'?"),
        ("port = 0", "prot = 0", "b.toml:11: unknown key 'sim.devices.slack.prot'; did you mean 'port'?"),
        ("trains = 3", "trians = 3", "b.toml:19: unknown key 'fat.dark.trians'; did you mean 'trains'?"),
        (
            "trains = 3",
            "trains = 'many'",
            "b.toml:19: fat.dark.trains: should be a valid integer, not 'many'",
        ),
        ("[fat.dark]", "[fta.dark]", "b.toml:18: unknown table [fta]; did you mean 'fat'?"),
        (
            'mode = "skip"',
            'mode = "warp"',
            "b.toml:7: sim.clock.mode: should be 'wall', 'scaled', 'manual' or 'skip'",
        ),
        ('device = "slack"\n', "", "b.toml:13: key 'sim.faults.0.device' is missing"),
        ('name = "b"', 'name = "B b"', "b.toml:2: bench.name: String should match pattern"),
        (
            'device = "slack"',
            'device = "slak"',
            "b.toml:15: sim.faults.0.device: no simulated device or part of this bench; did you mean 'slack'?",
        ),
        (
            '"server_error"',
            '"server_eror"',
            "b.toml:16: sim.faults.0.fault: slack has no such fault; did you mean 'server_error'?",
        ),
        (
            'fault = "server_error"',
            'fault = "slow_answer"\nparameters = { delay = 2 }',
            "b.toml:17: sim.faults.0.parameters: slack: fault 'slow_answer' has no parameter 'delay'; "
            "it has: delay_s",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, said: str) -> None:
    told = sentences(GOOD.replace(old, new, 1))
    assert any(sentence.startswith(said) for sentence in told), told


def test_all_mistakes_are_told_at_once() -> None:
    told = sentences(GOOD.replace("seed = 1", "sed = 1").replace("port = 0", "prot = 0"))
    assert len(told) >= 3  # seed is missing as well


def test_an_unknown_kind_names_those_that_there_are() -> None:
    told = sentences(GOOD.replace('kind = "slack"', 'kind = "slakc"'))
    assert "agipd" in told[0]
    assert "b.toml:9" in told[0] or "b.toml:10" in told[0]


def test_no_kind_is_imported_that_a_bench_has_not() -> None:
    asked = "import sys; from pathlib import Path; from fat.bench.file import parse; "
    asked += (
        "parse(sys.stdin.read(), Path('b.toml')); print(*(m for m in sys.modules if m.endswith('.kind')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], input=GOOD, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["sim.remote.kind"]


def test_a_device_with_an_address_is_not_simulated_and_cannot_be_broken() -> None:
    real = GOOD.replace('kind = "slack"\nport = 0', 'kind = "slack"\naddress = "http://x/api/"')
    told = sentences(real)
    assert told[0].startswith(
        "b.toml:15: sim.faults.0.device: has an address: only what is simulated can be broken"
    )
    entry = real[real.index("[[sim.faults]]") : real.index("[fat.dark]")]
    assert parse(real.replace(entry, ""), Path("b.toml")).sim.devices["slack"].address == "http://x/api/"


def test_no_toml_and_no_file_are_sentences(tmp_path: Path) -> None:
    assert sentences("[bench\n")[0].startswith("b.toml: not valid TOML")
    (tmp_path / "bench.toml").write_text(GOOD)
    with pytest.raises(BenchFileRejected, match=r"no such bench file; did you mean .*bench\.toml"):
        load(tmp_path / "bnech.toml")


def test_the_nearest_line_is_found() -> None:
    assert line_of(GOOD, ("sim", "faults", 0, "fault")) == 16
    assert line_of(GOOD, ("sim", "devices", "slack", "nothing")) == 9
    assert line_of(GOOD, ("nowhere",)) is None


def test_reading_a_bench_file_imports_nothing_that_simulates():
    """Every command on a bench reads its file, and so does the bench: what simulates is loaded where it runs."""
    program = (
        "import sys; from pathlib import Path; from fat.bench.file import load; load(Path(sys.argv[1]));"
        "print(sorted({'numba', 'numpy', 'h5py', 'sqlalchemy', 'uvicorn'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", program, shipped_bench("mini")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
