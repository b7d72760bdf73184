"""`stellwerk pipe offline` killed, interrupted, without room: a sentence; the next start ends with the same."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pytest

from pipeline.constants import Catalogue, CatalogueRest, Origin, inject, run_start
from pipeline.offline.correct import correct_run

STRUCK = Path(__file__).with_name("offline_struck.py")
LIMITED = "import os, resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
LIMITED += "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
MODULES, SEQUENCES = 2, 5
FILES = MODULES * SEQUENCES

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Scene:
    """A recorded run of three modules, a catalogue with constants for two, and what comes out in the end."""

    run: Any
    options: tuple[str, ...]
    whole: dict[str, dict[str, bytes]]

    def offline(self, out: Path, *more: str, struck: tuple[str, ...] = (), raw: Path | None = None) -> Done:
        """Call the command; *struck* as offline_struck.py takes it. Returns when nobody holds its output."""
        program = [str(STRUCK), *struck] if struck else ["-m", "fat", "pipe", "offline"]
        return self.call([*program, str(raw or self.run.raw), *self.options, "--out", str(out), *more])

    def call(self, arguments: list[str]) -> Done:
        """Python with these arguments, in a process group of its own: Ctrl-C reaches all of it."""
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, start_new_session=True
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def holds_only_whole_files(self, out: Path) -> int:
        """Compare files that have their names with those of an uninterrupted correction; how many."""
        found = self.run.content(out)
        assert found.items() <= self.whole.items()
        return len(found)

    def ends_with_the_same(self, out: Path) -> dict[str, Any]:
        """Call the command once more; what it says."""
        done = self.offline(out, "--json")
        assert done.code == 0, done.stderr
        self.holds_the_same(out)
        return dict(json.loads(done.stdout))

    def goes_on_to_the_same(self, out: Path) -> int:
        """Call what the command calls: its start takes longer than the correction. How many files were finished."""
        with ThreadPoolExecutor(1) as executor:
            done = correct_run(
                self.run.raw, out, self.run.detector, self.run.corrections(range(MODULES)), executor
            )
        self.holds_the_same(out)
        return done.skipped

    def holds_the_same(self, out: Path) -> None:
        """Everything is there, and nothing else."""
        assert self.run.content(out) == self.whole
        assert not list(out.glob(".*")), "something unfinished is left"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def sentences(self) -> list[str]:
        """Lines of its stderr, but for those that a slow machine gets while it waits."""
        return [line for line in self.stderr.splitlines() if line and not re.match(r"corrected \d+ of", line)]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and store of a catalogue."""
    store = tmp_path_factory.mktemp("caldb")
    command = [sys.executable, "-m", "fat", "caldb", "serve", "--store", store, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            yield json.loads(serving.stdout.readline())["rest"], store
        finally:
            serving.terminate()


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory,
    record_run: Callable[..., Any],
    catalogue: tuple[str, Path],
) -> Scene:
    folder = tmp_path_factory.mktemp("offline")
    run = record_run(folder, MODULES, SEQUENCES, 2)
    address, store = catalogue
    rest = CatalogueRest(address)
    for module in range(MODULES):
        known = Catalogue(rest, store, run.detector)
        inject(
            known, module, run.constants(), run.conditions, Origin(run_start(run.raw), "proposal:1 runs:1")
        )
    rest.close()
    with ThreadPoolExecutor(1) as executor:
        correct_run(run.raw, folder / "whole", run.detector, run.corrections(range(MODULES)), executor)
    options = ("--catalogue", address, "--store", str(store))
    return Scene(run, options, run.content(folder / "whole"))


KILLS = [("begun", 1, 0), ("bytes", 40, 0), ("named", 1, 1), ("train", 4, 1), ("closed", 3, 2)]
"""Moment, the how many-th, and files that get their names before it; two trains make a file."""


def test_killed_again_and_again_it_ends_with_the_same(tmp_path: Path, scene: Scene) -> None:
    out, finished = tmp_path / "out", 0
    for moment, count, more in KILLS:
        done = scene.offline(out, "--workers", "1", struck=(moment, str(count), "SIGKILL", "self"))
        assert done.code == -9, (moment, done.stderr)
        finished += more
        assert scene.holds_only_whole_files(out) == finished, moment
    told = scene.ends_with_the_same(out)
    assert (told["files"], told["skipped"]) == (FILES - finished, finished)


def test_workers_end_with_their_killed_parent(tmp_path: Path, scene: Scene) -> None:
    """The call returns when the last worker has closed its stdout: one that lived on would hold it."""
    struck = ("train", "2", "SIGKILL", "parent")
    done = scene.offline(tmp_path / "out", "--processes", struck=struck)
    assert done.code == -9
    finished = scene.holds_only_whole_files(tmp_path / "out")
    assert finished < FILES
    assert scene.goes_on_to_the_same(tmp_path / "out") == finished


