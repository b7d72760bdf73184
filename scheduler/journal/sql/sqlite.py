"""A journal in a file of SQLite, with full durability.

A write-ahead log, synchronised at each commit (`synchronous=FULL`): one synchronised write for each event, and no
reader, not even one that was stopped by Ctrl-Z in the middle of reading, ever holds the engine up (decision 185).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from scheduler.errors import JournalBusy, JournalCorrupt, JournalUnwritable
from scheduler.journal.record import JournalRecord, Row
from scheduler.journal.sql.store import (
    TABLE_NAME,
    as_records,
    insert_rows,
    make_table,
    reason_of,
    select_rows,
)

TABLE: Final = make_table(runs=False)
IMMUTABLE: Final = "ro&immutable=1"
REFUSED: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
"""The place does not let us, and the file may be as good as ever."""
UNWRITABLE: Final = (
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
)
BUSY_S: Final = 30.0
"""How long a write waits for others that clean the log up; that takes milliseconds."""
TROUBLE: Final = (SQLAlchemyError, UnicodeDecodeError)
"""What a damaged file leads to; text that is none comes from the driver as it is."""
ONLY_APPENDED: Final = "a journal is only appended to"
TRIGGERS: Final = (
    f"CREATE TRIGGER journal_never_changes BEFORE UPDATE ON {TABLE_NAME} "
    f"BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END",
    f"CREATE TRIGGER journal_never_forgets BEFORE DELETE ON {TABLE_NAME} "
    f"BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}'); END",
    f"CREATE TRIGGER journal_has_no_gaps BEFORE INSERT ON {TABLE_NAME} "
    f"WHEN NEW.seq <> 1 + (SELECT coalesce(max(seq), 0) FROM {TABLE_NAME}) "
    f"BEGIN SELECT RAISE(ABORT, '{ONLY_APPENDED}, record by record'); END",
)


def create_file(path: Path) -> None:
    """Make an empty journal in a new file; its name is durable when its folder is synchronised."""
    engine = _engine(path, "rwc")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            for statement in ("BEGIN", *_statements(engine), "COMMIT"):
                connection.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        raise JournalUnwritable(str(path), reason_of(error)) from error
    finally:
        engine.dispose()


class SqliteStore:
    """The rows of a journal in a file.

    Raises JournalCorrupt if that is none; it may come from other hands, in a backup. JournalUnwritable if it cannot
    be opened for writing.
    """

    far = False
    """It is on a disk of this computer: a write ends soon, well or not."""
    trouble = None
    """Nothing keeps a write waiting."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path, self.where = path, str(path)
        self._connection: Connection | None = None
        mode = "rw" if write else _mode_of_reading(path)
        try:
            self._open(mode, write=write)
        except TROUBLE as error:
            if mode == "rw" and not write and _code(error) in REFUSED and not _has_log(path):
                self._open(IMMUTABLE, write=False)  # a full disk takes no index of a log that is not there
                return
            raise self._told(error, write=write) from error

    def _open(self, mode: str, *, write: bool) -> None:
        self._engine = _engine(self._path, mode)
        try:
            self._connection = self._engine.connect()
            self._prepare(write)
        except BaseException:
            self.close()
            raise

    def append(self, row: Row) -> None:
        """Add a row durably."""
        self.append_all([row])

    def append_all(self, rows: Sequence[Row]) -> None:
        """Add rows durably, all or none."""
        connection = self._held
        try:
            # A statement alone is a transaction, but many rows may be many statements.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            insert_rows(connection, TABLE, {}, rows)
            connection.exec_driver_sql("COMMIT")
        except IntegrityError as error:
            self._take_back()
            raise JournalBusy(str(self._path)) from error
        except SQLAlchemyError as error:
            self._take_back()
            raise JournalUnwritable(str(self._path), reason_of(error)) from error

    def give_up(self) -> None:
        """No write waits longer than BUSY_S."""

    def records(self, after: int) -> list[JournalRecord]:
        """The records behind that number."""
        try:
            if after == 0:
                self._demand_whole()
            rows = select_rows(self._held, TABLE, {}, after)
        except TROUBLE as error:
            raise self._told(error, write=False) from error
        return as_records(rows, self._path, after)

    def close(self) -> None:
        """The last one to close tidies up: the file is then all there is."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    @property
    def _held(self) -> Connection:
        assert self._connection is not None, "the journal was closed"
        return self._connection

    def _prepare(self, write: bool) -> None:
        self._demand_tables()
        if write:
            self._pragma("journal_mode=WAL")
            self._pragma("synchronous=FULL")
        else:
            self._pragma("query_only=ON")

    def _demand_tables(self) -> None:
        """Exactly ours: a file from other hands may hold triggers and views that compute for ever."""
        query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
        found = [row[0] for row in self._held.exec_driver_sql(query)]
        if found != _statements(self._engine):
            raise JournalCorrupt(self._path, "its tables are not those of a journal")

    def _demand_whole(self) -> None:
        """Every page in its place: a record that a damaged page no longer tells of has no checksum."""
        found = [row[0] for row in self._pragma("quick_check(1)")]
        if found != ["ok"]:
            raise JournalCorrupt(self._path, " ".join(str(found[0]).split()))

    def _pragma(self, text: str) -> list[Any]:
        result = self._held.exec_driver_sql(f"PRAGMA {text}")
        return list(result) if result.returns_rows else []

    def _take_back(self) -> None:
        driver: Any = self._held.connection.driver_connection
        if driver.in_transaction:
            driver.rollback()

    def _told(self, error: Exception, *, write: bool) -> JournalCorrupt | JournalUnwritable:
        if write and _code(error) in REFUSED:
            hint = "; is the disk full?" if _code(error) == sqlite3.SQLITE_FULL else ""
            return JournalUnwritable(self.where, f"{reason_of(error)}{hint}")
        return JournalCorrupt(self._path, reason_of(error))


def _statements(engine: Engine) -> list[str]:
    table = str(CreateTable(TABLE).compile(engine)).strip()
    return [" ".join(table.split()), *TRIGGERS]


def _mode_of_reading(path: Path) -> str:
    """Readers keep the log's index beside the file, unless the place is read-only and nobody writes."""
    if os.access(path.parent, os.W_OK):
        return "rw"
    return "ro" if _has_log(path) else IMMUTABLE


def _has_log(path: Path) -> bool:
    """Whether the file alone is not all there is."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _code(error: Exception) -> int:
    """What SQLite calls it; of its troubles with files only whether it was about writing (SQLITE_FULL)."""
    code = int(getattr(getattr(error, "orig", None), "sqlite_errorcode", 0))
    return sqlite3.SQLITE_FULL if code in UNWRITABLE else code & 0xFF


def _engine(path: Path, mode: str) -> Engine:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        # Transactions are ours: without an isolation level the driver begins none.
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")
