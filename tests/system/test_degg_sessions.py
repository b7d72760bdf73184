"""The sessions of GNU screen that set-up and master run in: their logs, what is left of them, and who is at them."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fat.degg.commands.screen import log_name, sessions, start
from fat.errors import UsageError

pytestmark = pytest.mark.skipif(
    shutil.which("screen") is None, reason="GNU screen is not installed (Debian: screen)"
)
PATIENCE_S = 60.0
SCREEN = str(shutil.which("screen"))
WAITS = "echo of run 12; echo begun > begun; cat go_on"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with two named pipes, and sessions that nobody else sees."""
    (tmp_path / "screens").mkdir(mode=0o700)
    monkeypatch.setenv("SCREENDIR", str(tmp_path / "screens"))
    monkeypatch.delenv("STY", raising=False)
    monkeypatch.chdir(tmp_path)
    os.mkfifo("begun")
    os.mkfifo("go_on")
    yield tmp_path
    for name in sessions():
        subprocess.run([SCREEN, "-S", name, "-X", "quit"], check=False)


def begin(name: str = "master") -> Path:
    """A session that has said something and waits."""
    log = Path(log_name(name, 12))
    start(name, log, ["sh", "-c", WAITS])
    assert Path("begun").read_text() == "begun\n"
    return log


def until_ended(name: str = "master") -> None:
    while name in sessions():
        threading.Event().wait(0.02)


def test_a_session_has_a_log_file_for_each_run_and_there_is_one_of_a_name(folder: Path) -> None:
    log = begin()
    assert log.name == "fat_run_00012.log"
    with pytest.raises(UsageError, match="a screen session 'master' is there"):
        start("master", log, [])
    Path("go_on").write_text("✔ the end\n")
    until_ended()
    assert log.read_bytes() == "of run 12\r\n✔ the end\r\n".encode()


def test_what_a_killed_screen_leaves_behind_is_no_session_and_the_log_goes_on(folder: Path) -> None:
    Path(log_name("master", 12)).write_bytes(b"of an earlier launch\r\n")
    log = begin()
    (daemon,) = (int(path.name.partition(".")[0]) for path in (folder / "screens").iterdir())
    os.kill(daemon, signal.SIGKILL)
    until_ended()
    begin()
    Path("go_on").write_text("the end\n")
    until_ended()
    # What a screen has not written when it is killed is lost; what was there is not.
    first, *_, last = log.read_bytes().splitlines()
    assert (first, last) == (b"of an earlier launch", b"the end")


class Terminal:
    """A person's terminal, 80 by 24, with a command at it."""

    def __init__(self, *words: str) -> None:
        self._near, far = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
        command = ["setsid", "--ctty", "--wait", sys.executable, "-m", "fat", "fat", *words]
        self.process = subprocess.Popen(command, stdin=far, stdout=far, stderr=far, env=environment)
        os.close(far)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            assert select.select([self._near], [], [], PATIENCE_S)[0], self.shown
            self.shown += os.read(self._near, 4096).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._near, text.encode())

    def close(self) -> int:
        with suppress(OSError):  # EIO: the program has closed its end
            while select.select([self._near], [], [], PATIENCE_S)[0]:
                self.shown += os.read(self._near, 4096).decode(errors="replace")
        os.close(self._near)
        return self.process.wait(PATIENCE_S)


def test_who_leaves_a_session_is_told_that_it_goes_on_and_who_stays_how_it_ended(folder: Path) -> None:
    leaves = Terminal("screen", "master", "--run", "12", "sh", "-c", WAITS)
    assert Path("begun").read_text() == "begun\n"
    leaves.wait_for("of run 12\r\n")
    leaves.type("\x01d")
    leaves.wait_for("session master goes on; attach with `screen -r master`")
    assert leaves.close() == 0
    Path("go_on").write_text("the last\n")
    until_ended()
    stays = Terminal("screen", "setup", "sh", "-c", "echo it failed")
    stays.wait_for("the end of setup.log:\r\n   it failed\r\n")
    assert stays.close() == 0
