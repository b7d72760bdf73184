"""A folder on another host: copied by rsync, everything else by ssh and the host's own programs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scheduler.backup.destination import LIMIT_S
from scheduler.errors import BackupFailed

CONNECT_S: Final = 15
SILENCE_S: Final = 30
"""Without a byte from the other side."""
OPTIONS: Final = (
    # Nobody is there to type a password or to look at a host's key.
    *("-o", "BatchMode=yes"),
    *("-o", f"ConnectTimeout={CONNECT_S}"),
    *("-o", f"ServerAliveInterval={SILENCE_S // 2}"),
    *("-o", "ServerAliveCountMax=2"),
)
SSH_TROUBLE: Final = 255
"""The exit code of ssh itself (ssh(1), EXIT STATUS); any other is that of the far program."""
DIGEST: Final = re.compile(r"\\?([0-9a-f]{64})\b")


class SshHost:
    """Reached with the keys and settings of the user who carries the run out (`~/.ssh`)."""

    def __init__(self, address: str, user: str | None, host: str, path: str, port: str | None) -> None:
        self.address = address
        self._login = host.strip("[]") if user is None else f"{user}@{host.strip('[]')}"
        self._rsync_login = host if user is None else f"{user}@{host}"
        # A path that is not absolute begins in the user's home, and must not look like an option.
        self._path = path if path.startswith("/") else f"./{path}"
        self._ssh = ["ssh", *OPTIONS, *(() if port is None else ("-p", port))]

    def put(self, source: Path, name: str) -> None:
        """By rsync, which writes beside and renames."""
        folder = self._far(name).rpartition("/")[0]
        self._there(f"mkdir -p {shlex.quote(folder)}")
        self._rsync(str(source), self._remote(name))

    def sha256(self, name: str) -> str:
        """By the sha256sum of the host, after a sync."""
        far = shlex.quote(self._far(name))
        # A host whose sync knows no files still has its sum taken.
        told = self._there(f"sync {far} 2>/dev/null; sha256sum {far}")
        match = DIGEST.match(told)
        if match is None:
            raise BackupFailed(self.address, f"sha256sum there told {told[:80]!r}")
        return match[1]

    def fetch(self, name: str, target: Path) -> None:
        """By rsync."""
        self._rsync(self._remote(name), str(target))

    def entries(self, folder: str) -> list[str]:
        """By ls."""
        far = shlex.quote(self._far(folder))
        return sorted(self._there(f"if [ -d {far} ]; then ls -1 {far}; fi").splitlines())

    def remove(self, name: str) -> None:
        """By rm."""
        self._there(f"rm -f {shlex.quote(self._far(name))}")

    def _far(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    def _remote(self, name: str) -> str:
        return f"{self._rsync_login}:{self._far(name)}"

    def _there(self, command: str) -> str:
        return self._call([*self._ssh, self._login, command])

    def _rsync(self, source: str, target: str) -> None:
        shell = shlex.join(self._ssh)
        # -s: the far shell does not see the path.
        self._call(["rsync", "-s", "--times", f"--timeout={SILENCE_S}", "-e", shell, source, target])

    def _call(self, command: Sequence[str]) -> str:
        for program in {"ssh", command[0]}:
            if shutil.which(program) is None:
                raise BackupFailed(self.address, f"the program {program} is not installed here")
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=LIMIT_S,
                start_new_session=True,  # Ctrl-C is for the engine: a copy that is under way ends
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BackupFailed(self.address, f"took longer than {LIMIT_S:.0f} s and was stopped") from None
        except OSError as error:
            raise BackupFailed(self.address, f"{command[0]} cannot be started: {error}") from error
        if done.returncode != 0:
            raise BackupFailed(self.address, _told(command[0], done.returncode, done.stderr))
        return done.stdout


def _told(program: str, code: int, complaint: str) -> str:
    """What went wrong; the first lines say it, rsync's last ones only that something did."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    said = "; ".join(lines[:2])[:300] or f"{program} ended with exit code {code}"
    return f"the host cannot be reached: {said}" if code == SSH_TROUBLE else said
