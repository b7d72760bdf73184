"""Where backups go. One seam for a folder, a host that is reached by ssh, and everything that fsspec reaches."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from scheduler.backup.archive import file_sha256
from scheduler.errors import BackupFailed, DestinationRejected
from scheduler.files import sync_folder

LIMIT_S: Final = 300.0
"""How long one destination may take for one backup. A run that waits for a dead network stands still."""
SSH_FORM: Final = re.compile(r"(?P<user>[^@/:]+)@(?P<host>\[[^\]]+\]|[^@/:]+):(?P<path>.+)")
SSH_URL: Final = re.compile(
    r"ssh://((?P<user>[^@/:]+)@)?(?P<host>\[[^\]]+\]|[^@/:]+)(:(?P<port>\d{1,5}))?(?P<path>/.+)"
)
SAFE_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SAFE_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]")
SECRET: Final = re.compile(r"://[^/@]*:[^/@]*@")


class Destination(Protocol):
    """A place for archives: `{run}/{archive}`. Whatever goes wrong there is a BackupFailed."""

    address: str
    """As the journal names it."""

    def put(self, source: Path, name: str) -> None:
        """Copy a file there, under a name that is new."""
        ...

    def sha256(self, name: str) -> str:
        """Of what lies there, read from there."""
        ...

    def fetch(self, name: str, target: Path) -> None:
        """Copy what lies there into a new file here."""
        ...

    def entries(self, folder: str) -> list[str]:
        """The names in a folder of it (empty: in itself), sorted. None if there is no such folder."""
        ...

    def remove(self, name: str) -> None:
        """Remove an archive; one that is gone already is no error."""
        ...


def open_destination(address: str) -> Destination:
    """The destination with that address; nothing is reached yet. Raises DestinationRejected.

    `/a/folder`, `ssh://user@host:port/path`, `user@host:path`, or a URL that fsspec knows: `s3://bucket/path`.
    """
    if SECRET.search(address):
        # Not even in the message: it would be journalled, and shown.
        raise DestinationRejected(address.split("://")[0] + "://…", "keys and passwords do not belong in it")
    if not address.strip() or any(ord(character) < 32 for character in address):
        raise DestinationRejected(
            address, "give a folder, ssh://user@host/path, or a URL such as s3://bucket/path"
        )
    if address.startswith("ssh://") or ("://" not in address and SSH_FORM.fullmatch(address)):
        return _ssh(address)
    if "://" in address:
        from scheduler.backup.filesystem import Filesystem

        return Filesystem(address)
    return Directory(Path(address).absolute())


def _ssh(address: str) -> Destination:
    from scheduler.backup.ssh import SshHost

    match = (SSH_URL if address.startswith("ssh://") else SSH_FORM).fullmatch(address)
    if match is None:
        raise DestinationRejected(address, "give ssh://user@host/path or user@host:path")
    found = match.groupdict()
    user, host, path = found["user"], found["host"], found["path"]
    if not SAFE_HOST.fullmatch(host) or (user is not None and not SAFE_WORD.fullmatch(user)):
        raise DestinationRejected(address, "that is no name of a user and a host")
    return SshHost(address, user, host, path, found.get("port"))


class Directory:
    """A folder here: what is written is durable, and a name leads to a whole archive or to nothing."""

    def __init__(self, folder: Path) -> None:
        self.address, self._folder = str(folder), folder

    def put(self, source: Path, name: str) -> None:
        """Write beside, synchronise, rename."""
        final = self._folder / name
        beside = final.with_name(f".{final.name}")
        with self._told():
            final.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as ours, beside.open("wb") as theirs:
                shutil.copyfileobj(ours, theirs)
                theirs.flush()
                os.fsync(theirs.fileno())
            beside.rename(final)
            sync_folder(final.parent)

    def sha256(self, name: str) -> str:
        """As the disk has it."""
        with self._told():
            return file_sha256(self._folder / name)

    def fetch(self, name: str, target: Path) -> None:
        """Copy it."""
        with self._told():
            shutil.copyfile(self._folder / name, target)

    def entries(self, folder: str) -> list[str]:
        """List the folder."""
        with self._told():
            try:
                return sorted(os.listdir(self._folder / folder))
            except FileNotFoundError:
                return []

    def remove(self, name: str) -> None:
        """Unlink it."""
        with self._told():
            (self._folder / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupFailed(self.address, str(error)) from error
