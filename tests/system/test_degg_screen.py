"""A run of optical modules as a shifter makes it, all by its commands, with the master run in a session of GNU screen.

While the session waits for a person, GNU screen is killed: the master hears that its terminal hangs up, and a dead
session is left behind. The suite keeps some sections of the schedule and two modules. With STELLWERK_THOROUGH=1 the
same is done with all 1114 tasks and sixteen modules, and three more losses: the master killed, the session closed, the
master killed in the middle of a task:

    STELLWERK_THOROUGH=1 python -m pytest tests/system/test_degg_screen.py -k full --timeout 7200
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fat.bench.owned import OwnedBench
from fat.degg.records import RunFile
from fat.testing.small_bench import write_bench_file
from scheduler import record

pytestmark = pytest.mark.skipif(
    shutil.which("screen") is None, reason="GNU screen is not installed (Debian: screen)"
)
SCREEN = str(shutil.which("screen"))
LASER_ON = "scpi = { laser_volts = 12.0, laser_on = true }"
PATIENCE_S = 600.0
PAUSE = threading.Event()
QUESTION = "waits: yes or no"
ENDED = "All actions completed - master script terminating"


def sessions_in(folder: Path) -> list[int]:
    """Process ids of the screens whose sockets are there, but not of killed ones."""
    ids = [int(socket.name.partition(".")[0]) for socket in folder.iterdir()]
    return [pid for pid in ids if psutil.pid_exists(pid)]


@dataclass(frozen=True)
class Size:
    """How much of the test is made."""

    modules: int
    sections: tuple[str, ...] = ()
    """Of the schedule that stay; none: all."""
    losses: tuple[tuple[str, str], ...] = ((QUESTION, "kill screen"),)
    """Text of the log at which the session is lost, and how."""


SCALED = Size(
    2,
    (
        "disable_laser_0",
        "status_check_0",
        "measure_stf_0",
        "stf_ana_0",
        "manual_input_0",
        "online_mon_0",
        "trigger_remote_wrapper_quick_monitoring_0",
    ),
)
FULL = Size(
    16,
    losses=(
        *SCALED.losses,
        (QUESTION, "kill the master"),
        ("[300/1115]", "close"),
        ("[700/1115]", "kill the master"),
    ),
)


class Shift:
    """A person with a shell, a bench and screen."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size
        (folder / "screens").mkdir(mode=0o700)
        self.environment = {**os.environ, "SCREENDIR": str(folder / "screens")}
        self.environment.pop("STY", None)
        table = f"modules = {{ count = {size.modules} }}\n{LASER_ON}"
        self.bench = write_bench_file(folder, ["lab"], mode="skip", receiver_port=None, lab_table=table)
        self.endpoints = Path("runs/lab/endpoints.json")
        self.run_file = Path("runs/lab/json/run/run_00001.json")
        self.log = folder / "fat_run_00001.log"
        self._read = 0

    def types(self, *words: object, code: int = 0) -> str:
        """A command, and what it said."""
        command = [sys.executable, "-m", "fat", *map(str, words)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def schedule(self) -> Path:
        """The file that `create-ini` makes; a person may leave sections out."""
        self.types("fat", "create-ini", self.run_file, "all.ini", "-v", "--fewer-events")
        head, *sections = re.split(r"^(?=\[)", (self.folder / "all.ini").read_text(), flags=re.MULTILINE)
        assert len(sections) == 1 + 1114
        kept = ("constants", *self.size.sections)
        path = self.folder / "fat.ini"
        path.write_text(head + "".join(s for s in sections if len(kept) == 1 or s[1:].split("]")[0] in kept))
        return path

    def launches(self, *words: str) -> None:
        """The master, in a session."""
        master = ("fat", "master", "fat.ini", "--endpoints", self.endpoints, "--force", "--screen")
        assert f"log {self.log.name}; attach with" in self.types(*master, *words)
        sockets = sessions_in(self.folder / "screens")
        assert sockets, self.log.read_text()
        (self.process,) = psutil.Process(sockets[0]).children()

    def screen(self, *words: str) -> None:
        subprocess.run([SCREEN, "-S", "master", "-p", "0", "-X", *words], env=self.environment, check=True)

    def loses(self, how: str) -> None:
        """The session, or the master in it, and waits until the master is no more."""
        if how == "close":
            self.screen("quit")
        else:
            (self.process if how == "kill the master" else self.process.parent()).kill()
        while self.runs():
            PAUSE.wait(0.05)

    def runs(self) -> bool:
        """Whether the master does; a zombie, which nobody waits for, does not."""
        with suppress(psutil.NoSuchProcess):
            return self.process.status() != psutil.STATUS_ZOMBIE
        return False

    def is_alone(self) -> None:
        """No session is left."""
        while sessions_in(self.folder / "screens"):
            PAUSE.wait(0.05)

    def reads(self, *texts: str) -> str:
        """The first of them that comes next in the log."""
        while True:
            ended = not self.runs()
            new = self.log.read_text(encoding="utf-8")[self._read :]
            found = {new.index(text): text for text in texts if text in new}
            if found:
                self._read += min(found) + len(found[min(found)])
                return found[min(found)]
            assert not ended, f"none of {texts} came; the log ends with {new[-2000:]}"
            PAUSE.wait(0.05)


@pytest.fixture
def shift(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shift]:
    made = Shift(tmp_path, request.param)
    # As `stellwerk up` does, which has tests of its own.
    with OwnedBench(made.bench, data_dir=tmp_path / "runs" / "lab", log=tmp_path / "bench.log") as bench:
        (tmp_path / made.endpoints).write_text(json.dumps(bench.endpoints))
        yield made
        for pid in sessions_in(tmp_path / "screens"):
            subprocess.run([SCREEN, "-S", str(pid), "-X", "quit"], env=made.environment, check=False)


@pytest.mark.parametrize(
    "shift",
    [
        pytest.param(SCALED, id="scaled"),
        pytest.param(FULL, id="full", marks=[pytest.mark.thorough, pytest.mark.timeout(7200)]),
    ],
    indirect=True,
)
def test_a_master_run_in_screen_survives_the_loss_of_its_session_and_of_itself(shift: Shift) -> None:
    shift.types("fat", "setup", "--yes")
    papers = ("--catalogue", "runs/lab/lab/modules.toml", "--comment", "in screen")
    shift.types("fat", "configs", "runs/lab/open_ports.json", "--endpoints", shift.endpoints, *papers)
    titles = re.findall(r"^\[(?!constants)(.+)\]", shift.schedule().read_text(), re.MULTILINE)
    if shift.size is FULL:
        shift.types("fat", "check-laser-visibility", shift.run_file, "before the run", "--force")

    losses = list(shift.size.losses)
    shift.launches()
    while (came := shift.reads(QUESTION, ENDED, *(text for text, _ in losses[:1]))) != ENDED:
        if losses and came == losses[0][0]:
            shift.loses(losses.pop(0)[1])
            shift.launches("--recover")
        else:
            shift.screen("stuff", "yes it is\n")
    shift.is_alone()
    assert not losses

    log = shift.log.read_bytes()
    assert b"\x1b" not in log
    said = log.decode()
    assert said.count("Executing FAT Master Script") == 1 + len(shift.size.losses)
    assert "Run 00001: PASS after" in said
    number = 1 + len(titles)
    passed = re.findall(rf"✔ PASS    \[ *(\d+)/{number}\] (\S+) .* s  \d\d-\d\d \d\d:\d\dZ\r\n", said)
    assert {title for _, title in passed} == {*titles, "leave_safe"}
    is_complete(shift, number)


def is_complete(shift: Shift, number: int) -> None:
    """All tasks are done in their order, and run and device files say so."""
    body = record(shift.folder / "runs/latest")
    assert [task["verdict"] for task in body["tasks"]] == ["PASS"] * number
    run = RunFile.open(shift.folder / shift.run_file)
    *before, last = run.launches().values()
    assert len(before) == len(shift.size.losses)
    assert {value for key, value in last.items() if key.startswith("[")} == {1}
    assert last["end_time"]
    devices = run.devices()
    assert len(devices) == shift.size.modules
    for device in devices:
        entries = {key: entry for key, entry in device.body().items() if isinstance(entry, dict)}
        measured = {key: entry for key, entry in entries.items() if "Folder" in entry}
        assert {"STF_00", "OnlineMon_0000"} <= set(measured)
        assert all(Path(entry["Folder"]).is_dir() for entry in measured.values())
    found = json.loads(shift.types("fat", "complete", shift.run_file, "--json", code=1))
    assert found["missing_results"] == 0
    assert found["missing_measurements"] > 0
    if (
        shift.size is FULL
    ):  # the published list of measurements has one that no task of the published schedule makes
        assert {name for _, _, name, how, _ in found["lines"] if how != "Pass"} == {"BurstPulse"}
