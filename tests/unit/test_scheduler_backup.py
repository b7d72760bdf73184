"""Destinations of backups, archives from other hands, and which archives go."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from scheduler import Plan, SchedulerTable, Task, create_run, read_journal
from scheduler.backup.archive import MANIFEST, archive_name, file_sha256, members, newest_first, unpack
from scheduler.backup.destination import Destination, open_destination
from scheduler.backup.making import Removal, addresses, make_backup
from scheduler.backup.packing import PIECE, Packed, Packer
from scheduler.backup.restoring import Restored, restore
from scheduler.backup.seen import Archive, superfluous
from scheduler.backup.verifying import Finding, verify
from scheduler.errors import BackupFailed, DestinationRejected, RunExists
from scheduler.journal import Journal, create_journal
from scheduler.runs import unborn_run

PLAN = Plan("p", (Task("a", "A", "m:f"), Task("b", "B", "m:f")))
EMPTY = b"a journal without a record"
INCLUDE = ("*.json", "*.jsonl", "results/**/*")
FAKE_SSH = """#!/bin/sh
# Stands in for ssh: runs the command here. The host `gone` cannot be reached.
while :; do case "$1" in -o|-p|-l) shift 2;; -*) shift;; *) break;; esac; done
case "$1" in *gone) echo "ssh: connect to host gone port 22: No route to host" >&2; exit 255;; esac
shift
cd "$FAKE_HOME" && exec sh -c "$*"
"""


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = create_run(tmp_path / "fat", PLAN)
    (run / "results" / "deep").mkdir(parents=True)
    (run / "results" / "deep" / "noise of it.json").write_text("[1]")
    return run


@pytest.fixture
def far(tmp_path, monkeypatch) -> Path:
    """The home of a user on a host that is reached by a stand-in for ssh."""
    home = tmp_path / "home of fat"
    for folder in (home, tmp_path / "bin"):
        folder.mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text(FAKE_SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_HOME", str(home))
    return home


@pytest.fixture(params=["folder", "file://", "memory://", "ssh://", "user@host:"])
def address(request, tmp_path) -> str:
    """One of each kind."""
    if "ssh" in request.param or "@" in request.param:
        if shutil.which("rsync") is None:
            pytest.skip("no rsync here: the package rsync (Debian)")
        home = request.getfixturevalue("far")
        return (
            f"ssh://fat@storage:2222{home}/it's here" if "ssh" in request.param else "fat@storage:it's here"
        )
    if request.param == "memory://":
        return f"memory://{tmp_path.name}"
    return f"file://{tmp_path}/there" if request.param == "file://" else str(tmp_path / "there")


def back_up(run_dir: Path, to: str, seq: int = 1, label: str = "a") -> Archive:
    with Packer(run_dir, INCLUDE) as packer:
        made = make_backup(packer, to, seq=seq, label=label)
    return Archive(made.to, made.file, made.sha256, made.files, 0.0)


def pack(run_dir: Path, target: Path) -> Packed:
    with Packer(run_dir, INCLUDE) as packer:
        return packer.pack(target)


def bring_back(destination: Destination, root: Path, run: str | None = "00001", **how) -> Restored:
    return restore(destination, run, root, passed_over=how.pop("passed_over", lambda *_: None), **how)


def test_each_kind_of_destination_takes_verifies_gives_back_and_removes(run_dir, tmp_path, address):
    made = back_up(run_dir, address)
    assert made.files == 2
    destination = open_destination(address)
    assert destination.entries("") == ["00001"]
    assert destination.entries("00001") == [made.file.removeprefix("00001/")]
    assert destination.entries("00002") == []
    assert [found.finding for found in verify(destination, "00001", [made])] == [Finding.GOOD]

    restored = bring_back(destination, tmp_path / "new" / "fat", None)
    assert restored.run_dir == tmp_path / "new" / "fat" / "00001"
    assert read_journal(restored.run_dir) == read_journal(run_dir)
    result = "results/deep/noise of it.json"
    assert (restored.run_dir / result).read_bytes() == (run_dir / result).read_bytes()

    assert Removal([made, made], address).result() == ([made.file, made.file], "")
    assert destination.entries("00001") == []
    with pytest.raises(BackupFailed):
        destination.sha256(made.file)
    with pytest.raises(BackupFailed):
        destination.fetch(made.file, tmp_path / "x")


def test_verify_tells_missing_damaged_and_what_no_journal_names(run_dir, tmp_path):
    first, second, third, fourth = (back_up(run_dir, str(tmp_path / "there"), seq) for seq in (1, 2, 3, 4))
    (tmp_path / "there" / first.file).unlink()
    flip(tmp_path / "there" / second.file)
    found = verify(open_destination(str(tmp_path / "there")), "00001", [first, second, third])
    assert [(one.file, one.finding, one.recorded) for one in found] == [
        (first.file, Finding.MISSING, True),
        (second.file, Finding.DAMAGED, True),
        (third.file, Finding.GOOD, True),
        (fourth.file, Finding.GOOD, False),
    ]
    other = replace(third, sha256=third.sha256[:16] + "0" * 48)
    assert verified(tmp_path / "there", other) is Finding.DAMAGED
    assert verified(tmp_path / "there", third) is Finding.GOOD


def verified(there: Path, archive: Archive) -> Finding:
    found = {one.file: one.finding for one in verify(open_destination(str(there)), "00001", [archive])}
    return found[archive.file]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


def test_a_backup_that_does_not_read_back_is_no_backup(run_dir, tmp_path, monkeypatch):
    rename = Path.rename

    def damaging(self: Path, target: Path) -> Path:
        flip(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", damaging)
    with pytest.raises(BackupFailed, match="does not read back as it was written"):
        back_up(run_dir, str(tmp_path / "b"))
    assert os.listdir(tmp_path / "b" / "00001") == []


def test_live_progress_hidden_files_and_detector_data_stay_out(run_dir, tmp_path, monkeypatch):
    for name in ("live.json", ".hidden.json", "pixels.h5"):
        (run_dir / name).write_text("{}")
    packed = pack(run_dir, tmp_path / "x.tar.gz")
    assert sorted(packed.digests) == ["journal.sqlite", "results/deep/noise of it.json"]
    monkeypatch.setattr("scheduler.backup.packing.MAX_BYTES", 10)
    with pytest.raises(BackupFailed, match="take data out of backup_include"):
        pack(run_dir, tmp_path / "x.tar.gz")


def unpacked(archive, folder):
    """As anybody unpacks it."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)


