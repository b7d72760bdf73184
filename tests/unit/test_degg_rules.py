"""Rules before a master run begins: committed source, a schedule of functions that are there, one launch of a run."""

from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import fat
from fat.commands import app
from fat.degg.commands import screen
from fat.degg.records import RunFile
from fat.errors import UsageError
from fat.provenance import demand_committed, source
from scheduler import Plan, Task, create_run
from scheduler.errors import ScheduleRejected

INI = """[constants]
run_file = {run_file}
[status_check_0]
package = {package}
task = status_check
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree with one commit, which this software takes for its own."""
    root = tmp_path / "source"
    (root / "fat").mkdir(parents=True)
    (root / "fat" / "__init__.py").write_text("")
    (root / "notes.txt").write_text("")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a")
    monkeypatch.setattr(fat, "__file__", str(root / "fat" / "__init__.py"))
    return root


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def test_what_is_changed_or_unknown_to_git_is_not_committed(repository: Path) -> None:
    demand_committed(force=False)
    assert len(source().short) == 7
    (repository / "notes.txt").write_text("no result comes from here")
    demand_committed(force=False)
    (repository / "fat" / "__init__.py").write_text("changed = True\n")
    (repository / "fat" / "new.py").write_text("")
    assert source().changed == ("fat/__init__.py", "fat/new.py")
    assert source().short.endswith("+")
    with pytest.raises(UsageError, match=r"not committed \(fat/__init__.py, fat/new.py\)"):
        demand_committed(force=False)
    demand_committed(force=True)


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """A run without modules, a schedule, an endpoints file that leads nowhere."""
    run = RunFile.create(tmp_path / "lab" / "json", "", date(2026, 1, 1), {})
    config, endpoints = tmp_path / "fat.ini", tmp_path / "endpoints.json"
    config.write_text(INI.format(run_file=run.path, package="fat.degg.tasks.housekeeping"))
    endpoints.write_text(f'{{"data": "{tmp_path / "lab"}"}}')
    return SimpleNamespace(run=run, config=config, endpoints=endpoints)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sessions that were started: none really is."""
    names: list[str] = []
    monkeypatch.setattr(screen, "start", lambda name, log, _command: names.append(f"{name} {log}"))
    return names


@pytest.mark.parametrize(
    "options", [(), ("--test",), ("--screen",), ("--recover",), ("--screen", "--recover")]
)
def test_uncommitted_changes_are_refused_at_the_terminal_of_who_typed(
    repository: Path, files: Any, started: list[str], options: tuple[str, ...]
) -> None:
    (repository / "fat" / "new.py").write_text("")
    words = ["master", str(files.config), "--endpoints", str(files.endpoints), *options]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, UsageError)
    assert "use --force" in str(refused.exception)
    assert not started
    assert files.run.launches() == {}


def test_a_master_run_is_not_resumed_either_with_uncommitted_changes(repository: Path, files: Any) -> None:
    (repository / "fat" / "new.py").write_text("")
    told = {
        "config": str(files.config),
        "endpoints_file": str(files.endpoints),
        "run_file": str(files.run.path),
    }
    run_dir = create_run(
        files.endpoints.parent / "lab" / "fat", Plan("p", (Task("a", "A", "m:f"),), parameters=told)
    )
    refused = CliRunner().invoke(app, ["resume", str(run_dir)])
    assert "use --force" in str(refused.exception)
    assert files.run.launches() == {}


def test_what_cannot_begin_is_refused_before_a_session_is_there(
    files: Any, started: list[str], tmp_path: Path
) -> None:
    words = ["--endpoints", str(files.endpoints), "--screen", "--force"]
    begins = CliRunner().invoke(app, ["master", str(files.config), *words])
    assert started == ["master fat_run_00001.log"], begins.output
    assert "log fat_run_00001.log; attach with `screen -r master`" in begins.output
    started.clear()

    recovers = CliRunner().invoke(app, ["master", str(files.config), *words, "--recover"])
    assert "never launched" in str(recovers.exception)
    files.run.begin_launch({"[0] status_check_0": -1})
    again = CliRunner().invoke(app, ["master", str(files.config), *words])
    assert "launched before (MasterFAT_00)" in str(again.exception)
    other = tmp_path / "other.ini"
    other.write_text(INI.format(run_file=files.run.path, package="fat.degg.tasks.nowhere"))
    wrong = CliRunner().invoke(app, ["master", str(other), *words])
    assert isinstance(wrong.exception, (ScheduleRejected, UsageError))
    assert not started
