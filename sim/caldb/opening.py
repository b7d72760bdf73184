"""Opening a catalogue's database by path or URL, with its schema brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeAlias

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from sim.errors import SimError

Address: TypeAlias = str | Path
"""Path of an SQLite file, or a URL: `sqlite:///…` or `postgresql://user:password@host/name`."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")
FIRST_REVISION: Final = "0001"
HEAD: Final = "0003"
"""The newest revision. A test holds it to the files in `migrations`, which are only looked at when they are needed."""
BUSY_MS: Final = 30_000
"""How long a writer waits for another one in SQLite."""
LOCK_KEY: Final = 0x57E11_3E4C
"""PostgreSQL's advisory lock under which the schema is changed; any number, but always the same."""


class StoreDamaged(SimError):
    """The catalogue's database cannot be used: stop, say which and why."""

    def __init__(self, where: str, reason: str, remedy: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where} is no catalogue ({reason}); {remedy}")


class DatabaseUnknown(SimError):
    """An address that is neither a path nor a URL of SQLite or PostgreSQL: stop, exit 2."""

    exit_code = 2

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address!r} names no database; write a path, sqlite:///PATH or postgresql://USER@HOST/NAME"
        )


def read_url(address: Address) -> URL:
    """The URL behind an address. Raises DatabaseUnknown."""
    if isinstance(address, Path) or "://" not in address:
        return URL.create("sqlite", database=str(address))
    try:
        url = make_url(address)
    except ArgumentError:
        raise DatabaseUnknown(address) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite")
    # The address may hold a password, so only the kind is repeated.
    raise DatabaseUnknown(f"{url.drivername}://…")


def open_engine(address: Address) -> Engine:
    """Open, or make, a catalogue's database, and bring its tables up to date.

    SQLite: a file with a write-ahead log, so that a killed process loses nothing. PostgreSQL: a database that
    exists. Raises DatabaseUnknown, StoreDamaged.
    """
    url = read_url(address)
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _set_pragmas)
    else:
        engine = create_engine(url, pool_pre_ping=True)
    try:
        _bring_up_to_date(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise _damaged(url, error) from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def _set_pragmas(connection: Any, _record: object) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "cache_size=-32768",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _damaged(url: URL, error: SQLAlchemyError) -> StoreDamaged:
    reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    if url.get_backend_name() == "sqlite":
        return StoreDamaged(str(url.database), reason, "move it away, and an empty one is made")
    return StoreDamaged(url.render_as_string(), reason, "is its server running, and does the database exist?")


def _bring_up_to_date(engine: Engine) -> None:
    with engine.connect() as db:
        if revision(db) == HEAD:
            return
    with engine.begin() as db:
        # Two processes may open a new store at the same time: the second waits here, and finds all done.
        if engine.dialect.name == "sqlite":
            db.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            db.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(LOCK_KEY)))
        if inspect(db).get_table_names():
            _migrate(engine.url, db)
        else:
            _make(db)


def _make(db: Connection) -> None:
    """All tables as they are today: the revisions, one after the other, lead to the same, which a test holds up."""
    from sim.caldb.office import tables as office_tables  # noqa: F401 - they belong to the same metadata
    from sim.caldb.tables import METADATA

    METADATA.create_all(db)
    stamps = sqlalchemy.Table(
        "alembic_version",
        sqlalchemy.MetaData(),
        sqlalchemy.Column("version_num", sqlalchemy.String(32), nullable=False),
        sqlalchemy.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
    )
    stamps.create(db)
    db.execute(stamps.insert().values(version_num=HEAD))


def revision(db: Connection) -> str | None:
    """The revision of the tables, or None when nothing is stamped."""
    if not inspect(db).has_table("alembic_version"):
        return None
    found = db.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _migrate(url: URL, db: Connection) -> None:
    # Alembic costs a tenth of a second to import, and most stores are up to date.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = db
    found = revision(db)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreDamaged(
            url.render_as_string(),
            f"its revision {found} is not known here",
            "use the newer Stellwerk that wrote it",
        )
    if found is None and inspect(db).has_table("calibration_constant_versions"):
        # Stellwerk before its first revision made the same tables, and stamped nothing.
        command.stamp(config, FIRST_REVISION)
    command.upgrade(config, "head")
