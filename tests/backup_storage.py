"""Storage that is not ours, for backups: Debian's sshd, and an S3 store by moto in an environment of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import httpx
import pytest

SSHD: Final = Path("/usr/sbin/sshd")
"""sshd starts itself anew for each connection, and must be called by its whole path."""
SEPARATION: Final = Path("/run/sshd")
"""sshd as root locks a process without rights in there (Debian, sshd(8)); it is made when the machine starts."""
S3_PYTHON: Final = Path(__file__).parents[1] / ".venvs/s3-server/bin/python"
SERVE_S3: Final = Path(__file__).parent / "foreign/serve_s3.py"
PATIENCE_S: Final = 60


class SshHost:
    """A folder behind a real sshd on a port of loopback, with keys of its own; ssh here has a configuration of its own.

    Each connection that is accepted gets an sshd (`-i`, as inetd does it), so that the port can be any free one.
    `address` and `environment` (what a user's programs need to reach it) are as those of S3Store.
    """

    def __init__(self, folder: Path) -> None:
        if not SSHD.exists() or shutil.which("ssh") is None or shutil.which("rsync") is None:
            pytest.skip(
                "no sshd, ssh or rsync here: the packages openssh-server, openssh-client, rsync (Debian)"
            )
        if os.getuid() == 0:
            SEPARATION.mkdir(mode=0o755, exist_ok=True)
        self.folder, self._there = folder, folder / "srv" / "fat's backups"
        self._there.parent.mkdir()
        for kind in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / f"{kind}_key")]
            subprocess.run(command, check=True, timeout=PATIENCE_S)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._configure()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.address = f"ssh://{self.user}@storage:{self.port}{self._there}"
        self.environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        self._sessions: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._accept, name="sshd")
        self._thread.start()

    def behind_a_line(self) -> Line:
        """Let the address lead through a line that can break; whoever asks for it stops it."""
        line = Line(self.port)
        self.address = self.address.replace(f":{self.port}", f":{line.port}")
        return line

    @property
    def from_home(self) -> str:
        """The address in the form of scp and rsync, with a path that begins in the user's home."""
        return f"{self.user}@storage:{self._there.name}"

    def files(self) -> list[str]:
        """What lies there, sorted: `{run}/{archive}`."""
        return sorted(str(path.relative_to(self._there)) for path in self._there.glob("*/*"))

    def damage(self, file: str) -> None:
        """Put other bytes in its place."""
        (self._there / file).write_bytes(b"the disk was bad")

    def stop(self) -> None:
        """End it; all who use it have ended."""
        if not self._thread.is_alive():
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for session in self._sessions:
            session.wait(PATIENCE_S)

    def _configure(self) -> None:
        folder = self.folder
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text(f"[127.0.0.1]:* {key}\n")
        server = {
            "HostKey": folder / "host_key",
            "AuthorizedKeysFile": folder / "authorized_keys",
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",  # folders of tests lie below /tmp, where others may write
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            # Whoever logs in begins here and not at home, where a test must leave nothing.
            "ForceCommand": f'cd "{self._there.parent}" && exec sh -c "$SSH_ORIGINAL_COMMAND"',
        }
        client = {
            "HostName": "127.0.0.1",
            "Port": self.port,
            "IdentityFile": folder / "user_key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": folder / "known_hosts",
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
        }
        (folder / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in server.items()))
        (folder / "config").write_text(
            "Host storage\n" + "".join(f"{key} {value}\n" for key, value in client.items())
        )
        # ssh asks the system for the home whose .ssh it reads, and not HOME.
        (folder / "bin").mkdir()
        (folder / "bin" / "ssh").write_text(
            f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n'
        )
        (folder / "bin" / "ssh").chmod(0o755)

    def _accept(self) -> None:
        command = [
            str(SSHD),
            "-i",
            "-f",
            str(self.folder / "sshd_config"),
            "-E",
            str(self.folder / "sshd.log"),
        ]
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it was shut
                return
            with connection:
                self._sessions.append(subprocess.Popen(command, stdin=connection, stdout=connection))


class S3Store:
    """A bucket in moto's S3 server, looked at by plain HTTP."""

    BUCKET: Final = "bench-backups"

    def __init__(self, folder: Path) -> None:
        if not S3_PYTHON.exists() or importlib.util.find_spec("s3fs") is None:
            pytest.skip("no environment .venvs/s3-server, or no s3fs in this one: run make test")
        self._log = (folder / "s3.log").open("wb")
        self._process = subprocess.Popen(
            [str(S3_PYTHON), str(SERVE_S3)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        self.endpoint = f"http://127.0.0.1:{json.loads(self._process.stdout.readline())['port']}"
        httpx.put(f"{self.endpoint}/{self.BUCKET}").raise_for_status()
        self.address = f"s3://{self.BUCKET}/fat's backups"
        self.environment = {
            "FSSPEC_S3_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "any word: the store compares none",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def behind_a_line(self) -> Line:
        """Let programs reach it through a line that can break; whoever asks for it stops it."""
        line = Line(int(self.endpoint.rpartition(":")[2]))
        self.environment["FSSPEC_S3_ENDPOINT_URL"] = f"http://127.0.0.1:{line.port}"
        self.environment["AWS_MAX_ATTEMPTS"] = "1"  # it gives up sooner
        return line

    def files(self) -> list[str]:
        """What lies in the bucket, sorted: `{run}/{archive}`."""
        root = self.address.partition(f"{self.BUCKET}/")[2]
        told = ElementTree.fromstring(httpx.get(f"{self.endpoint}/{self.BUCKET}").raise_for_status().content)
        keys = [element.text or "" for element in told.iter() if element.tag.endswith("}Key")]
        assert all(key.startswith(f"{root}/") for key in keys)
        return sorted(key.removeprefix(f"{root}/") for key in keys)

    def buckets(self) -> list[str]:
        """All that the store has."""
        told = ElementTree.fromstring(httpx.get(self.endpoint).raise_for_status().content)
        return [element.text or "" for element in told.iter() if element.tag.endswith("}Name")]

    def damage(self, file: str) -> None:
        """Put other bytes in its place."""
        root = self.address.removeprefix("s3://")
        # The store wants a signature and compares none.
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request"}
        url = f"{self.endpoint}/{root}/{file}"
        httpx.put(url, content=b"the disk was bad", headers=signed).raise_for_status()

    def stop(self) -> None:
        """End it; all who use it have ended."""
        self._process.communicate(timeout=PATIENCE_S)  # the end of its input
        self._log.close()


class Line:
    """A line of loopback to a server. It breaks in the middle of what a client sends, and stays broken until mended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left: int | None = None
        """So many bytes come through."""
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="line")]
        self._threads[0].start()

    def break_after(self, count: int) -> None:
        """Let so many more bytes of clients come through."""
        self._left = count

    @property
    def broken(self) -> bool:
        """Whether it has broken."""
        return self._left == 0

    def mend(self) -> None:
        """As if nothing had been."""
        self._left = None

    def stop(self) -> None:
        """End it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._cut()
        for thread in self._threads[1:]:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _cut(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was shut
            while True:
                near, _ = self._listener.accept()
                self._ends.append(near)
                if self.broken:
                    near.shutdown(socket.SHUT_RDWR)
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends.append(far)
                for source, sink, counted in ((near, far, True), (far, near, False)):
                    thread = threading.Thread(target=self._carry, args=(source, sink, counted))
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                if counted and self._left is not None:
                    content = content[: self._left]
                    self._left -= len(content)
                sink.sendall(content)
                if self.broken:
                    self._cut()
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR if end is sink else socket.SHUT_RD)
