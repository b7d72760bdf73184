"""What tests share: their order, databases for the catalogue, a recorded run of a small AGIPD with constants for it."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, settings

from fat.configs import shipped_bench
from pipeline.config import CorrectionTable
from pipeline.constants import AgipdConditions
from pipeline.correct import ModuleCorrection, recipe_of
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock

# No test asserts on wall time, and a machine may be shared: an example may take as long as it takes.
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=50, **PATIENT)
settings.register_profile("thorough", max_examples=2000, **PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

LONG = (
    "test_demo.py",
    "test_offline_kill.py",
    "test_fat_kill.py",
    "test_plugin_fixtures.py",
    "test_dectris_foreign.py",
    "test_caldb_foreign.py",
    "test_scheduler_kill.py",
    "test_soak_quick.py",
    "test_fat_resume.py",
    "test_truth_recovered.py",
    "test_fat_by_detector.py",
    "test_detectors_recorded.py",
    "test_chain.py",
)
"""Files with the longest tests, the longest first."""


THOROUGH = os.environ.get("STELLWERK_THOROUGH") == "1"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Variants only on request; long tests first: workers that steal from each other then end at the same time."""
    variants = [] if THOROUGH else [item for item in items if item.get_closest_marker("thorough")]
    if variants:
        config.hook.pytest_deselected(items=variants)
        items[:] = [item for item in items if item not in variants]
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))


MISSING = "no PostgreSQL here: the package postgresql (Debian) brings initdb and pg_ctl"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    # Segments in /dev/shm would look like what a test has left behind.
    "dynamic_shared_memory_type": "mmap",
}


