"""Domnet processes of the set-up: what is read from them, and that none is left."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fat.degg.commands.domnets import Domnet, DomnetFailed, Wanted
from fat.degg.commands.telling import Teller
from fat.errors import UsageError

FOUND = "echo starting >&2; echo 'ICMs detected at address: 0 1 2 3 8 ' >&2; echo running >&2; exec sleep 600"


def program(folder: Path, text: str) -> list[str]:
    """A program that says what domnet says, and writes down how it was called."""
    path = folder / "domnet"
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/called\n{text}\n')
    path.chmod(0o755)
    return [str(path)]


def test_a_start_tells_its_icms_and_ends_when_told(tmp_path: Path) -> None:
    domnet = Domnet(Wanted("USB1", 5004), program(tmp_path, FOUND), Path("domnet.ini"))
    assert domnet.start(20.0) == [0, 1, 2, 3, 8]
    assert (tmp_path / "called").read_text() == "USB1 -c domnet.ini -p 5004 -n 4\n"
    assert domnet.endpoints() == {
        **{f"degg.{port}": f"tcp://127.0.0.1:{port}" for port in range(5004, 5008)},
        "icm.6004": "tcp://127.0.0.1:6004",
    }
    process = domnet._process
    assert process is not None
    assert not domnet.ended
    domnet.stop()
    domnet.stop()
    assert process.returncode is not None


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    dies = program(tmp_path, "echo 'no device on USB1' >&2; exit 1")
    with pytest.raises(DomnetFailed, match="domnet on USB1 ended: no device on USB1"):
        Domnet(Wanted("USB1", 5004), dies, None).start(20.0)
    silent = program(tmp_path, "exec sleep 600")
    with pytest.raises(DomnetFailed, match="found no ICMs within 0 s; is the field hub powered"):
        Domnet(Wanted("USB1", 5004), silent, None).start(0.2)
    with pytest.raises(DomnetFailed, match="name the program with --domnet"):
        Domnet(Wanted("USB1", 5004), [str(tmp_path / "nothing")], None).start(0.2)


def test_the_tabletop_hub_has_one_module_at_seven() -> None:
    assert Wanted("USB9", 10_000, (7,)).ports == 8
    assert list(Domnet(Wanted("USB9", 10_000, (7,)), ["domnet"], None).endpoints()) == [
        "degg.10007",
        "icm.11000",
    ]


def test_nobody_can_be_asked_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Teller(yes=True).confirm("Flash?")
    assert Teller(yes=True).confirm("Flash?", given=False) is False
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="give --yes"):
        Teller().confirm("Flash?")