def test_what_has_not_changed_is_packed_once_and_each_archive_is_whole(run_dir, tmp_path, monkeypatch):
    packed = []
    compress = gzip.compress
    monkeypatch.setattr(
        "gzip.compress", lambda data, *how, **more: packed.append(data) or compress(data, *how, **more)
    )
    result, trend = run_dir / "results" / "deep" / "noise of it.json", run_dir / "trend.json"
    os.utime(result, (1_000_000_000, 1_000_000_000))
    trend.write_text("[1]")
    with Packer(run_dir, INCLUDE) as packer:
        packer.pack(tmp_path / "1.tar.gz")
        with Journal(run_dir) as journal:
            journal.append("task_note", {"text": "meanwhile"}, 0)
        trend.write_text("[2]")
        packed.clear()
        second = packer.pack(tmp_path / "2.tar.gz")
        assert [data[:12].rstrip(b"\0") for data in packed] == [
            b"journal.sqli",
            b"trend.json",
            b".manifest.js",
        ]
        result.write_text("[3]")
        third = packer.pack(tmp_path / "3.tar.gz")
    unpacked(tmp_path / "2.tar.gz", tmp_path / "two")
    assert (tmp_path / "two" / "trend.json").read_text() == "[2]"
    assert (tmp_path / "two" / "results" / "deep" / "noise of it.json").read_text() == "[1]"
    assert read_journal(tmp_path / "two") == read_journal(run_dir)
    contents = dict(members(tmp_path / "3.tar.gz"))
    assert contents["results/deep/noise of it.json"] == b"[3]"
    assert {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()} == {
        **third.digests,
        MANIFEST: hashlib.sha256(json.dumps(third.digests).encode()).hexdigest(),
    }
    assert second.sha256 == file_sha256(tmp_path / "2.tar.gz")


def test_an_archive_holds_no_record_that_is_written_while_it_is_packed(run_dir, tmp_path):
    # Whoever copies files into the run's folder when something is recorded has not done so yet for such a record.
    with Packer(run_dir, INCLUDE) as packer:
        for number in (1, 2, 3):
            with Journal(run_dir) as journal:
                journal.append("task_note", {"text": "meanwhile"}, 0)
            packer.pack(tmp_path / f"{number}.tar.gz", number)
            unpacked(tmp_path / f"{number}.tar.gz", tmp_path / str(number))
            assert read_journal(tmp_path / str(number)) == read_journal(run_dir)[:number]


