"""The child protocol of docs/architecture.md, asked of both hosts in the same words."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOSTS = ("sim.kernel.process", "pipeline.process")
EPOCH_NS = 1_768_464_000 * 10**9
STOP_S = 5.0
"""Within this a child is gone after `stop`, or after its parent's death."""
READY_S = 60.0
ANSWER_S = 10.0


def order(host: str, data_dir: Path) -> dict[str, Any]:
    if host == "sim.kernel.process":
        return {
            "devices": [{"name": "slack", "kind": "slack", "table": {}}],
            "seed": 1,
            "data_dir": str(data_dir),
            "clock": None,
            "epoch_unix_ns": EPOCH_NS,
            "endpoints": {},
        }
    return {
        "table": {"modules": 1, "memory_cells": 4, "daq": {"slots_per_module": 6}},
        "data_dir": str(data_dir),
        "endpoints": {},
        "token": "token-of-the-tests",
        "time": {"anchor_train_id": 1_500_000_000, "anchor_unix_ns": EPOCH_NS, "period_ns": 100_000_000},
    }


def orders_that_cannot_be_carried_out(host: str, data_dir: Path, taken: int) -> list[tuple[Any, str]]:
    """First lines, and what the sentence of refusal must name."""
    good = order(host, data_dir)
    if host == "sim.kernel.process":

        def slack(kind: str, table: dict[str, Any]) -> dict[str, Any]:
            return {**good, "devices": [{"name": "slack", "kind": kind, "table": table}]}

        return [
            (slack("phonograph", {}), "phonograph"),
            (slack("slack", {"prot": 80}), "prot"),
            (slack("slack", {"port": taken}), str(taken)),
        ]
    return [
        ({**good, "table": {"modules": 1, "memory_cels": 4}}, "memory_cels"),
        ({**good, "table": {"modules": 1, "memory_cells": 4, "daq": {"slots_per_module": -1}}}, "slots"),
    ]


