"""A run's journal on both databases: what it promises to engines, readers, backups, and to nobody's hands."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from scheduler import Plan, SchedulerTable, Task, create_run, open_run, read_journal
from scheduler.backup.destination import open_destination
from scheduler.backup.making import make_backup
from scheduler.backup.packing import Packer
from scheduler.backup.restoring import restore
from scheduler.commands import app
from scheduler.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalOutdated,
    JournalUnreachable,
    JournalUnwritable,
    RunNotFound,
)
from scheduler.journal import Journal, JournalReader
from scheduler.journal.lines import encode
from scheduler.journal.place import open_store, place_of
from scheduler.journal.record import JournalRecord, to_row

PLAN = Plan("p", (Task("a", "A", "m:f"),))


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> str | None:
    """What the bench file says."""
    return None if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def run_dir(tmp_path: Path, address: str | None) -> Path:
    return create_run(tmp_path / "fat", PLAN, journal=address)


def note(journal: Journal, text: str) -> None:
    journal.append("task_note", {"task": "a", "text": text}, len(text))


def by_hand(run_dir: Path, address: str | None) -> Any:
    """A connection as anybody can make one."""
    if address is None:
        return closing(sqlite3.connect(run_dir / "journal.sqlite", isolation_level=None))
    return psycopg.connect(address, autocommit=True)


def test_what_is_written_is_read_by_number_while_it_grows(run_dir):
    with Journal(run_dir) as journal, JournalReader(run_dir) as reader:
        assert [record.event for record in reader.news()] == ["run_created"]
        assert reader.news() == []
        for text in ("one", "zwei µ", "\0 three"):
            note(journal, text)
        assert reader.news() == journal.records[1:]
        assert read_journal(run_dir) == journal.records
    with Journal(run_dir) as journal:
        assert [record.seq for record in journal.records] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run_journal SET event = 'run_finished' WHERE seq = 1",
        "DELETE FROM run_journal",
        "INSERT INTO run_journal SELECT {run} 7, at, sim_ns, event, data, crc FROM run_journal WHERE seq = 1",
    ],
)
def test_nobody_can_change_what_is_written_or_leave_a_gap(run_dir, address, statement):
    statement = statement.format(run="" if address is None else "run,")
    with (
        by_hand(run_dir, address) as db,
        pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="appended to"),
    ):
        db.execute(statement)
    assert len(read_journal(run_dir)) == 1


def test_a_database_of_many_runs_cannot_be_emptied(tmp_path, postgres_url):
    create_run(tmp_path / "fat", PLAN, journal=postgres_url)
    with psycopg.connect(postgres_url) as db, pytest.raises(psycopg.Error, match="appended to"):
        db.execute("TRUNCATE run_journal")


def test_damage_names_the_place_and_the_record(run_dir, address):
    with Journal(run_dir) as journal:
        for number in range(3):
            note(journal, f"note {number}")
    if address is None:
        path = run_dir / "journal.sqlite"
        path.write_bytes(path.read_bytes().replace(b"note 1", b"note 9"))
    else:
        with psycopg.connect(address) as db:
            db.execute("ALTER TABLE run_journal DISABLE TRIGGER USER")
            db.execute("UPDATE run_journal SET data = replace(data, 'note 1', 'note 9')")
    where = "journal.sqlite" if address is None else "postgresql[+]psycopg://.*, run [0-9a-f]{8}"
    told = f"{where}, record 3: the checksum does not match; restore the run from a backup"
    with pytest.raises(JournalCorrupt, match=told):
        read_journal(run_dir)
    with pytest.raises(JournalCorrupt, match=told):
        Journal(run_dir)


def test_a_second_master_is_refused_from_a_copy_of_the_folder_too(run_dir, address, tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.journal.lock.PATIENCE_S", 0.05)
    with Journal(run_dir):
        with pytest.raises(JournalBusy, match="another engine"):
            Journal(run_dir)
        if address is not None:
            shutil.copytree(run_dir, tmp_path / "elsewhere")
            with pytest.raises(JournalBusy, match="another engine"):
                Journal(tmp_path / "elsewhere")


def test_a_master_that_lost_its_place_writes_nothing(run_dir, address):
    with Journal(run_dir) as journal:
        if address is None:
            other = open_store(place_of(run_dir), write=True)
            other.append(to_row(JournalRecord(2, 0.0, 0, "task_note", {"text": "of another"})))
            other.close()
        else:
            with psycopg.connect(address) as db:
                db.execute(
                    "INSERT INTO run_journal SELECT run, 2, at, sim_ns, event, data, crc FROM run_journal"
                )
        for _ in range(2):
            with pytest.raises(JournalBusy, match="another engine"):
                note(journal, "mine")
    assert len(journal.records) == 1


def test_a_reader_that_stands_still_in_the_middle_holds_nobody_up(tmp_path):
    run_dir = create_run(tmp_path, PLAN)
    with Journal(run_dir) as journal, by_hand(run_dir, None) as db:
        db.execute("BEGIN")
        assert db.execute("SELECT count(*) FROM run_journal").fetchone() == (1,)
        journal._store._pragma(
            "wal_autocheckpoint=4"
        )  # it is cleaned up meanwhile, as far as that reader lets it
        for number in range(100):
            note(journal, f"{number}" * 50)
        assert db.execute("SELECT count(*) FROM run_journal").fetchone() == (1,)
    assert len(read_journal(run_dir)) == 101
    assert [path.name for path in run_dir.glob("journal.sqlite*")] == ["journal.sqlite"]


def test_a_run_of_which_only_a_read_only_copy_is_left_can_be_read(tmp_path, monkeypatch):
    run_dir = create_run(tmp_path, PLAN)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert open_run(run_dir).plan == PLAN
    assert sorted(os.listdir(run_dir)) == ["journal.lock", "journal.sqlite"]


def test_task_processes_and_help_do_not_load_a_database():
    rooms = "scheduler.taskprocess, scheduler.launcher, scheduler.commands, scheduler.backup_command, scheduler.config"
    code = f"import sys, {rooms}; sys.exit('sqlalchemy' in sys.modules or 'sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Cable:
    """A line to the server that can be pulled out, at once or just before an answer comes through."""

    def __init__(self, server: str, url: str) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = url.replace("@/", f"@127.0.0.1:{port}/").partition("?")[0]
        self._ends: list[socket.socket] = []
        self.pull_before_answer = False
        self.out = False
        self.silent = False
        """Who is at the other end of what breaks does not notice."""
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def pull(self) -> None:
        self.out = True
        for end in self._ends:
            unplug(end)

    def pull_here(self) -> None:
        """Our end breaks; the server still believes in the session, and in its lock."""
        self.silent = True
        unplug(self._ends[0])

    def close(self) -> None:
        unplug(self._listener)
        self._threads[0].join()
        self.pull()
        for thread in self._threads[1:]:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._ends.append(near)
                if self.out:
                    unplug(near)
                    continue
                far = socket.socket(socket.AF_UNIX)
                self._ends.append(far)
                far.connect(self._server)
                for source, sink, answers in ((near, far, False), (far, near, True)):
                    thread = threading.Thread(target=self._carry, args=(source, sink, answers))
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while content := source.recv(1 << 16):
                if answers and self.pull_before_answer:
                    self.pull_before_answer = False
                    break
                sink.sendall(content)
        unplug(source)
        if not self.silent:
            unplug(sink)


def unplug(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cable(postgres_server: Any, postgres_url: str) -> Iterator[Cable]:
    made = Cable(f"{postgres_server.folder}/.s.PGSQL.5432", postgres_url)
    yield made
    made.close()


@pytest.mark.parametrize("when", ["between two events", "while the answer to a commit was on its way"])
def test_a_network_that_is_lost_and_comes_back_only_delays(tmp_path, cable, when):
    run_dir = create_run(tmp_path, PLAN, journal=cable.url)
    with Journal(run_dir) as journal:
        if when == "between two events":
            cable.pull()
            cable.out = False
        else:
            cable.pull_before_answer = True
        note(journal, "once")
        note(journal, "and on")
        assert [record.data.get("text") for record in read_journal(run_dir)] == [None, "once", "and on"]


def test_a_session_that_the_server_still_believes_in_holds_nothing_up(
    tmp_path, cable, postgres_url, monkeypatch
):
    monkeypatch.setattr(
        "scheduler.journal.sql.postgres.PATIENCE_S", 3600.0
    )  # the server would notice long before
    here, there = create_run(tmp_path, PLAN, journal=cable.url), tmp_path / "there"
    with Journal(here) as journal:
        cable.pull_here()
        note(journal, "once")
        shutil.copytree(here, there)
        with pytest.raises(JournalBusy):  # whose session it is not is still refused
            Journal(there)
    assert [record.data.get("text") for record in read_journal(here)] == [None, "once"]


def test_a_database_that_stays_away_is_told_and_what_was_written_is_kept(tmp_path, cable, monkeypatch):
    monkeypatch.setattr("scheduler.journal.sql.postgres.PATIENCE_S", 0.1)
    run_dir = create_run(tmp_path, PLAN, journal=cable.url)
    with Journal(run_dir) as journal:
        cable.pull()
        with pytest.raises(JournalUnwritable, match="make it writable, then resume"):
            note(journal, "lost")
    with pytest.raises(JournalUnreachable, match="is its server running"):
        Journal(run_dir)
    with pytest.raises(JournalUnreachable):
        create_run(tmp_path, PLAN, journal=cable.url)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdecimal()) == ["00001"]
    cable.out = False
    assert len(read_journal(run_dir)) == 1


def test_each_session_asks_the_server_for_durability(tmp_path, postgres_url):
    """The server of the tests has it switched off."""
    run_dir = create_run(tmp_path, PLAN, journal=postgres_url)
    with Journal(run_dir) as journal:
        connection = journal._store._connected()
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://fat:secret@db/fat", "a password does not belong"),
        ("postgresql://fat@db/fat?password=secret", "a password does not belong"),
        ("mysql://db/fat", "give postgresql"),
        ("journal.sqlite", "give postgresql"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_the_bench_file(url, told):
    with pytest.raises(ValidationError, match=told) as caught:
        SchedulerTable.model_validate({"journal": url})
    assert all("secret" not in error["msg"] for error in caught.value.errors())


def test_a_backup_holds_the_journal_wherever_it_is_and_restores_onto_an_empty_disk(run_dir, tmp_path):
    there = str(tmp_path / "there")
    with Journal(run_dir) as journal:
        note(journal, "before the backup")
        with Packer(run_dir, ("*.json",)) as packer:
            make_backup(packer, there, seq=2, label="a")  # while the engine writes
        note(journal, "after it")
    kept = read_journal(run_dir)[:2]
    shutil.rmtree(run_dir.parent)
    restored = restore(open_destination(there), "00001", run_dir.parent, passed_over=lambda *_: None)
    assert read_journal(restored.run_dir) == kept
    assert place_of(restored.run_dir) == restored.run_dir / "journal.sqlite"
    with Journal(restored.run_dir) as journal:
        note(journal, "resumed")


def outdated(root: Path) -> tuple[Path, list[JournalRecord]]:
    """A run as an older Stellwerk left it, torn at its end."""
    run_dir = create_run(root, PLAN)
    with Journal(run_dir) as journal:
        note(journal, "long ago")
    records = read_journal(run_dir)
    (run_dir / "journal.sqlite").unlink()
    (run_dir / "journal.jsonl").write_bytes(b"".join(map(encode, records)) + b'{"at":17')
    return run_dir, records


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_run_by_an_older_stellwerk_is_told_how_to_be_taken_over_and_is_once(tmp_path):
    run_dir, records = outdated(tmp_path / "fat")
    with pytest.raises(JournalOutdated, match=f"take it over with: stellwerk sched import {run_dir}"):
        open_run(run_dir)
    assert call("status", run_dir).exit_code == 2
    assert call("import", "--data", tmp_path).stdout == f"{run_dir}: 2 records taken over\n"
    assert read_journal(run_dir) == records
    with Journal(run_dir) as journal:
        note(journal, "today")
    assert call("import", run_dir).exit_code == 2
    assert call("import", "--data", tmp_path).stdout == ""
    assert len(read_journal(run_dir)) == 3


def test_a_backup_by_an_older_stellwerk_is_taken_over_when_it_is_restored(tmp_path, monkeypatch):
    run_dir, records = outdated(tmp_path / "fat")
    monkeypatch.setattr("scheduler.backup.packing.JOURNAL_NAME", "something.else")
    with Packer(run_dir, ("*.jsonl",)) as packer:
        packer._journal.path.write_bytes(b"")
        monkeypatch.setattr(packer._journal, "follow", lambda _most: 0)
        make_backup(packer, str(tmp_path / "there"), seq=2, label="a")
    there = open_destination(str(tmp_path / "there"))
    restored = restore(there, "00001", tmp_path / "new", passed_over=lambda *_: None)
    assert read_journal(restored.run_dir) == records


def test_the_journal_is_exported_as_lines(run_dir):
    with Journal(run_dir) as journal:
        note(journal, "one")
    done = call("export", run_dir, "--form", "jsonl")
    assert done.stdout.encode() == b"".join(map(encode, read_journal(run_dir)))


@pytest.mark.parametrize(
    "text", ["", "url = 7", 'url = "postgresql://db/x"', "{", 'url = "mysql://x"\nrun = "%s"' % ("0" * 32)]
)
def test_a_file_that_leads_nowhere_is_told(tmp_path, text):
    (tmp_path / "journal.toml").write_text(text)
    with pytest.raises(JournalCorrupt, match=r"journal\.toml: does not tell where the journal is"):
        read_journal(tmp_path)


def test_tables_of_somebody_else_are_no_journal(tmp_path):
    """A view that computes for ever must not be asked."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db:
        endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n AS seq FROM t"
        db.execute(f"CREATE VIEW run_journal AS {endless}")
    with pytest.raises(JournalCorrupt, match="its tables are not those of a journal"):
        read_journal(tmp_path)
    with pytest.raises(RunNotFound):
        read_journal(tmp_path / "nothing")
