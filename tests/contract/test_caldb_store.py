"""The catalogue's store on both databases: schema, indices, and writers at the same time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, select, text

from sim.caldb.conditions import create_condition, find_expected, find_possible
from sim.caldb.config import DetectorTable
from sim.caldb.fields import TAKEN, Invalid
from sim.caldb.finding import (
    Moment,
    expected_conditions,
    fitting_constants,
    neighbours,
    possible_conditions,
    usable_versions,
)
from sim.caldb.matching import Given
from sim.caldb.opening import (
    FIRST_REVISION,
    HEAD,
    MIGRATIONS,
    DatabaseUnknown,
    StoreDamaged,
    open_engine,
    read_url,
    revision,
)
from sim.caldb.seeding import seed
from sim.caldb.store import create
from sim.caldb.tables import CALIBRATIONS, CONSTANTS, METADATA, VERSIONS
from sim.caldb.versions import create_version

REQUEST = {2: Given(2, 300.0), 3: Given(3, 4.0)}
NAMES = ("name", "calibration_constant_id", "physical_detector_unit_id", "begin_at")


@pytest.fixture
def engine(caldb_database: str) -> Iterator[Engine]:
    opened = open_engine(caldb_database)
    with opened.begin() as db:
        seed(db, [DetectorTable(identifier="SPB_DET_AGIPD1M-1")], 0)
    yield opened
    opened.dispose()


def constant(db: Connection) -> int:
    condition = create_condition(db, {"name": "c"}, REQUEST, 0)
    body = {"name": "k", "detector_type_id": 2, "calibration_id": 1, "condition_id": condition["id"]}
    return int(create(db, CONSTANTS, body, 0)["id"])


def version(constant_id: int, **change: Any) -> dict[str, Any]:
    body = {"file_name": "cal.1.0.h5", "path_to_file": "xfel/cal/a/b/", "data_set_name": "/U/Offset/0"}
    ids = {"calibration_constant_id": constant_id, "physical_detector_unit_id": 1}
    return {**body, **ids, "begin_at": "2026-01-01T00:00:00Z", **change}


def by_revisions(db: Connection, *, back_to: str) -> None:
    """Take all steps back, and go them again."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = db
    command.downgrade(config, back_to)
    command.upgrade(config, "head")


def schema(db: Connection) -> dict[str, Any]:
    """All that the database knows of each table, in an order that does not depend on how it came about."""
    found = inspect(db)

    def plain(value: Any) -> Any:
        return sorted((k, plain(v)) for k, v in value.items()) if isinstance(value, dict) else str(value)

    def sorted_by_name(rows: Any) -> list[str]:
        return sorted(repr(plain(row)) for row in rows)

    return {
        table: [
            sorted_by_name(found.get_columns(table)),
            found.get_pk_constraint(table),
            sorted_by_name(found.get_indexes(table)),
            sorted_by_name(found.get_unique_constraints(table)),
            sorted_by_name(found.get_foreign_keys(table)),
            sorted_by_name(found.get_check_constraints(table)),
        ]
        for table in found.get_table_names()
    }


def test_the_schema_is_the_one_that_the_code_knows(engine: Engine) -> None:
    with engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db), METADATA) == []
        assert revision(db) == HEAD


def test_the_revisions_lead_to_what_a_new_store_is_made_with(engine: Engine) -> None:
    with engine.begin() as db:
        new = schema(db)
        by_revisions(db, back_to="base")
        assert schema(db) == new
        assert compare_metadata(MigrationContext.configure(db), METADATA) == []
        assert revision(db) == HEAD


def test_head_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_store_from_before_the_revisions_is_taken_over(engine: Engine) -> None:
    with engine.begin() as db:
        create_version(db, version(constant(db)), 0)
        before = db.execute(select(VERSIONS)).all()
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = db
        command.downgrade(config, FIRST_REVISION)
        db.execute(text("DROP TABLE alembic_version"))
    again = open_engine(engine.url.render_as_string(hide_password=False))
    with again.begin() as db:
        assert revision(db) == HEAD
        assert db.execute(select(VERSIONS)).all() == before
        assert [row["name"] for row in find_expected(db, REQUEST, 0)] == ["c"]
        assert [row["name"] for row in find_possible(db, REQUEST, 0)] == ["c"]
    again.dispose()


def test_a_store_of_a_newer_stellwerk_is_left_alone(engine: Engine) -> None:
    with engine.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreDamaged, match="newer Stellwerk"):
        open_engine(engine.url.render_as_string(hide_password=False))