class HostProcess:
    """A host, as its parent sees it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    def say(self, message: Any) -> None:
        line = message if isinstance(message, str) else json.dumps(message)
        self.stdin.write(f"{line}\n".encode())

    def hear(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        assert select.select([self.stdout], [], [], timeout_s)[0], "the host does not answer"
        message = json.loads(self.stdout.readline())
        assert isinstance(message, dict)
        return message

    def start(self, host: str, data_dir: Path) -> dict[str, Any]:
        self.say(order(host, data_dir))
        return dict(self.hear(READY_S)["ready"])

    def gone(self, within_s: float = STOP_S) -> int:
        begin = time.monotonic()
        code = self.process.wait(within_s)
        assert time.monotonic() - begin < within_s
        assert self.stdout.read() == b"", "a host says nothing that was not asked"
        return code


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.contextmanager
def started(host: str, log: Path) -> Iterator[HostProcess]:
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", host],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,  # what select sees is what has not been read
            start_new_session=True,
        ) as process,
    ):
        try:
            yield HostProcess(process)
        finally:
            process.kill()


@pytest.fixture
def child(host: str, tmp_path: Path) -> Iterator[HostProcess]:
    with started(host, tmp_path / "stderr.log") as process:
        yield process


def tcp_addresses(ready: dict[str, str]) -> list[tuple[str, int]]:
    found = []
    for url in ready.values():
        scheme, _, rest = url.partition("://")
        if scheme in {"http", "tcp"}:
            name, _, port = rest.split("/")[0].partition(":")
            found.append((name, int(port)))
    return found


def test_ready_names_bound_addresses_and_stop_frees_them(
    host: str, child: HostProcess, tmp_path: Path
) -> None:
    addresses = tcp_addresses(child.start(host, tmp_path))
    assert addresses
    for address in addresses:
        with socket.create_connection(address, timeout=2):
            pass
    child.say({"op": "stop"})
    assert child.gone() == 0
    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=2)


def test_every_answer_bears_the_number_of_its_request(host: str, child: HostProcess, tmp_path: Path) -> None:
    child.start(host, tmp_path)
    for number in (7, 3, 9):
        child.say({"id": number, "op": "status"})
    for number in (7, 3, 9):
        answer = child.hear()
        assert answer.keys() == {"id", "ok"}
        assert answer["id"] == number
        assert isinstance(answer["ok"], dict)


@pytest.mark.parametrize(
    "request_line",
    [
        {"op": "dance"},
        {"op": "fault", "device": "phonograph", "fault": "rate_limit", "on": True},
        {"op": "fault", "device": "slack", "fault": "sing", "on": True},
        {"op": "fault", "device": "slack"},
        {},
    ],
    ids=lambda line: "-".join(str(value) for value in line.values()) or "empty",
)
def test_what_cannot_be_done_is_refused_in_a_sentence_and_the_host_goes_on(
    host: str, child: HostProcess, tmp_path: Path, request_line: dict[str, Any]
) -> None:
    child.start(host, tmp_path)
    child.say({"id": 4, **request_line})
    refusal = child.hear()
    assert refusal.keys() == {"id", "refused"}
    assert refusal["id"] == 4
    assert len(refusal["refused"].split()) >= 4, refusal["refused"]
    child.say({"id": 5, "op": "status"})
    assert child.hear()["id"] == 5


@pytest.mark.parametrize("line", ["{no json", "[1, 2]"])
def test_a_line_that_is_no_request_is_refused_without_a_number(
    host: str, child: HostProcess, tmp_path: Path, line: str
) -> None:
    child.start(host, tmp_path)
    child.say(line)
    refusal = child.hear()
    assert refusal["id"] is None
    assert "JSON" in refusal["refused"]
    child.say({"id": 5, "op": "status"})
    assert child.hear()["id"] == 5


def test_a_fault_is_switched_on_and_off(tmp_path: Path) -> None:
    host = "sim.kernel.process"
    with started(host, tmp_path / "stderr.log") as child:
        child.start(host, tmp_path)
        fault = {"op": "fault", "device": "slack", "fault": "rate_limit"}
        child.say({"id": 1, **fault, "on": True, "times": 2, "parameters": {"retry_after_s": 3}})
        assert child.hear() == {"id": 1, "ok": {"active": {"rate_limit": {"retry_after_s": 3}}}}
        child.say({"id": 2, "op": "status"})
        assert child.hear()["ok"]["slack"] == {
            "faults": {"rate_limit": {"retry_after_s": 3}},
            "struck": {},
            "problems": [],
        }
        child.say({"id": 3, **fault, "on": False})
        assert child.hear() == {"id": 3, "ok": {"active": {}}}


def test_an_order_that_cannot_be_carried_out_fails_with_a_sentence(host: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        orders = orders_that_cannot_be_carried_out(host, tmp_path, taken.getsockname()[1])
        for number, (wrong, named) in enumerate(orders):
            with started(host, tmp_path / f"stderr{number}.log") as child:
                child.say(wrong)
                answer = child.hear(READY_S)
                assert answer.keys() == {"failed", "exit"}
                assert named in answer["failed"]
                assert answer["exit"] == 2
                assert child.gone() == 2
                assert "Traceback" not in (tmp_path / f"stderr{number}.log").read_text()


def test_the_parents_death_ends_the_host(host: str, child: HostProcess, tmp_path: Path) -> None:
    addresses = tcp_addresses(child.start(host, tmp_path))
    child.stdin.close()
    child.gone()
    for address in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=2)


def test_a_parent_that_dies_before_its_first_line_ends_the_host(child: HostProcess) -> None:
    child.stdin.close()
    child.gone(READY_S)


def test_ctrl_c_is_left_to_the_parent(host: str, child: HostProcess, tmp_path: Path) -> None:
    child.start(host, tmp_path)
    child.process.send_signal(signal.SIGINT)
    child.say({"id": 1, "op": "status"})
    assert child.hear()["id"] == 1
    child.say({"op": "stop"})
    assert child.gone() == 0