def test_of_a_large_file_that_grows_only_its_end_is_packed_again(run_dir, tmp_path, monkeypatch):
    plain = []
    compress = gzip.compress
    monkeypatch.setattr(
        "gzip.compress", lambda data, *how, **more: plain.append(len(data)) or compress(data, *how, **more)
    )
    trend, numbers = run_dir / "trend.json", bytes(range(256))
    with Packer(run_dir, INCLUDE) as packer:
        for number, size in enumerate(
            (3 * PIECE + 100, 3 * PIECE + 700, 3 * PIECE, PIECE - 1, 4 * PIECE + 1)
        ):
            content = (numbers * (1 + size // 256))[:size]
            trend.write_bytes(content)
            plain.clear()
            packer.pack(tmp_path / f"{number}.tar.gz")
            assert sum(length >= PIECE for length in plain) == (3, 0, 0, 1, 1)[number]
            assert dict(members(tmp_path / f"{number}.tar.gz"))["trend.json"] == content
        trend.write_bytes(b"x" + content[1:])
        packer.pack(tmp_path / "changed.tar.gz")
    assert dict(members(tmp_path / "changed.tar.gz"))["trend.json"] == b"x" + content[1:]


def test_a_host_that_is_not_reached_is_told_in_a_sentence(run_dir, far):
    if shutil.which("rsync") is None:
        pytest.skip("no rsync here: the package rsync (Debian)")
    told = (
        "backup fat@gone:srv: the host cannot be reached: ssh: connect to host gone port 22: No route to host"
    )
    with pytest.raises(BackupFailed) as caught:
        back_up(run_dir, "fat@gone:srv")
    assert str(caught.value) == told


def test_what_the_far_side_says_is_told(run_dir, far):
    (far / "srv").write_text("a file where a folder belongs")
    with pytest.raises(BackupFailed, match=r"fat@storage:srv: .*(File exists|Not a directory)"):
        back_up(run_dir, "fat@storage:srv")


@pytest.mark.parametrize("program", ["ssh", "rsync"])
def test_a_missing_program_is_told(run_dir, tmp_path, far, monkeypatch, program):
    programs = tmp_path / "few"
    programs.mkdir()
    for name in {"ssh", "rsync", "sh", "mkdir"} - {program}:
        (programs / name).symlink_to(
            tmp_path / "bin" / "ssh" if name == "ssh" else shutil.which(name) or "/bin/sh"
        )
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(BackupFailed, match=f"the program {program} is not installed here"):
        back_up(run_dir, "fat@storage:srv")


def test_a_host_that_falls_silent_is_left_after_the_limit(run_dir, tmp_path, far, monkeypatch):
    monkeypatch.setattr("scheduler.backup.ssh.LIMIT_S", 0.2)
    (tmp_path / "bin" / "ssh").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(BackupFailed, match="took longer than 0 s and was stopped"):
        back_up(run_dir, "fat@storage:srv")


def test_a_destination_that_never_answers_is_left_behind(run_dir, tmp_path, monkeypatch):
    answer = threading.Event()

    def never(self: Path, *_args: object, **_more: object) -> None:
        answer.wait()
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr("scheduler.backup.destination.LIMIT_S", 0.1)
        patch.setattr("scheduler.backup.destination.Directory.put", never)
        with pytest.raises(BackupFailed, match="took longer than 0 s and was left behind"):
            back_up(run_dir, str(tmp_path / "there"))
    answer.set()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ssh://fat@storage", "give ssh://user@host/path"),
        ("fat@-oProxyCommand=touch:x", "no name of a user and a host"),
        ("-oProxyCommand=x@storage:x", "no name of a user and a host"),
        ("fat@sto rage:x", "no name of a user and a host"),
        ("fat@storage:x\nrm", "give a folder"),
        ("s3://key:secret@bucket/x", "keys and passwords do not belong"),
        (" ", "give a folder"),
    ],
)
def test_addresses_that_can_never_be_are_refused_with_the_bench_file(address, told):
    with pytest.raises(DestinationRejected, match=told) as caught:
        open_destination(address)
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError, match=told):
        SchedulerTable.model_validate({"backup_to": [address]})