def test_two_may_open_a_new_store_at_the_same_time(caldb_database: str) -> None:
    engines: list[Engine] = []
    threads = [threading.Thread(target=lambda: engines.append(open_engine(caldb_database))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engines) == 4
    for opened in engines:
        opened.dispose()


def test_of_two_writers_of_a_version_one_is_told_that_it_is_taken(engine: Engine) -> None:
    with engine.begin() as db:
        constant_id = constant(db)
    barrier = threading.Barrier(8, timeout=30)
    answers: list[object] = []

    def write() -> None:
        barrier.wait()
        try:
            with engine.begin() as db:
                answers.append(create_version(db, version(constant_id), 0)["id"])
        except Invalid as error:
            answers.append(error.info)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = {name: [TAKEN] for name in NAMES}
    assert sorted(map(str, answers)) == sorted(["1", *[str(refused)] * 7])


def test_a_check_that_came_too_early_is_made_good(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one writes between our check and our insertion: only the database's constraint sees it."""
    import sim.caldb.store as store

    checks = []
    real = store._check

    def late(db: Connection, table: Any, values: Any, row_id: Any) -> None:
        checks.append(table.name)
        if len(checks) == 1:
            with engine.begin() as other:
                other.execute(insert(VERSIONS).values(**{**values, "created_at": 0, "flg_deployed": True}))
            return
        real(db, table, values, row_id)

    with engine.begin() as db:
        constant_id = constant(db)
    monkeypatch.setattr(store, "_check", late)
    with pytest.raises(Invalid) as refused, engine.begin() as db:
        create_version(db, version(constant_id), 0)
    assert refused.value.info == {name: [TAKEN] for name in NAMES}
    assert len(checks) == 2


def test_ids_are_counted_on_behind_those_that_were_given(engine: Engine) -> None:
    with engine.begin() as db:
        largest = max(db.execute(select(CALIBRATIONS.c.id)).scalars())
        assert create(db, CALIBRATIONS, {"name": "Mine"}, 0)["id"] == largest + 1


def test_what_is_too_large_or_no_text_for_a_database_is_refused_alike(engine: Engine) -> None:
    with engine.begin() as db, pytest.raises(Invalid, match="holds a NUL"):
        create(db, CALIBRATIONS, {"name": "a\x00b"}, 0)
    with engine.begin() as db:
        assert create(db, CALIBRATIONS, {"name": "big", "unit_id": 2**62}, 0)["unit_id"] == 2**62
        assert db.execute(select(CALIBRATIONS.c.id).where(CALIBRATIONS.c.name == "a\x00b")).all() == []
        huge = {2: Given(2, 1.7e308, None, 1.7e308, 1.7e308)}
        create_condition(db, {"name": "huge"}, huge, 0)
        assert len(find_possible(db, {2: Given(2, 1.0)}, 0)) == 1


def plan(db: Connection, query: Any) -> str:
    """What the database means to do, in its words."""
    words = str(query.compile(db, compile_kwargs={"literal_binds": True}))
    if db.dialect.name == "sqlite":
        return "\n".join(row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}"))
    return "\n".join(row[0] for row in db.exec_driver_sql(f"EXPLAIN {words}".replace("%", "%%")))


def test_lookups_go_by_indices(engine: Engine) -> None:
    from sim.caldb.populate.rows import populate_rows

    with engine.begin() as db:
        populate_rows(db, 20_000, seed=1)
        db.execute(text("ANALYZE"))
    moment = Moment(1_760_000_000_000, 2_000_000_000_000)
    with engine.connect() as db:
        versions = {
            "all": plan(db, usable_versions([1], [1], moment)),
            "nearest": plan(db, neighbours([1, 2, 3], [1, 2], moment)),
        }
        if db.dialect.name == "postgresql":
            # A few dozen conditions lie in one page, which no index can beat: asked is what it does with many.
            db.exec_driver_sql("SET enable_seqscan = off")
        others = {
            "ix_conditions_fingerprint": plan(db, expected_conditions(REQUEST)),
            "ix_conditions_parameter_set": plan(db, possible_conditions(REQUEST)),
            "ux_parameters_of_condition": plan(db, fitting_constants([2], [1, 2], REQUEST)),
        }
    # All versions of a pair may as well come by the unique key of constant, unit and begin.
    keys = (
        "ix_versions_in_use",
        "calibration_constant_versions_calibration_constant_id_",
        "sqlite_autoindex",
    )
    assert any(key in versions["all"] for key in keys), versions["all"]
    assert "ix_versions_in_use" in versions["nearest"], versions["nearest"]
    for index, shown in others.items():
        assert index in shown, shown
    for shown in versions.values():
        assert "SCAN calibration_constant_versions" not in shown
        assert "Seq Scan on calibration_constant_versions" not in shown
    assert "Sort" not in versions["nearest"], "the index's order is the order"
    assert "TEMP B-TREE" not in versions["nearest"], "the index's order is the order"


@pytest.mark.parametrize(
    "address", ["mysql://a:secret@b/c", "sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://x/y"]
)
def test_an_address_that_names_no_database_is_a_sentence(address: str) -> None:
    with pytest.raises(DatabaseUnknown, match="names no database") as refused:
        open_engine(address)
    assert "secret" not in str(refused.value)


def test_a_server_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match=r"is its server running") as refused:
        open_engine(f"postgresql://me:secret@/x?host={tmp_path}")
    assert "secret" not in str(refused.value)


def test_a_path_is_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "a b%20" / "c.sqlite"
    engine = open_engine(path)
    engine.dispose()
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert read_url(str(path)) == read_url(path)
    assert create_engine(read_url(path)).url.database == str(path)
