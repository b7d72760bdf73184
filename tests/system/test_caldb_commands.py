"""`stellwerk caldb` on a store, as a person types it: each command, and what it says when it cannot."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, select

from fat.cli import main
from sim.caldb.office.tables import AUDIT
from sim.caldb.opening import open_engine

MAIN = "from fat.cli import main; main()"
EPIX = "HED_IA1_EPX100-1"
ASKED = {
    "Sensor Bias Voltage": 200,
    "Memory cells": 1,
    "Pixels X": 708,
    "Pixels Y": 768,
    "Integration time": 50,
    "Sensor Temperature": 290,
    "In vacuum": 0,
}
CONDITIONS = [word for name, value in ASKED.items() for word in ("-c", f"{name}={value}")]


Caldb = Callable[..., tuple[str, str]]


@pytest.fixture
def caldb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Caldb:
    """The command line in the test's own process, two dozen times: a process each would import for most of a minute."""

    def call(*words: str, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["stellwerk", "caldb", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert (ended.value.code or 0) == code, (words, out, err)
        return out, err

    return call


@contextmanager
def opened_engine(database: str) -> Iterator[Engine]:
    engine = open_engine(database)
    yield engine
    engine.dispose()


def test_a_store_is_filled_searched_and_checked(tmp_path: Path, caldb_database: str, caldb: Caldb) -> None:
    store = ("--store", str(tmp_path / "store"), "--database", caldb_database)
    out, _ = caldb("populate", *store, "--detector", EPIX, "--history", "2", "--seed", "3")
    assert "8 versions and 4 files" in out
    found = json.loads(caldb("find", EPIX, "OffsetEPix100", *CONDITIONS, *store, "--json")[0])
    assert [v["begin_at"][:10] for v in found] == ["2026-01-01"]
    number = str(found[0]["id"])
    out, _ = caldb("export", number, "--to", str(tmp_path / "out"), *store)
    exported = Path(out.strip())
    assert f"out of use: version {number}" in caldb("disable", number, *store)[0]
    with opened_engine(caldb_database) as engine, engine.connect() as db:
        rows = (
            db.execute(select(AUDIT).where(AUDIT.c.action == "changed").order_by(AUDIT.c.id)).mappings().all()
        )
    by_hand = {
        (row["field"], row["after"]) for row in rows if row["who"] == f"command line: {getpass.getuser()}"
    }
    assert by_hand >= {("flg_deployed", "false"), ("flg_good_quality", "false")}
    before = json.loads(caldb("find", EPIX, "OffsetEPix100", *CONDITIONS, *store, "--json")[0])
    assert [v["begin_at"][:10] for v in before] == ["2025-12-25"]
    out, _ = caldb("inject", str(exported), "--begin-at", "2026-02-01T00:00:00Z", *store)
    assert "injected: version 9" in out
    assert "there already" in caldb("inject", str(exported), "--begin-at", "2026-02-01T00:00:00Z", *store)[0]
    (tmp_path / "store" / "cal.1.0.h5").write_bytes(b"")
    out, _ = caldb("fsck", *store, "--grace", "0", code=1)
    assert "cal.1.0.h5 is needed by no version" in out
    out, _ = caldb("fsck", *store, "--grace", "0", "--repair")
    assert "9 versions in 5 files: 0 broken, 1 without a version, 1 removed" in out
    caldb("populate", *store, "--fixtures", "conformance")
    assert "900 versions added" in caldb("populate", *store, "--rows", "900")[0]


def test_what_cannot_be_done_is_a_sentence(tmp_path: Path, caldb: Caldb) -> None:
    store = ("--store", str(tmp_path / "store"))
    assert "there is no catalogue in" in caldb("fsck", *store, code=2)[1]
    assert not (tmp_path / "store").exists()
    caldb("populate", *store, "--rows", "1")
    for words, sentence, code in (
        (("find", "NO_DET", "Offset"), "no such entry", 1),
        (("find", EPIX, "Onset"), "calibration Onset is not known", 1),
        (("find", EPIX, "OffsetEPix100", "-c", "Mood=1"), "there is no parameter 'Mood'", 1),
        (("find", EPIX, "OffsetEPix100", "-c", "Mood"), "is no condition", 2),
        (("find", EPIX, "OffsetEPix100", "--strategy", "best"), "is no strategy", 2),
        (("disable", "77"), "no such entry", 1),
        (("inject", str(tmp_path / "absent.h5")), "absent.h5 is not there", 1),
        (("populate", "--detector", "X"), "there is no detector 'X'", 2),
        (("populate", "--fixtures", "X"), "there are no fixtures 'X'", 2),
        (("fsck", "--database", "mysql://x"), "names no database", 2),
    ):
        _, err = caldb(*words, *store, code=code)
        assert sentence in err, err
        assert "Traceback" not in err


@pytest.mark.timeout(300)
def test_a_catalogue_is_served_from_a_database_by_url(tmp_path: Path, caldb_database: str) -> None:
    command = [sys.executable, "-c", MAIN, "caldb", "serve", "--json"]
    command += ["--store", str(tmp_path / "store"), "--database", caldb_database]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = json.loads(server.stdout.readline())["rest"]
        answer = httpx.get(f"{address}/api/detectors", trust_env=False)
        server.terminate()
        server.wait(60)
    assert answer.json()[0]["identifier"] == "SPB_DET_AGIPD1M-1"
    assert not (tmp_path / "store" / "catalogue.sqlite").exists()