def test_protocols_without_their_package_and_unknown_ones_are_told(run_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BackupFailed, match=r"s3:// is not installed here: pip install 'stellwerk\[s3\]'"):
        back_up(run_dir, "s3://bucket/x")
    with pytest.raises(BackupFailed, match="Protocol not known: carrier-pigeon"):
        back_up(run_dir, "carrier-pigeon://loft")


def test_destinations_are_absolute_each_once_and_have_a_default(run_dir, monkeypatch):
    monkeypatch.chdir(run_dir)
    assert addresses(["b", str(run_dir / "b"), "memory://b"], run_dir) == (str(run_dir / "b"), "memory://b")
    assert addresses([], run_dir) == (str(run_dir.parent.parent / "backup"),)


def kept(keep_last: int | None, keep_days: float | None) -> list[str]:
    here = [Archive("there", f"{day}", "", 1, day * 86400.0) for day in range(10)]
    there = [Archive("elsewhere", "x", "", 1, 0.0)]
    old = superfluous([*here, *there], "there", keep_last=keep_last, keep_days=keep_days, now_s=9.5 * 86400.0)
    return [archive.file for archive in here if archive not in old]


@pytest.mark.parametrize(
    ("last", "days", "left"),
    [
        (None, None, "0123456789"),
        (3, None, "789"),
        (None, 3, "789"),
        (2, 3, "789"),
        (4, 3, "6789"),
        (1, 0.1, "9"),
        (None, 0.1, "9"),
    ],
)
def test_what_either_limit_keeps_stays_and_the_newest_always(last, days, left):
    assert "".join(kept(last, days)) == left


def test_removing_tells_what_kept_the_others(run_dir, tmp_path):
    made = back_up(run_dir, str(tmp_path / "there"))
    (tmp_path / "there" / "00001" / "folder").mkdir()
    stuck = Archive(made.to, "00001/folder", "", 1, 0.0)
    gone, why = Removal([made, stuck], made.to).result()
    assert gone == [made.file]
    assert "folder" in why


def test_the_latest_record_comes_first_whatever_is_in_between():
    names = [
        archive_name(seq, label, "0" * 64) for seq, label in [(9, "a"), (1_000_123, "b"), (10, "by-hand")]
    ]
    assert newest_first([*names, ".partial", "x.tar.gz"]) == [names[1], names[2], names[0]]


def test_restoring_never_writes_over_a_run(run_dir, tmp_path):
    back_up(run_dir, str(tmp_path / "there"))
    destination = open_destination(str(tmp_path / "there"))
    with pytest.raises(RunExists, match="--beside"):
        bring_back(destination, run_dir.parent)
    with pytest.raises(RunExists), unborn_run(run_dir.parent, "00001"):
        pass
    assert bring_back(destination, run_dir.parent, beside=True).run_dir == run_dir.parent / "00002"


def test_restoring_passes_over_what_is_not_whole_and_says_so(run_dir, tmp_path):
    old, new = (back_up(run_dir, str(tmp_path / "there"), seq) for seq in (1, 2))
    flip(tmp_path / "there" / new.file)
    told: list[str] = []
    destination = open_destination(str(tmp_path / "there"))
    restored = bring_back(
        destination, tmp_path / "new", passed_over=lambda name, why: told.append(f"{name}: {why}")
    )
    assert restored.file == old.file
    assert len(told) == 1
    assert "its bytes are not those that were written" in told[0]
    with pytest.raises(BackupFailed, match="not those that were written"):
        bring_back(destination, tmp_path / "newer", archive=Path(new.file).name)
    assert not (tmp_path / "newer" / "00001").exists()


def test_restoring_what_is_not_there_is_told(tmp_path):
    destination = open_destination(str(tmp_path / "there"))
    with pytest.raises(BackupFailed, match="no backup of any run"):
        bring_back(destination, tmp_path / "new", None)
    with pytest.raises(BackupFailed, match="no backup of run 00001"):
        bring_back(destination, tmp_path / "new")


def archive_of(
    path: Path, *added: tuple[tarfile.TarInfo, bytes], manifest: dict[str, str] | None = None
) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in added:
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
        if manifest is not None:
            body = json.dumps(manifest).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


