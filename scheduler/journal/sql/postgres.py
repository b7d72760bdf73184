"""Journals in a database of PostgreSQL.

One writer each: while a journal is written its connection holds an advisory lock. A network that is lost and comes back
is only a delay: whether a row whose commit was not confirmed had arrived is looked up. How long that may take is said
by whoever writes. Each session asks for `synchronous_commit`, whatever the server's default.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, create_engine, func, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from scheduler.errors import JournalBusy, JournalError, JournalUnreachable, JournalUnwritable
from scheduler.journal.place import Elsewhere
from scheduler.journal.record import JournalRecord, Row
from scheduler.journal.sql.store import (
    TABLE_NAME,
    as_records,
    insert_rows,
    make_table,
    reason_of,
    select_rows,
)

TABLE: Final = make_table(runs=True)
PATIENCE_S: Final = 60.0
"""How long a write waits for a database that is gone, unless whoever writes is patient; and for a lock that another
session holds. Longer than a server takes to notice that a client has gone."""
PAUSE_S: Final = 0.25
MAKING_KEY: Final = 0x57E11_3E4D
"""The advisory lock under which the table is made; any number, but always the same."""
CONNECT: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    # Either side notices in half a minute that the other has gone; the server then lets the lock go.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": "-c synchronous_commit=on -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "
    "-c tcp_keepalives_count=3",
    "application_name": "stellwerk journal",
}
FUNCTION: Final = f"""
CREATE OR REPLACE FUNCTION {TABLE_NAME}_is_only_appended_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.seq = 1 + (SELECT coalesce(max(seq), 0) FROM {TABLE_NAME} WHERE run = NEW.run) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE unique_violation USING MESSAGE = 'a journal is only appended to, record by record';
END $$
"""
TRIGGERS: Final = (
    FUNCTION,
    f"CREATE TRIGGER journal_never_changes BEFORE INSERT OR UPDATE OR DELETE ON {TABLE_NAME} "
    f"FOR EACH ROW EXECUTE FUNCTION {TABLE_NAME}_is_only_appended_to()",
    f"CREATE TRIGGER journal_never_forgets BEFORE TRUNCATE ON {TABLE_NAME} "
    f"FOR EACH STATEMENT EXECUTE FUNCTION {TABLE_NAME}_is_only_appended_to()",
)


def create_tables(place: Elsewhere) -> None:
    """Make the table if it is not there. Raises JournalUnreachable."""
    engine = create_engine(place.url, poolclass=NullPool, connect_args=CONNECT)
    try:
        with engine.begin() as connection:
            # Two benches may use a new database at the same time: the second waits here, and finds all done.
            connection.execute(select(func.pg_advisory_xact_lock(MAKING_KEY)))
            if not inspect(connection).has_table(TABLE_NAME):
                TABLE.create(connection)
                for statement in TRIGGERS:
                    connection.execute(text(statement))
    except SQLAlchemyError as error:
        raise JournalUnreachable(place.url, reason_of(error)) from error
    finally:
        engine.dispose()


SESSION: Final = text(
    "SELECT pid, backend_start FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"
)
END_SESSION: Final = text(
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity "
    "WHERE pid = :pid AND backend_start = :backend_start"
)
"""By both: a number alone may be that of another process by now."""


class PostgresStore:
    """The rows of one journal. Raises JournalUnreachable, and JournalBusy if another engine writes it.

    patient  writes wait for a database that is gone until `give_up`
    """

    far = True
    """It is beyond a network: a write may take as long as that is lost."""
    trouble: JournalError | None = None
    """What keeps the write that is under way waiting."""

    def __init__(self, place: Elsewhere, *, write: bool, patient: bool = False) -> None:
        self._place, self._write = place, write
        self._patience_s = math.inf if patient else PATIENCE_S
        self._given_up = threading.Event()
        self._session: dict[str, Any] = {}
        """Of the connection that holds, or held, the lock."""
        self._of = {"run": place.run}
        self.where = f"{place.url}, run {place.run[:8]}"
        self._engine = _engine(place)
        self._connection: Connection | None = None
        try:
            self._connected()
        except SQLAlchemyError as error:
            self.close()
            raise JournalUnreachable(self.where, reason_of(error)) from error
        except BaseException:
            self.close()
            raise

    def append(self, row: Row) -> None:
        """Add a row durably. A connection that is lost meanwhile is made anew, for PATIENCE_S."""
        self.append_all([row])

    def append_all(self, rows: Sequence[Row]) -> None:
        """Add rows durably, one after another: what has arrived before the network fails is not sent twice."""
        began_s = time.monotonic()
        left = list(rows)
        while left:
            try:
                lost = self._connection is None
                connection = self._connected()
                if lost and self._arrived(connection, left[0]):
                    del left[0]
                    continue
                insert_rows(connection, TABLE, self._of, left[:1])
                del left[0]
                self.trouble = None
            except IntegrityError as error:
                raise JournalBusy(self.where) from error
            except JournalBusy as error:  # our own lost connection may hold the lock until the server notices
                self.trouble = error
                if self._over(began_s + min(self._patience_s, PATIENCE_S)):
                    raise
            except SQLAlchemyError as error:
                self._disconnect()
                self.trouble = JournalUnwritable(self.where, reason_of(error))
                if not _is_lost(error) or self._over(began_s + self._patience_s):
                    raise self.trouble from error

    def give_up(self) -> None:
        """Let a write that waits end with an error, and every one to come after its first try. From any thread."""
        self._given_up.set()
        connection = self._connection
        with suppress(SQLAlchemyError, OSError, AttributeError):  # it may be lost at this very moment
            # A server that hangs says nothing, and nothing but this ends the wait for what it says.
            driver: Any = None if connection is None else connection.connection.driver_connection
            with socket.socket(fileno=os.dup(driver.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    def records(self, after: int) -> list[JournalRecord]:
        """The records behind that number."""
        try:
            rows = select_rows(self._connected(), TABLE, self._of, after)
        except SQLAlchemyError as error:
            self._disconnect()
            raise JournalUnreachable(self.where, reason_of(error)) from error
        return as_records(rows, self.where, after)

    def close(self) -> None:
        """Disconnect, which lets the lock go."""
        self._disconnect()
        self._engine.dispose()

    def _over(self, deadline_s: float) -> bool:
        """Whether trying is at its end; else waits a little."""
        return time.monotonic() > deadline_s or self._given_up.wait(PAUSE_S)

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                if self._write:
                    self._demand_lock(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _demand_lock(self, connection: Connection) -> None:
        """Raises JournalBusy. A lost session of ours that the server holds is ended: next time the lock is free."""
        key = int.from_bytes(bytes.fromhex(self._place.run)[:8], "big", signed=True)
        if not connection.execute(select(func.pg_try_advisory_lock(key))).scalar_one():
            if self._session:
                connection.execute(END_SESSION, self._session)
            raise JournalBusy(self.where)
        self._session = dict(connection.execute(SESSION).mappings().one())

    def _arrived(self, connection: Connection, row: Row) -> bool:
        """Whether a row is there whose commit was not confirmed. Raises JournalBusy if another one has its number."""
        found = select_rows(connection, TABLE, self._of, row.seq - 1)
        if found and found != [row]:
            raise JournalBusy(self.where)
        return bool(found)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def _is_lost(error: SQLAlchemyError) -> bool:
    """Whether the connection is gone, or could not be made; else the server has refused the row."""
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) is None


def _engine(place: Elsewhere) -> Engine:
    return create_engine(place.url, poolclass=NullPool, connect_args=CONNECT, isolation_level="AUTOCOMMIT")
