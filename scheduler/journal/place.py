"""Where the journal of a run is: in its folder, or in a database of which a file in its folder tells."""

from __future__ import annotations

import json
import os
import re
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scheduler.errors import JournalCorrupt, JournalOutdated, JournalRejected, RunNotFound
from scheduler.files import sync_folder
from scheduler.journal.lines import LINES_NAME
from scheduler.journal.lock import LOCK_NAME

if TYPE_CHECKING:
    from scheduler.journal.sql.store import Store

JOURNAL_NAME: Final = "journal.sqlite"
PLACE_NAME: Final = "journal.toml"
JOURNAL_FILES: Final = (JOURNAL_NAME, f"{JOURNAL_NAME}-wal", f"{JOURNAL_NAME}-shm", PLACE_NAME, LOCK_NAME)
"""What only this package may open: a process that opens and closes a file of SQLite loses SQLite's locks on it."""
POSTGRESQL: Final = re.compile(r"postgres(ql)?(\+psycopg)?://(?P<rest>.*)", re.DOTALL)
SECRET: Final = re.compile(r"://[^/@]*:[^/@]*@|[?&]password=")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A journal in a database of PostgreSQL, which may hold those of many runs."""

    url: str
    run: str
    """Which of them: 32 hex digits, drawn when the run was made, because two benches number alike."""


Place = Path | Elsewhere
"""A file of SQLite, or a database."""


def database_url(address: str) -> str:
    """The one spelling of a database's address. Raises JournalRejected; the message holds no password."""
    if SECRET.search(address):
        raise JournalRejected("a password does not belong in it; PGPASSWORD or ~/.pgpass holds it")
    match = POSTGRESQL.fullmatch(address)
    if match is None or not match["rest"] or any(ord(character) <= 32 for character in address):
        raise JournalRejected(
            "give postgresql+psycopg://USER@HOST/NAME, or nothing for a file in the run's folder"
        )
    return f"postgresql+psycopg://{match['rest']}"


def create_journal(folder: Path, address: str | None = None) -> None:
    """Make an empty journal for the run in *folder*: there, or in the database with that address.

    Raises JournalRejected, JournalUnreachable, JournalUnwritable.
    """
    if address is None:
        create_at(folder / JOURNAL_NAME)
    else:
        from scheduler.journal.sql.postgres import create_tables

        place = Elsewhere(database_url(address), uuid.uuid4().hex)
        create_tables(place)
        # Quotes of JSON are quotes of TOML.
        text = f"url = {json.dumps(place.url)}\nrun = {json.dumps(place.run)}\n"
        with (folder / PLACE_NAME).open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)


def create_at(path: Path) -> None:
    """Make an empty journal in a new file."""
    from scheduler.journal.sql.sqlite import create_file

    create_file(path)


def has_journal(run_dir: Path) -> bool:
    """Whether the folder is that of a run."""
    return any((run_dir / name).is_file() for name in (JOURNAL_NAME, PLACE_NAME, LINES_NAME))


def place_of(run_dir: Path) -> Place:
    """Where the journal of a run is. Raises RunNotFound, JournalOutdated, JournalCorrupt."""
    path = run_dir / JOURNAL_NAME
    if path.is_file():
        return path
    try:
        return _elsewhere(run_dir / PLACE_NAME)
    except (FileNotFoundError, NotADirectoryError):
        pass
    if (run_dir / LINES_NAME).is_file():
        raise JournalOutdated(run_dir)
    raise RunNotFound(run_dir, f"give a run folder, one that holds a {JOURNAL_NAME} or {PLACE_NAME}")


def open_store(place: Place, *, write: bool, patient: bool = False) -> Store:
    """Open a journal's rows; *patient*: see `Journal`. Raises JournalCorrupt, JournalUnreachable, JournalUnwritable."""
    if isinstance(place, Path):
        from scheduler.journal.sql.sqlite import SqliteStore

        return SqliteStore(place, write=write)
    from scheduler.journal.sql.postgres import PostgresStore

    return PostgresStore(place, write=write, patient=patient)


def _elsewhere(path: Path) -> Elsewhere:
    try:
        body: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        if not re.fullmatch("[0-9a-f]{32}", body["run"]):
            raise ValueError("its run is no number")
        return Elsewhere(database_url(body["url"]), body["run"])
    except (ValueError, KeyError, TypeError, JournalRejected) as error:
        raise JournalCorrupt(path, f"does not tell where the journal is ({error})") from error