@dataclass
class PostgresServer:
    """A private server on a Unix socket in its own folder."""

    folder: Path
    programs: Path
    numbers: Iterator[int]

    @property
    def owner(self) -> dict[str, Any]:
        """The server refuses to run as root: who runs it then, as arguments of `subprocess.run`."""
        if os.getuid() != 0:
            return {}
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        user = names.get("postgres") or names["nobody"]
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def call(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        # Started by pg_ctl, the server inherits these files: a pipe would never end.
        with (self.folder / "call.log").open("ab") as log:
            subprocess.run(command, check=True, cwd="/", stdout=log, stderr=log, timeout=60, **self.owner)

    def start(self) -> None:
        if owner := self.owner:
            os.chown(self.folder, owner["user"], owner["group"])
        self.call("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        self.up()

    def up(self) -> None:
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        options += f" -c unix_socket_directories='{self.folder}'"
        self.call("pg_ctl", "-w", "-l", str(self.folder / "server.log"), "-o", options, "start")

    def down(self) -> None:
        self.call("pg_ctl", "-w", "-m", "fast", "stop")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def fresh(self) -> str:
        """A new empty database."""
        name = f"caldb_{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def programs() -> Path | None:
    found = shutil.which("pg_ctl")
    beside = Path(found).resolve().parent if found else None
    folders = [beside, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return next((f for f in folders if f and (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    folder = programs()
    if folder is None:
        pytest.skip(MISSING)
    # Not below tmp_path: a path to a socket is at most 107 bytes long, and the server's user must reach it.
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="stellwerk-pg-", dir="/tmp")), folder, count(1))
    try:
        server.start()
        yield server
        server.call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.fresh()


@pytest.fixture(params=["sqlite", "postgresql"])
def caldb_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, by URL; a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'catalogue.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def accepted_mini(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where an acceptance run of the shipped miniature was carried out: `runs/latest`, `runs/mini`. To look at only.

    One for all workers: whoever asks while another carries it out waits for its end.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "accepted_mini"
    folder.mkdir(exist_ok=True)
    passed = folder / "passed"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not passed.exists():
            shutil.rmtree(folder / "runs", ignore_errors=True)
            command = [sys.executable, "-m", "fat", "fat", "run", shipped_bench("mini")]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            passed.touch()
    return folder


FRAMES = 2
CONDITIONS = AgipdConditions(FRAMES)


@dataclass(frozen=True)
class RecordedRun:
    """A raw run on the disk."""

    raw: Path
    detector: str = "SPB_DET_AGIPD1M-1"
    conditions: AgipdConditions = CONDITIONS

    def constants(self) -> dict[str, np.ndarray[Any, Any]]:
        """What the correction needs, by calibration; the same for every module."""
        rng = np.random.default_rng(1)
        return {
            name: np.zeros(self.conditions.shape_of(name), np.uint32)
            if name.startswith("BadPixels")
            else rng.uniform(1, 3000, self.conditions.shape_of(name)).astype(np.float32)
            for name in recipe_of(CorrectionTable(), self.conditions).needed
        }

    def corrections(self, modules: range) -> dict[int, ModuleCorrection]:
        """Prepared corrections."""
        recipe, stored = recipe_of(CorrectionTable(), self.conditions), self.constants()
        return {module: recipe.prepare(module, stored) for module in modules}

    @staticmethod
    def content(folder: Path) -> dict[str, dict[str, bytes]]:
        """All data of the corrected files by file and dataset; creation times left out."""
        return {path.name: _content_of(path) for path in sorted(folder.glob("*.h5"))}


def _content_of(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "Date" not in name:
            value = item[()]
            found[name] = repr(value.tolist()).encode() if value.dtype == object else value.tobytes()

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def _train(module: int, train_id: int) -> ModuleTrain:
    form = FORMATS["AGIPD"]
    rng = np.random.default_rng(train_id * 16 + module)
    return ModuleTrain(
        module=module,
        train_id=train_id,
        data=rng.integers(0, 16384, (FRAMES, *form.frame_shape), dtype=np.uint16),
        cell_id=np.arange(FRAMES, dtype=np.uint16),
        pulse_id=np.arange(FRAMES, dtype=np.uint64),
        status=np.zeros(FRAMES, np.uint16),
        length=np.full(FRAMES, form.frame_bytes, np.uint32),
        header=bytes(64),
        detector=np.zeros(form.detector_bytes, np.uint8),
        trailer=bytes(32),
    )


@pytest.fixture(scope="session")
def record_run() -> Callable[..., RecordedRun]:
    """Record a run below a folder: `record_run(folder, modules=2, sequences=2, trains=2)`, trains in each."""

    def record(folder: Path, modules: int = 2, sequences: int = 2, trains: int = 2) -> RecordedRun:
        run = RecordedRun(folder / "raw" / "r0003")
        plan = RecordingPlan(
            run.detector,
            FORMATS["AGIPD"],
            tuple(range(modules)),
            "SPB_IRU_AGIPD1M1",
            1,
            trains,
            TrainClock(1, 10**18),
        )
        writer = RunWriter(run.raw, plan, 3, "", run.conditions)
        for train_id in range(1, sequences * trains + 1):
            parts = {module: _train(module, train_id) for module in range(modules)}
            writer.write(Gathered(train_id, 0.0, parts))
        writer.close()
        return run

    return record


def _beside(name: str) -> Any:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wire() -> Any:
    """`dectris_wire`: messages of a control unit's streams, and a sender."""
    return _beside("dectris_wire")


@pytest.fixture(scope="session")
def lab_lines() -> Any:
    """`lab_lines`: clients of a laboratory's lines that know no protocol."""
    return _beside("lab_lines")


@pytest.fixture(scope="session")
def degg_reported() -> Any:
    """`degg_reported`: a run of optical modules that has ended, made without instruments."""
    return _beside("degg_reported")


@pytest.fixture(scope="session")
def degg() -> Any:
    """`degg_room`: a room with light and cold that a test sets, channels in it, and readers of their bytes."""
    return _beside("degg_room")


@pytest.fixture(scope="session")
def freezer() -> Any:
    """`freezer_lab`: a laboratory with a freezer alone, in the test's own process."""
    return _beside("freezer_lab")


@pytest.fixture
def ssh_host(tmp_path: Path) -> Iterator[Any]:
    """`backup_storage.SshHost`: a folder behind a real sshd."""
    yield from _served(_beside("backup_storage").SshHost, tmp_path)


@pytest.fixture
def s3_store(tmp_path: Path) -> Iterator[Any]:
    """`backup_storage.S3Store`: a bucket in a real S3 server."""
    yield from _served(_beside("backup_storage").S3Store, tmp_path)


def _served(kind: Callable[[Path], Any], tmp_path: Path) -> Iterator[Any]:
    folder = tmp_path / "server"
    folder.mkdir()
    storage = kind(folder)
    yield storage
    storage.stop()
