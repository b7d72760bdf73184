"""A run of optical modules from its papers to its recovery: configs, create-ini, master, kill, recover."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from fat.cli import main
from fat.degg.new_run import Answers, new_run
from fat.degg.records import RunFile
from fat.degg.records.numbering import next_run_number, spelled
from fat.testing.handles import Slack
from fat.testing.small_bench import write_bench_file
from scheduler import open_run
from scheduler.journal.lock import take_lock

HERE = Path(__file__).parent
INI = """[constants]
run_file = {run_file}
verbose = True
[measure_gain_0]
package = degg_tasks
task = measure_gain
comment = first
n_jobs = 2
[lingers_0]
package = degg_tasks
task = lingers
run_backup = False
here = {pipe}
[status_check_0]
package = degg_tasks
task = passes
[measure_gain_1]
package = degg_tasks
task = measure_gain
comment = again
"""


class Laboratory:
    """Two modules in skip mode, and the command line."""

    def __init__(self, bench: OwnedBench, folder: Path) -> None:
        self.endpoints = folder / "endpoints.json"
        self.endpoints.write_text(json.dumps(bench.endpoints))
        self.papers = folder / "data" / "lab" / "modules.toml"
        self.folder, self.bench = folder, bench
        self.control = ControlClient(bench.endpoints["control"], bench.token)

    def start(self, *words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "fat", "fat", *map(str, words)]
        environment = {**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def call(self, *words: object, code: int = 0) -> str:
        """The command in this process: a tenth of the time of one of its own."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.setattr(sys, "argv", ["stellwerk", "fat", *map(str, words)])
            patch.syspath_prepend(HERE)
            patch.chdir(self.folder)
            # Reports have tests of their own, and what task processes find loaded is a matter of speed.
            patch.setattr("fat.acceptance.engine_run.finish", lambda run_dir, **_: run_dir / "report.html")
            patch.setattr("fat.degg.master.flow.PRELOAD", ("fat.degg.tasks.status", "fat.degg.results"))
            with pytest.raises(SystemExit) as ended:
                main()
        # Without an exit code of its own, click ends with 0.
        assert (ended.value.code or 0) == code, said.getvalue()
        return said.getvalue()

    def files(self) -> list[Path]:
        """What lies in the folder, but for what the simulated instruments write at their own times."""
        instruments = self.folder / "data" / "lab"
        return [path for path in sorted(self.folder.rglob("*")) if instruments not in path.parents]

    def new_run(self, *words: object, code: int = 0, **ports: Any) -> str:
        ports = {"5000": "out", "5001": "out", "10007": "out"} | ports
        path = self.folder / "open_ports.json"
        path.write_text(json.dumps(ports))
        common = ("--endpoints", self.endpoints, "--catalogue", self.papers, "--comment", "a test")
        return self.call("configs", path, *common, *words, code=code)

    def run_of(self, told: str) -> RunFile:
        return RunFile.open(json.loads(told)["run_file"])

    def messages(self) -> list[dict[str, Any]]:
        return Slack(self.bench.endpoints["slack"]).messages()

    def fault(self, name: str, *, on: bool = True) -> None:
        self.control.switch_fault("degg.5001", name, on=on)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    folder = tmp_path_factory.mktemp("degg")
    path = write_bench_file(folder, ["lab", "slack"], mode="skip", receiver_port=None)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        made = Laboratory(bench, folder)
        yield made
        made.control.close()


def test_a_new_run_knows_its_modules_by_what_they_say(laboratory: Laboratory) -> None:
    told = laboratory.new_run()
    assert "For the logbook:\n   5000  DEgg2021-3-100\n   5001  DEgg2021-3-101\n" in told
    run = laboratory.run_of(laboratory.new_run("--json"))
    assert (run.number, run.comment) == (2, "a test")
    first = run.devices()[0]
    truth = json.loads((laboratory.folder / "data/lab/truth/degg_5000.json").read_text())
    body = first.body()
    assert first.path == laboratory.folder / "data" / "json" / "run_00002" / "DEgg2021-3-100.json"
    assert (body["ICMID"], body["MainboardNumber"]) == (truth["icm_id"], truth["mainboard"])
    assert (body["fpgaVersion"], body["IcebootVersion"], body["Port"]) == (272, 62, 5000)
    assert [body[part]["SerialNumber"] for part in ("LowerPmt", "UpperPmt")] == [
        channel["serial"] for channel in truth["channels"]
    ]
    assert body["Constants"]["Samples"] == 128


def test_ports_that_failed_and_a_wrong_fpga_are_told(laboratory: Laboratory) -> None:
    assert "1 ports have failed: 5001" in laboratory.new_run("--yes", "--json", **{"5001": False})
    laboratory.fault("wrong_fpga")
    told = laboratory.new_run("--yes", code=3)
    laboratory.fault("wrong_fpga", on=False)
    assert "FPGA version 272 is asked for, but degg.5001 has" in told
    assert "No run was made" in told
    (laboratory.folder / "other.toml").write_text("module = []\n")
    assert "no papers of the module at degg.5000" in laboratory.new_run(
        "--catalogue", laboratory.folder / "other.toml", code=2
    )


