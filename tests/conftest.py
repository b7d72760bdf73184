"""Databases for the catalogue's tests: SQLite always, PostgreSQL where its programs are."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

MISSING = "no PostgreSQL here: the package postgresql (Debian) brings initdb and pg_ctl"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    # Segments in /dev/shm would look like what a test has left behind.
    "dynamic_shared_memory_type": "mmap",
}


@dataclass
class PostgresServer:
    """A private server on a Unix socket in its own folder."""

    folder: Path
    programs: Path
    numbers: Iterator[int]

    @property
    def owner(self) -> dict[str, Any]:
        """The server refuses to run as root: who runs it then, as arguments of `subprocess.run`."""
        if os.getuid() != 0:
            return {}
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        user = names.get("postgres") or names["nobody"]
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def call(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        # Started by pg_ctl, the server inherits these files: a pipe would never end.
        with (self.folder / "call.log").open("ab") as log:
            subprocess.run(command, check=True, cwd="/", stdout=log, stderr=log, timeout=60, **self.owner)

    def start(self) -> None:
        if owner := self.owner:
            os.chown(self.folder, owner["user"], owner["group"])
        self.call("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        options += f" -c unix_socket_directories='{self.folder}'"
        self.call("pg_ctl", "-w", "-l", str(self.folder / "server.log"), "-o", options, "start")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def fresh(self) -> str:
        """A new empty database."""
        name = f"caldb_{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def programs() -> Path | None:
    found = shutil.which("pg_ctl")
    beside = Path(found).resolve().parent if found else None
    folders = [beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((f for f in folders if f and (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    folder = programs()
    if folder is None:
        pytest.skip(MISSING)
    # Not below tmp_path: a path to a socket is at most 107 bytes long, and the server's user must reach it.
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="stellwerk-pg-", dir="/tmp")), folder, count(1))
    try:
        server.start()
        yield server
        server.call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.fresh()


@pytest.fixture(params=["sqlite", "postgresql"])
def caldb_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, by URL; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'catalogue.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))