def test_a_killed_worker_is_one_sentence_that_says_what_to_do(tmp_path: Path, scene: Scene) -> None:
    out = tmp_path / "out"
    done = scene.offline(out, "--processes", struck=("train", "4", "SIGKILL", "self"))
    assert done.code == 75
    (sentence,) = done.sentences
    assert "a worker process was killed while RAW-R0003-AGIPD0" in sentence
    assert f"of {FILES} files are finished: give the same command again" in sentence
    finished = scene.holds_only_whole_files(out)
    assert 1 <= finished < FILES
    assert scene.goes_on_to_the_same(out) == finished


@pytest.mark.parametrize("options", [(), ("--processes",)], ids=["threads", "processes"])
def test_ctrl_c_finishes_what_was_begun_and_exits_with_75(
    tmp_path: Path, scene: Scene, options: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    done = scene.offline(out, *options, struck=("train", "2", "SIGINT", "group"))
    assert done.code == 75
    assert "files remain; start again to go on" in done.stderr
    assert not list(out.glob(".CORR-*"))
    finished = scene.holds_only_whole_files(out)
    assert 1 <= finished < FILES
    assert scene.goes_on_to_the_same(out) == finished


def test_ctrl_c_while_workers_start_is_no_traceback(tmp_path: Path, scene: Scene) -> None:
    done = scene.offline(tmp_path / "out", "--processes", struck=("import", "1", "SIGINT", "group"))
    assert done.code == 75
    assert "files remain; start again to go on" in done.stderr
    scene.goes_on_to_the_same(tmp_path / "out")


@pytest.mark.parametrize(
    ("limit", "options"),
    [
        (4096, ()),
        (1_500_000, ("--processes",)),
        pytest.param(1_500_000, (), marks=pytest.mark.thorough),
        pytest.param(4096, ("--processes",), marks=pytest.mark.thorough),
    ],
)
def test_a_full_disk_is_the_fault_of_the_output(
    tmp_path: Path, scene: Scene, limit: int, options: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    command = ["-c", LIMITED, str(limit), "-m", "fat", "pipe", "offline", str(scene.run.raw), *scene.options]
    done = scene.call([*command, "--out", str(out), *options])
    assert done.code == 3, done.stderr
    (sentence,) = done.sentences
    assert sentence.startswith((f"{out}/CORR-R0003-AGIPD0", f"{out}/.corrections/"))
    assert "cannot be written: File too large; make room, then give the same command again" in sentence
    assert not list(out.iterdir())
    scene.goes_on_to_the_same(out)


def test_two_corrections_do_not_write_into_one_folder(tmp_path: Path, scene: Scene) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    done = scene.offline(tmp_path)
    os.close(descriptor)
    assert done.code == 3
    assert done.stderr.startswith(f"{tmp_path} cannot be written: another correction is writing there")
    scene.goes_on_to_the_same(tmp_path)


def test_an_output_that_is_a_file_is_a_sentence(tmp_path: Path, scene: Scene) -> None:
    (tmp_path / "out").write_text("not a folder")
    done = scene.offline(tmp_path / "out")
    assert (done.code, done.stderr) == (3, f"{tmp_path / 'out'} cannot be written: File exists\n")


def test_metadata_that_cannot_be_written_are_a_sentence(tmp_path: Path, scene: Scene) -> None:
    blocking = tmp_path / "calibration_metadata.yml"
    blocking.mkdir()
    done = scene.offline(tmp_path, "--json")
    assert (done.code, done.stderr) == (3, f"{blocking} cannot be written: Is a directory\n")
    assert json.loads(done.stdout) == {"error": done.stderr.strip()}
    blocking.rmdir()
    assert scene.ends_with_the_same(tmp_path)["skipped"] == FILES


def test_a_damaged_file_and_a_module_without_constants_exit_with_1(
    tmp_path: Path, scene: Scene, record_run: Callable[..., Any]
) -> None:
    raw = record_run(tmp_path, MODULES + 1, 1, 2).raw
    damaged = raw / "RAW-R0003-AGIPD00-S00000.h5"
    count = f"INDEX/{scene.run.detector}/DET/0CH0:xtdf/image/count"
    with h5py.File(damaged, "r+") as file:
        file[count][1] = 1 << 50
    done = scene.offline(tmp_path / "out", raw=raw)
    assert done.code == 1
    assert "1 files corrected" in done.stdout
    assert "AGIPD02 is not corrected: no Offset for module 2" in done.stderr
    assert f"{damaged}: {count} tells of" in done.stderr
    told = json.loads(scene.offline(tmp_path / "out", "--json", raw=raw).stdout)
    assert (told["files"], told["skipped"], told["uncorrected"]) == (0, 1, ["AGIPD02"])
    assert len(told["failed"]) == 1


def test_a_run_without_any_constants_exits_with_3(tmp_path: Path, scene: Scene) -> None:
    raw = tmp_path / "r0003"
    raw.mkdir()
    for path in scene.run.raw.glob("*S00000.h5"):
        (raw / path.name.replace("AGIPD00", "AGIPD07").replace("AGIPD01", "AGIPD08")).hardlink_to(path)
    done = scene.offline(tmp_path / "out", raw=raw)
    assert done.code == 3
    assert "no Offset for module 7" in done.stderr
    assert not (tmp_path / "out").exists()