def named(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b"x" if kind == tarfile.REGTYPE else b""


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ([named("../outside")], "leads out of the folder"),
        ([named("a/../../outside")], "leads out of the folder"),
        ([named("/etc/outside")], "leads out of the folder"),
        ([named("./a")], "leads out of the folder"),
        ([named("a", tarfile.SYMTYPE, "/etc")], "not a plain file"),
        ([named("a", tarfile.LNKTYPE, "b")], "not a plain file"),
        ([named("a", tarfile.CHRTYPE)], "not a plain file"),
        ([named("a", tarfile.FIFOTYPE)], "not a plain file"),
        ([named("a", tarfile.DIRTYPE)], "not a plain file"),
        ([named("a"), named("a")], "is in it twice"),
        ([named("a"), named("a/b")], "Not a directory|File exists"),
        ([named("n" * 300)], "name too long"),
        ([named("a")], "not those that its manifest lists"),
    ],
)
def test_archives_from_other_hands_write_nothing_outside(tmp_path, added, told):
    (tmp_path / "in" / "target").mkdir(parents=True)
    archive = archive_of(tmp_path / "x.tar.gz", *added)
    with pytest.raises(BackupFailed, match=told):
        unpack(archive, tmp_path / "in" / "target")
    assert os.listdir(tmp_path / "in") == ["target"]


def test_every_file_is_compared_with_the_manifest(tmp_path):
    right = {"a": hashlib.sha256(b"x").hexdigest()}
    for name, manifest, good in [
        ("good", right, True),
        ("bad", {"a": "0"}, False),
        ("more", {**right, "b": ""}, False),
    ]:
        target = tmp_path / name
        target.mkdir()
        archive = archive_of(tmp_path / f"{name}.tar.gz", named("a"), manifest=manifest)
        if good:
            assert unpack(archive, target) == 1
        else:
            with pytest.raises(BackupFailed, match="not those that its manifest lists"):
                unpack(archive, target)


def large_file(path: Path) -> None:
    info, _ = named("a")
    archive_of(path, (info, bytes(300_000)))


def large_header(path: Path) -> None:
    info, content = named("a")
    info.pax_headers = {"comment": "x" * 300_000}
    archive_of(path, (info, content))


def many_files(path: Path) -> None:
    archive_of(path, *(named(f"f{number}") for number in range(40)))


def sparse_file(path: Path) -> None:
    info, content = named("a")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 12}
    archive_of(path, (info, b"1\n0\n1\n" + content))


@pytest.mark.parametrize("bomb", [large_file, large_header, many_files, sparse_file])
def test_bombs_are_refused_before_they_fill_memory_or_disk(
    tmp_path, monkeypatch, bomb: Callable[[Path], None]
):
    monkeypatch.setattr("scheduler.backup.archive.MAX_BYTES", 50_000)
    monkeypatch.setattr("scheduler.backup.archive.OVERHEAD_BYTES", 50_000)
    monkeypatch.setattr("scheduler.backup.archive.MAX_FILES", 30)
    bomb(tmp_path / "x.tar.gz")
    with pytest.raises(BackupFailed, match=r"far more than records|far more files|not a plain file"):
        list(members(tmp_path / "x.tar.gz"))


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"no tar" * 200), gzip.compress(b"")[:-4]],
    ids=["nothing", "no gzip", "no tar", "cut"],
)
def test_rubbish_is_no_archive(tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    (tmp_path / "new").mkdir()
    with pytest.raises(BackupFailed):
        unpack(tmp_path / "x.tar.gz", tmp_path / "new")


@pytest.mark.parametrize(
    ("journal", "told"),
    [(None, "damaged or absent"), (b"{}\n", "damaged or absent"), (EMPTY, "does not begin")],
    ids=["absent", "damaged", "empty"],
)
def test_a_run_without_a_good_journal_is_not_restored(tmp_path, journal, told):
    if journal == EMPTY:
        create_journal(tmp_path)
        journal = (tmp_path / "journal.sqlite").read_bytes()
    content = b"x" if journal is None else journal
    name = "other" if journal is None else "journal.sqlite"
    info = tarfile.TarInfo(name)
    made = archive_of(tmp_path / "x", (info, content), manifest={name: hashlib.sha256(content).hexdigest()})
    there = tmp_path / "there" / "00001"
    there.mkdir(parents=True)
    made.rename(there / archive_name(1, "a", file_sha256(made)))
    with pytest.raises(BackupFailed, match=told):
        bring_back(open_destination(str(tmp_path / "there")), tmp_path / "new")
    assert not (tmp_path / "new" / "00001").exists()
