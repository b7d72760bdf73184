"""Backups to a real sshd and a real S3 server, and the way back from there; every step by a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler import Plan, Task, comparable, create_run, open_run, record
from scheduler.backup.destination import open_destination
from scheduler.backup.making import make_backup
from scheduler.backup.packing import Packer
from scheduler.backup.seen import Archive
from scheduler.backup.verifying import Finding, unsaved, verify
from scheduler.errors import BackupFailed

HERE = Path(__file__).parent
TIMEOUT_S = 120
PLAN = Plan(
    "plan",
    tuple(
        Task(name, name.upper(), f"scheduler_tasks:{function}", backup=name != "d")
        for name, function in {"a": "passes", "b": "fails", "c": "passes", "d": "passes"}.items()
    ),
)


@pytest.fixture(params=["ssh_host", "s3_store"])
def storage(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The record of the same run with backups to a folder."""
    run_dir = create_run(tmp_path_factory.mktemp("whole") / "fat", PLAN)
    bench = bench_file(run_dir, str(run_dir / "backup"))
    call({}, HERE / "scheduler_backed_up.py", bench, run_dir, code=1)
    return comparable(record(run_dir))


def bench_file(folder: Path, *to: str) -> Path:
    path = folder / "bench.toml"
    addresses = ", ".join(f'"{address}"' for address in to)
    path.write_text(f"[scheduler]\nbackup_to = [{addresses}]\nbackup_keep_last = 2\n", encoding="utf-8")
    return path


def call(environment: dict[str, str], *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)]), **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def sched_backup(storage: Any, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    return call(storage.environment, "-m", "fat", "sched", "backup", *arguments, code=code)


def test_a_run_comes_back_from_storage_that_is_not_ours(storage, undisturbed, tmp_path, nothing_left_behind):
    bench, lost, new = bench_file(tmp_path, storage.address), tmp_path / "lost", tmp_path / "new"
    run_dir = create_run(lost / "fat", PLAN)

    call(
        storage.environment,
        HERE / "scheduler_backed_up.py",
        bench,
        run_dir,
        "run_finished",
        code=-signal.SIGKILL,
    )
    older, newest = open_run(run_dir).archives
    assert storage.files() == [older.file, newest.file]  # that after task a is pruned
    storage.damage(newest.file)
    told = sched_backup(storage, "verify", run_dir, code=3).stdout
    assert f"{storage.address}: {older.file} good" in told
    assert f"{storage.address}: {newest.file} damaged (its bytes are others)" in told

    shutil.rmtree(lost)
    restored = sched_backup(storage, "restore", storage.address, "--data", new)
    assert restored.stderr.startswith(f"{Path(newest.file).name} is not whole, an older one is taken")
    assert older.file in restored.stdout

    run_dir = new / "fat" / "00001"
    assert [str(task.verdict) for task in open_run(run_dir).tasks.values()] == [
        "PASS",
        "FAIL",
        "UNSET",
        "UNSET",
    ]
    done = call(storage.environment, HERE / "scheduler_backed_up.py", bench, run_dir, code=1)
    assert done.stderr == ""
    assert comparable(record(run_dir)) == undisturbed
    assert all(task.backup.verified for task in open_run(run_dir).tasks.values() if task.backup)


def test_a_line_that_breaks_in_the_middle_of_a_copy_costs_that_copy_alone(
    storage, tmp_path, undisturbed, capfd
):
    line = storage.behind_a_line()
    bench, run_dir = bench_file(tmp_path, storage.address), create_run(tmp_path / "fat", PLAN)
    command = [HERE / "scheduler_backed_up.py", bench, run_dir]
    run = begun(storage.environment, *command, "halts", "task_finished b", "backup_failed b")

    def until(event: str) -> None:
        assert run.stdout.readline() == f"{event}\n"

    def go_on() -> None:
        run.stdin.write("\n")
        run.stdin.flush()

    try:
        until("task_finished b")
        (run_dir / "noise.json").write_text(f'"{os.urandom(1 << 20).hex()}"')
        line.break_after(1 << 19)
        go_on()
        until("backup_failed b")
        assert line.broken
        (good,) = open_run(run_dir).archives
        assert storage.files() == [good.file]  # no half file has the name of an archive
        line.mend()
        told = sched_backup(storage, "verify", run_dir, code=3).stdout
        assert f"{storage.address}: {good.file} good\n" in told
        assert f"{storage.address}: no archive holds task b (" in told
        # Task c goes on beside the backup that fails, and may have ended by now.
        assert re.search(
            r"\n1 archives, [12] of them, their destinations, or tasks that none holds bad\n$", told
        )
        go_on()
        assert run.wait(TIMEOUT_S) == 1  # b fails
    finally:
        run.kill()
        run.communicate()
        line.stop()
    assert open_run(run_dir).archives[0] == good
    assert storage.files() == [archive.file for archive in open_run(run_dir).archives]
    assert list(unsaved(open_run(run_dir), storage.address)) == []  # the archive after c holds b too
    assert "never retrieved" not in capfd.readouterr().err, "people at a terminal are told once"
    assert comparable(record(run_dir)) == undisturbed


def begun(environment: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)]), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def back_up(tmp_path: Path, to: str) -> Archive:
    run_dir = tmp_path / "lost" / "fat" / "00001"
    if not run_dir.exists():
        create_run(run_dir.parent, PLAN)
    with Packer(run_dir, ()) as packer:
        made = make_backup(packer, to, seq=1, label="a")
    return Archive(made.to, made.file, made.sha256, made.files, 0.0)


def test_a_path_on_a_host_may_begin_in_the_users_home(ssh_host, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", ssh_host.environment["PATH"])
    made = back_up(tmp_path, ssh_host.from_home)
    assert ssh_host.files() == [made.file]
    found = list(verify(open_destination(ssh_host.from_home), "00001", [made]))
    assert [one.finding for one in found] == [Finding.GOOD]


def test_what_keeps_a_host_from_being_reached_is_told_and_nobody_is_asked(ssh_host, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", ssh_host.environment["PATH"])

    def told() -> str:
        with pytest.raises(BackupFailed) as caught:
            back_up(tmp_path, ssh_host.address)
        return str(caught.value).removeprefix(f"backup {ssh_host.address}: the host cannot be reached: ")

    (ssh_host.folder / "authorized_keys").write_text("")
    assert told() == f"{ssh_host.user}@127.0.0.1: Permission denied (publickey)."
    (ssh_host.folder / "known_hosts").write_text("")
    assert "127.0.0.1" in told()
    assert told().endswith("Host key verification failed.")
    ssh_host.stop()
    assert told() == f"ssh: connect to host 127.0.0.1 port {ssh_host.port}: Connection refused"


def test_a_bucket_that_is_not_there_is_told_and_not_made(s3_store, tmp_path):
    run_dir = create_run(tmp_path / "fat", PLAN)
    misspelt = "s3://bench-backup/fat"
    done = sched_backup(s3_store, run_dir, "--to", misspelt, code=3)
    assert done.stderr == f"backup {misspelt}: FileNotFoundError: The specified bucket does not exist\n"
    assert s3_store.buckets() == [s3_store.BUCKET]
