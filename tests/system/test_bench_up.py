"""`up`, `status`, `down` as a person uses them, and what happens when things are wrong or die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

STELLWERK = [sys.executable, "-m", "fat"]
BENCH = """
[bench]
name = "small"
seed = 1
data_dir = "runs/small"
control_port = {port}

[sim.clock]
mode = "skip"
epoch = 2026-01-01T00:00:00Z

[sim.devices.slack]
kind = "slack"

[sim.devices.real]
kind = "something"
address = {{ api = "http://10.0.0.1", stream = "tcp://10.0.0.1:9999" }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(BENCH.format(port=0))
    return tmp_path


def stellwerk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*STELLWERK, *arguments], cwd=folder, capture_output=True, text=True, timeout=90)


def all_gone(folder: Path) -> bool:
    mine = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(folder)]
    return not psutil.wait_procs(mine, timeout=15)[1]


def test_up_detached_status_faults_and_down(folder: Path) -> None:
    up = stellwerk(folder, "up", "small.toml", "--detach", "--json")
    assert up.returncode == 0, up.stderr
    ready = json.loads(up.stdout)
    endpoints, token = ready["endpoints"], ready["token"]
    try:
        assert json.loads((folder / "runs/small/endpoints.json").read_text()) == endpoints
        assert token not in (folder / "runs/small/endpoints.json").read_text()
        assert endpoints["real.stream"] == "tcp://10.0.0.1:9999"
        assert httpx.get(endpoints["web"]).status_code == 200

        found = json.loads(stellwerk(folder, "status", "small.toml", "--json").stdout)
        assert set(found["processes"]) == {"slack"}

        fault = {"device": "slack", "fault": "server_error"}
        assert httpx.post(f"{endpoints['control']}/faults", json=fault).status_code == 401
        bearer = {"Authorization": f"Bearer {token}"}
        foreign = {**bearer, "Origin": "http://example.org"}
        assert httpx.post(f"{endpoints['control']}/faults", json=fault, headers=foreign).status_code == 403
        assert httpx.post(f"{endpoints['control']}/faults", json=fault, headers=bearer).json() == {
            "active": {"server_error": {}}
        }
        wrong = httpx.post(f"{endpoints['control']}/faults", json={**fault, "fault": "x"}, headers=bearer)
        assert wrong.status_code == 422
        assert "server_error" in wrong.json()["error"]

        second = stellwerk(folder, "up", "small.toml")
        assert second.returncode == 2
        assert "is in use by a bench that is up" in second.stderr
    finally:
        down = stellwerk(folder, "down", "small.toml")
    assert down.returncode == 0, down.stderr
    assert all_gone(folder)
    assert not (folder / "runs/small/endpoints.json").exists()
    assert stellwerk(folder, "down", "small.toml").returncode == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_up_ends_nothing_is_left(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*STELLWERK, "up", "small.toml"], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        assert "is up" in up.stdout.readline()
        os.kill(up.pid, number)
        up.communicate(timeout=30)
    assert up.returncode == (-number if number == signal.SIGKILL else 0)
    assert all_gone(folder)


def test_a_port_in_use_is_one_sentence_and_exit_2(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (folder / "small.toml").write_text(BENCH.format(port=port))
        up = stellwerk(folder, "up", "small.toml")
    assert up.returncode == 2
    assert up.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 is in use" in up.stderr
    assert all_gone(folder)


def test_a_device_port_in_use_is_one_sentence_and_exit_2(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = BENCH.format(port=0).replace('kind = "slack"', f'kind = "slack"\nport = {port}')
        (folder / "small.toml").write_text(text)
        up = stellwerk(folder, "up", "small.toml")
    assert up.returncode == 2
    assert f"port {port} on 127.0.0.1 is in use" in up.stderr
    assert "Traceback" not in up.stderr


@pytest.mark.parametrize("command", ["up", "check", "status", "down"])
def test_a_missing_bench_file_is_one_sentence_and_exit_2(folder: Path, command: str) -> None:
    answer = stellwerk(folder, command, "samll.toml")
    assert answer.returncode == 2
    assert answer.stderr.strip().endswith("did you mean small.toml?")


def test_an_unknown_key_is_one_sentence_and_exit_2(folder: Path) -> None:
    (folder / "small.toml").write_text(BENCH.format(port=0).replace("seed", "sed"))
    answer = stellwerk(folder, "check", "small.toml")
    assert answer.returncode == 2
    assert "small.toml:4: unknown key 'bench.sed'; did you mean 'seed'?" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_child_that_dies_takes_the_bench_down_with_a_sentence(folder: Path) -> None:
    with subprocess.Popen(
        [*STELLWERK, "up", "small.toml", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        control = json.loads(up.stdout.readline())["endpoints"]["control"]
        os.kill(httpx.get(f"{control}/status").json()["processes"]["slack"], signal.SIGKILL)
        _, errors = up.communicate(timeout=30)
    assert up.returncode == 3
    assert "slack: ended by itself" in errors
    assert all_gone(folder)
