"""The pipeline as its parent sees it: pipes, exit codes, sentences; and a run from the simulator to raw files."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.commands import app
from pipeline.daq.inspection import inspect_run

TOKEN = "token-of-the-tests"
FIRST_TRAIN = 1_500_000_000
EPOCH_NS = 1_768_464_000 * 10**9
SMALL = {"modules": 1, "memory_cells": 4, "daq": {"slots_per_module": 6}}


def order(data_dir: Path, table: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "table": SMALL if table is None else table,
        "data_dir": str(data_dir),
        "endpoints": {},
        "token": TOKEN,
        "time": {"anchor_train_id": FIRST_TRAIN, "anchor_unix_ns": EPOCH_NS, "period_ns": 100_000_000},
    }


@contextlib.contextmanager
def child(log: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def say(process: subprocess.Popen[str], message: Any) -> None:
    assert process.stdin is not None
    process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str], timeout_s: float = 60) -> dict[str, Any]:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], timeout_s)[0], "the child does not answer"
    return json.loads(process.stdout.readline())


def until(condition: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
        select.select([], [], [], 0.02)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with child(tmp_path / "pipeline.log", "-m", "pipeline.process") as process:
        yield process


def test_ready_status_stop(pipeline: subprocess.Popen[str], tmp_path: Path) -> None:
    say(pipeline, order(tmp_path))
    ready = hear(pipeline)["ready"]
    assert sorted(ready) == ["bridge.corrected", "bridge.preview", "bridge.raw", "daq.0", "pipeline"]
    assert ready["daq.0"].startswith("udp://127.0.0.1:")
    say(pipeline, {"id": 1, "op": "status"})
    status = hear(pipeline)
    assert status["id"] == 1
    assert status["ok"]["daq"]["state"] == "PASSIVE"
    say(pipeline, {"id": 2, "op": "dance"})
    assert hear(pipeline) == {
        "id": 2,
        "refused": "the pipeline does not know 'dance'; it knows: status, stop",
    }
    say(pipeline, "{no json")
    assert "no JSON" in hear(pipeline)["refused"]
    say(pipeline, {"op": "stop"})
    assert pipeline.wait(60) == 0


@pytest.mark.parametrize("recording", [False, True])
def test_the_end_of_the_parent_ends_the_child(
    pipeline: subprocess.Popen[str], tmp_path: Path, recording: bool
) -> None:
    say(pipeline, order(tmp_path))
    url = hear(pipeline)["ready"]["pipeline"]
    if recording:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(f"{url}/devices/daq/record", json={"run": 1}, headers=headers).status_code == 200
    assert pipeline.stdin is not None
    pipeline.stdin.close()
    assert pipeline.wait(60) == 0


def test_sigterm_ends_the_child(pipeline: subprocess.Popen[str], tmp_path: Path) -> None:
    say(pipeline, order(tmp_path))
    hear(pipeline)
    pipeline.send_signal(signal.SIGTERM)
    assert pipeline.wait(60) == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"modules": 17}, "modules must be different numbers from 0 to 15"),
        ({"memory_cells": 400}, "memory_cells cannot be 400; AGIPD has 352"),
        ({"modules": 2, "matcher": {"min_modules": 3}}, "min_modules is 3, but there are 2 modules"),
        ({"modles": 2}, "modles"),
        ({"splitter": {"pulse_filter": "range(x)"}}, "pulse_filter cannot be 'range(x)'"),
    ],
)
def test_a_table_that_cannot_be_ends_with_a_sentence_and_2(
    pipeline: subprocess.Popen[str], tmp_path: Path, table: dict[str, Any], words: str
) -> None:
    say(pipeline, order(tmp_path, table))
    answer = hear(pipeline)
    assert words in answer["failed"]
    assert "\n" not in answer["failed"]
    assert answer["exit"] == 2
    assert pipeline.wait(60) == 2


@pytest.mark.parametrize("kind", ["daq", "control", "bridge"])
def test_a_port_in_use_ends_with_a_sentence_and_2(
    pipeline: subprocess.Popen[str], tmp_path: Path, kind: str
) -> None:
    transport = socket.SOCK_DGRAM if kind == "daq" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, transport) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind != "daq":
            taken.listen()
        port = taken.getsockname()[1]
        where = {
            "daq": {"daq": {"first_port": port}},
            "control": {"control_port": port},
            "bridge": {"bridge": {"corrected_port": port}},
        }[kind]
        say(pipeline, order(tmp_path, {**SMALL, **where}))
        answer = hear(pipeline)
        assert f"127.0.0.1:{port}" in answer["failed"]
        assert answer["exit"] == 2
        assert pipeline.wait(60) == 2


def test_from_the_simulator_to_raw_files(pipeline: subprocess.Popen[str], tmp_path: Path) -> None:
    say(pipeline, order(tmp_path, {"modules": 2, "memory_cells": 4, "daq": {"sequence_trains": 2}}))
    ready = hear(pipeline)["ready"]
    table = {"modules": 2, "memory_cells": 4, "first_train_id": FIRST_TRAIN, "inject_constants": False}
    detector_order = {
        "devices": [{"name": "agipd", "kind": "agipd", "table": table}],
        "seed": 5,
        "data_dir": str(tmp_path),
        "clock": None,
        "epoch_unix_ns": None,
        "endpoints": {name: address for name, address in ready.items() if name.startswith("daq.")},
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        child(tmp_path / "detector.log", "-m", "sim.kernel.process") as detector,
        httpx.Client(base_url=ready["pipeline"], headers=headers, timeout=30) as http,
    ):
        say(detector, detector_order)
        control = hear(detector)["ready"]["agipd.control"]
        assert http.post("/devices/daq/record", json={"run": 3, "run_type": "test"}).status_code == 200
        span = http.post(f"{control}/start", json={"trains": 3}).json()
        until(lambda: http.get(f"{control}/").json()["state"] == "PASSIVE", "all trains are sent")
        until(lambda: http.post("/devices/daq/idle", json={}).json()["idle"], "all data are taken in")
        assert http.post("/devices/daq/stop", json={}).json() == {"trains": 3}
        properties = http.get("/devices/daq").json()["properties"]
        again = http.post("/devices/daq/record", json={"run": 3})
        say(detector, {"op": "stop"})
        assert detector.wait(60) == 0
    assert properties["problems"] == {}
    assert properties["trains_received"] == {"0": 3, "1": 3}
    assert properties["last_train_id"] == span["last_train_id"]
    assert again.status_code == 422
    assert "replace=true" in again.json()["error"]

    folder = tmp_path / "SPB" / "202601" / "p900001" / "raw" / "r0003"
    seen = inspect_run(folder, 2)
    assert seen.findings == []
    assert (seen.trains, seen.frames, seen.files) == (3, 24, 6)
    with h5py.File(folder / "RAW-R0003-AGIPD00-S00001.h5") as file:
        assert file["INDEX/trainId"][:].tolist() == [span["last_train_id"]]
        images = file["INSTRUMENT/SPB_DET_AGIPD1M-1/DET/0CH0:xtdf/image/data"]
        assert images.shape == (4, 2, 512, 128)
        assert 1000 < np.median(images[:, 0]) < 12000  # dark pedestals, ADU

    result = CliRunner().invoke(app, ["inspect", str(folder), "--modules", "2", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.output)["modules"] == [0, 1]
    assert CliRunner().invoke(app, ["inspect", str(folder)]).exit_code == 1


def test_inspecting_what_is_no_run_is_a_sentence_and_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "nothing")])
    assert result.exit_code == 2
    assert "is no directory" in result.stderr


def test_correcting_without_a_catalogue_is_a_sentence_and_2(tmp_path: Path) -> None:
    command = ["offline", str(tmp_path), "--catalogue", "http://127.0.0.1:9", "--store", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "holds no files RAW-" in result.stderr


def test_online_in_the_foreground(tmp_path: Path) -> None:
    table = tmp_path / "bench.toml"
    table.write_text("[pipeline]\nmodules = 1\nmemory_cells = 4\n", encoding="utf-8")
    arguments = ("pipe", "online", str(table), "--data-dir", str(tmp_path), "--json")
    with child(tmp_path / "log", "-m", "fat", *arguments) as process:
        told = hear(process)
        assert {"daq.0", "pipeline"} <= set(told["endpoints"])
        assert httpx.get(f"{told['endpoints']['pipeline']}/status").json()["daq"] == "PASSIVE"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("text", "words"), [("modules = ", "TOML"), ("modules = 99", "modules must be different")]
)
def test_online_with_a_bad_table(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "bad.toml"
    table.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["online", str(table)])
    assert result.exit_code == 2
    assert words in result.stderr
