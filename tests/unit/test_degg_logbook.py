"""The shifters' logbook: forms, users, a book that tells when it was changed, and its commands."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fat.degg.commands.logbook import app
from fat.degg.logbook.book import BookDamaged, Logbook
from fat.degg.logbook.forms import FORMS, read_form
from fat.degg.logbook.users import Users
from fat.errors import UsageError

ACCESS = {
    "hv_disabled": "yes", "laser_off": "no", "temperature_before": "-40", "temperature_after": "-38.5",
    "humidity_before": "12", "humidity_after": "30", "opened": "09:05", "closed": "09:20", "reason": "fibre 3",
}  # fmt: skip


def test_there_is_a_form_for_everything_that_a_shifter_writes() -> None:
    assert list(FORMS) == ["start-run", "start-shift", "end-shift", "check-list", "freezer-access", "post"]
    questions = {name: sum(field.kind == "yes/no" for field in fields) for name, fields in FORMS.items()}
    assert questions == {
        "start-run": 8, "start-shift": 0, "end-shift": 0, "check-list": 3, "freezer-access": 2, "post": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"laser_off": ""}, "laser_off .* must be filled in: yes or no"),
        ({"laser_off": "perhaps"}, "is yes or no"),
        ({"temperature_before": "-57.1"}, "-57 … 30"),
        ({"temperature_after": "nan"}, "is a number"),
        ({"humidity_after": "100.5"}, "0 … 100"),
        ({"opened": "24:00"}, "is a time like 09:05"),
        ({"reason": " "}, "must be filled in"),
        ({"reson": "x"}, "did you mean 'reason'"),
    ],
)
def test_a_freezer_access_is_taken_only_with_all_answers_in_range(
    change: dict[str, str], complaint: str
) -> None:
    assert read_form("freezer-access", ACCESS)["laser_off"] is False
    with pytest.raises(UsageError, match=complaint):
        read_form("freezer-access", ACCESS | change)


def test_a_line_that_was_changed_taken_out_or_put_in_is_noticed(tmp_path: Path) -> None:
    book = Logbook(tmp_path, lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    for text in ("one", "two", "three"):
        book.add("ada", "post", {"text": text})
    assert [(entry.number, entry.at, entry.values["text"]) for entry in book.entries()] == [
        (1, "2026-03-01T12:00:00Z", "one"), (2, "2026-03-01T12:00:00Z", "two"), (3, "2026-03-01T12:00:00Z", "three"),
    ]  # fmt: skip
    path = tmp_path / "logbook.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for damaged in (
        lines[:1] + lines[2:],
        [lines[0].replace(b"one", b"six"), *lines[1:]],
        [*lines[:2], b"{}\n"],
    ):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(BookDamaged, match=r"logbook\.jsonl:[23]"):
            book.entries()
        with pytest.raises(BookDamaged):
            book.add("ada", "post", {})


def test_a_torn_line_is_cut_off_by_the_next_entry(tmp_path: Path) -> None:
    book = Logbook(tmp_path)
    book.add("ada", "post", {"text": "one"})
    with (tmp_path / "logbook.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "at"')
    assert len(book.entries()) == 1
    assert book.add("ada", "post", {"text": "two"}).number == 2
    assert [entry.values["text"] for entry in book.entries()] == ["one", "two"]


def test_users_are_known_by_passwords_that_nobody_can_read(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.add("ada", "enigma-1843")
    users.demand("ada", "enigma-1843")
    path = tmp_path / "users.json"
    assert "enigma" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    for name, password in (("ada", "enigma-1844"), ("bob", "enigma-1843"), ("ada", "")):
        with pytest.raises(UsageError, match="is wrong, or there is no such user"):
            users.demand(name, password)
    refused = (("ada", "another-one", "there is a user"), ("9", "long enough", "letter"), ("b", "short", "8"))
    for name, password, why in refused:
        with pytest.raises(UsageError, match=why):
            users.add(name, password)


def test_entries_are_written_listed_shown_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STELLWERK_LOGBOOK", str(tmp_path / "book"))
    monkeypatch.setenv("STELLWERK_LOGBOOK_PASSWORD", "enigma-1843")

    def call(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result.output

    def write(form: str, **fields: Any) -> str:
        return call("write", form, "--user", "ada", *(f"-f{name}={value}" for name, value in fields.items()))

    call("add-user", "ada")
    assert "entry 1" in write("freezer-access", **ACCESS)
    assert "entry 2" in write("post", about="hardware", text="=cmd()", modules="DEgg2021-3-133")
    assert "post            =cmd()" in call("list")
    assert json.loads(call("list", "--form", "post", "--json"))[0]["values"]["modules"] == ["DEgg2021-3-133"]
    assert "Laser off?: no" in call("show", "1")
    call("export", str(tmp_path / "book.csv"))
    rows = list(csv.DictReader((tmp_path / "book.csv").read_text().splitlines()))
    assert (rows[0]["temperature_before"], rows[1]["text"]) == ("-40.0", "'=cmd()")
    monkeypatch.setenv("STELLWERK_LOGBOOK_PASSWORD", "wrong-password")
    assert CliRunner().invoke(app, ["write", "start-shift", "--user", "ada"]).exit_code == 1
    assert len(json.loads(call("list", "--json"))) == 2