def test_device_files_that_are_there_stay_unless_somebody_says_yes(laboratory: Laboratory) -> None:
    data = laboratory.folder / "data"
    number = next_run_number(data / "json")
    left = data / "json" / f"run_{spelled(number)}" / "DEgg2021-3-100.json"  # of a command that was killed
    left.parent.mkdir(parents=True)
    left.write_text("{}")
    run = laboratory.run_of(laboratory.new_run("--yes", "--json").splitlines()[-1])
    first, second = run.devices()
    assert re.fullmatch(r"DEgg2021-3-100_\d\d-\d\d\.json", first.path.name)
    assert (first.path.parent, first.serial) == (left.parent, "DEgg2021-3-100")
    assert second.path.name == "DEgg2021-3-101.json"
    assert left.read_text() == "{}"

    left.parent.with_name(f"run_{spelled(number + 1)}").mkdir()
    left = left.parent.with_name(f"run_{spelled(number + 1)}") / left.name
    left.write_text("{}")
    yes = Answers(lambda question: "Overwrite it" in question, lambda _: "", lambda _: None)
    addresses = json.loads(laboratory.endpoints.read_text())
    made = new_run(laboratory.folder / "open_ports.json", addresses, laboratory.papers, data / "json", yes)
    assert made is not None
    assert made.devices()[0].path == left
    assert made.devices()[0].serial == "DEgg2021-3-100"


def test_the_schedule_of_a_run_is_a_file_that_the_scheduler_reads(laboratory: Laboratory) -> None:
    run = laboratory.run_of(laboratory.new_run("--json"))
    config = laboratory.folder / "full.ini"
    assert "1114 tasks" in laboratory.call("create-ini", run.path, config, "-v")
    assert "is there; use another name" in laboratory.call("create-ini", run.path, config, code=2)
    assert "1086 tasks" in laboratory.call("create-ini", run.path, config, "--no-hv", "--overwrite")
    assert config.read_text().count("\n[") == 1087


def test_a_killed_run_is_recovered_where_it_stopped(laboratory: Laboratory) -> None:
    run = laboratory.run_of(laboratory.new_run("--json"))
    pipe, config = laboratory.folder / "here", laboratory.folder / "short.ini"
    os.mkfifo(pipe)
    config.write_text(INI.format(run_file=run.path, pipe=pipe))
    master = ("master", config, "--endpoints", laboratory.endpoints, "--force")

    there = laboratory.files()
    told = laboratory.call(*master, "--test")
    assert laboratory.files() == there
    assert "Ready D-Eggs: 2/2" in told
    assert "[1] lingers_0" in told
    assert "No data were taken" in told
    assert run.launches() == {}
    assert "never launched" in laboratory.call(*master, "--recover", code=2)

    process = laboratory.start(*master)
    assert pipe.read_text() == "begun\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    launch = run.launches()["MasterFAT_00"]
    assert [launch[key] for key in launch if key.startswith("[")] == [1, -1, -1, -1, -1]
    assert Path(launch["ConfigPath"]) == run.device_dir / "short_0.ini"
    assert Path(launch["ConfigPath"]).read_bytes() == config.read_bytes()

    assert "launched before (MasterFAT_00)" in laboratory.call(*master, code=2)
    runs = laboratory.folder / "data" / "fat"
    away = runs.rename(runs.with_name("away"))
    told = laboratory.call(*master, "--recover", "--test")
    assert "its journal is not here" in told
    assert "[0] lingers_0\n[1] status_check_0\n[2] measure_gain_1\n" in told
    away.rename(runs)
    descriptor = take_lock(runs / "00001")  # as another master has it
    told = laboratory.call(*master, "--recover", code=2)
    os.close(descriptor)
    assert "is being written by another engine" in told
    assert list(run.launches()) == ["MasterFAT_00"]
    laboratory.call(*master, "--recover")
    assert (laboratory.folder / "latest").resolve() == runs / "00001"
    launch = run.launches()["MasterFAT_01"]
    tasks = {key: launch[key] for key in launch if key.startswith("[")}
    left = ("[0] lingers_0", "[1] status_check_0", "[2] measure_gain_1", "[3] leave_safe")
    assert tasks == dict.fromkeys(left, 1)
    assert launch["end_time"]
    assert launch["ConfigPath"].endswith("short_1.ini")
    assert "nothing left to do" in laboratory.call(*master, "--recover", code=2)
    assert "nothing is left to do" in laboratory.call("resume", "1", "--data", laboratory.folder / "data")

    slack = "\n".join(message["text"] for message in laboratory.messages())
    assert "Executing FAT Master Script - time is now" in slack
    assert f"   -- Current Run: {run.number:05d}\n" in slack
    assert "      5001: DEgg2021-3-101.json\n" in slack
    assert "[0] measure_gain_0\n[1] lingers_0" in slack

    state = open_run(laboratory.folder / "data" / "fat" / "00001")
    assert [task.attempt for task in state.tasks.values()] == [1, 2, 1, 1, 1]
    assert [task.task.backup for task in state.tasks.values()] == [True, False, True, True, False]
    keys = [key for key in run.devices()[1].pmt(1).entries if key.startswith("GainMeasurement")]
    assert keys == ["GainMeasurement_00", "GainMeasurement_01"]
    assert sum(len(task.outputs.get("measurements", ())) for task in state.tasks.values()) == 8
    mirror = laboratory.folder / "data/fat/00001/results/json"
    assert json.loads((mirror / run.path.name).read_text()) == run.body()


def test_modules_that_are_not_ready_stop_a_run_before_it_begins(laboratory: Laboratory) -> None:
    run = laboratory.run_of(laboratory.new_run("--json"))
    config = laboratory.folder / "dead.ini"
    config.write_text(INI.format(run_file=run.path, pipe="none"))
    laboratory.fault("wrong_fpga")
    told = laboratory.call("master", config, "--endpoints", laboratory.endpoints, "--force", code=3)
    laboratory.fault("wrong_fpga", on=False)
    assert "Ready D-Eggs: 1/2" in told
    assert "DEgg2021-3-101 (degg.5001) has FPGA version" in told
    assert run.launches() == {}
    warned = [message["text"] for message in laboratory.messages()]
    assert any("does not begin: DEgg2021-3-101 (degg.5001) has FPGA version" in text for text in warned)
