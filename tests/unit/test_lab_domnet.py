"""The stand-in for domnet: what set-up scripts read from it, where its ports lead, and how it refuses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from sim.domnet import DomnetRefused, Group, lines, settings

COMMAND = [sys.executable, "-c", "from sim.commands import app; app()", "domnet", "/dev/ttyUSB3"]


class Stand:
    """What a bench would serve: one echoing console, and a command port that says what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.devices = [0, 1, 2, 3, 8]
        self._context = zmq.Context()
        self._command = self._context.socket(zmq.REP)
        command_port = self._command.bind_to_random_port("tcp://127.0.0.1")
        self._console = socket.create_server(("127.0.0.1", 0))
        console = f"tcp://127.0.0.1:{self._console.getsockname()[1]}"
        self.base = _free_base()
        self.endpoints = {
            "control": "http://127.0.0.1:9",
            f"icm.{self.base + 1000}": f"tcp://127.0.0.1:{command_port}",
            **{f"degg.{self.base + i}": console for i in range(4)},
        }
        self.bench = folder / "bench.toml"
        self.bench.write_text(f'[bench]\nname = "x"\ndata_dir = "{folder}"\n')
        (folder / "bench.json").write_text(
            json.dumps({"pid": 1, "token": "t", "endpoints": self.endpoints}), encoding="utf-8"
        )
        self._threads = [threading.Thread(target=work) for work in (self._answer, self._echo)]
        for thread in self._threads:
            thread.start()

    def _answer(self) -> None:
        while (request := self._command.recv_json()) != "end":
            self.asked.append(request)
            self._command.send_json({"status": "OK", "value": self.devices})
        self._command.close(0)

    def _echo(self) -> None:
        while True:
            client, _ = self._console.accept()
            with client:
                while data := client.recv(1000):
                    if data == b"end":
                        return
                    client.sendall(data)

    def close(self) -> None:
        with self._context.socket(zmq.REQ) as client:
            client.connect(str(self.endpoints[f"icm.{self.base + 1000}"]))
            client.send_json("end")
            self._threads[0].join()
        with socket.create_connection(self._console.getsockname()) as client:
            client.sendall(b"end")
            self._threads[1].join()
        self._console.close()
        self._context.destroy(0)


def _free_base() -> int:
    for base in range(20_000, 60_000, 4):
        try:
            for port in (*range(base, base + 4), base + 1000):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.close()


def started(stand: Stand, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "-p", str(stand.base), "-n", "4", *arguments],
        env={**os.environ, "STELLWERK_BENCH": str(stand.bench)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_set_up_scripts_read_three_lines_and_then_find_their_ports(stand: Stand, tmp_path: Path) -> None:
    config = tmp_path / "domnet.ini"
    config.write_text("[fieldhub]\ndac_amp = 0x50\nadc_thresh = 256\n[other]\nx = 1\n")
    with started(stand, "-c", str(config)) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        # As setup_deggs.py reads them: split behind the last colon, at blanks, without stripping.
        found = next(line for line in said if line.startswith("ICMs detected at address"))
        assert [int(s) for s in found.split(":")[-1].split(" ") if s.isnumeric()] == [0, 1, 2, 3, 8]
        assert stand.asked[:2] == [
            {"command": "write", "device": "8", "register": "dac_amp", "value": "80"},
            {"command": "write", "device": "8", "register": "adc_thresh", "value": "256"},
        ]
        with socket.create_connection(("127.0.0.1", stand.base + 2), timeout=10) as console:
            console.sendall(b"boot\r\n")
            assert console.recv(100) == b"boot\r\n"
        with zmq.Context() as context, context.socket(zmq.REQ) as client:
            client.setsockopt(zmq.RCVTIMEO, 10_000)
            client.connect(f"tcp://127.0.0.1:{stand.base + 1000}")
            client.send_json({"command": "version"})
            assert client.recv_json()["status"] == "OK"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    with socket.create_server(("127.0.0.1", stand.base)):
        pass


def test_a_taken_port_is_one_sentence(stand: Stand) -> None:
    with socket.create_server(("127.0.0.1", stand.base + 1)), started(stand) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said.startswith(f"domnet: port {stand.base + 1} on 127.0.0.1 is in use")
    assert len(said.splitlines()) == 1


def test_without_a_bench_it_is_one_sentence(stand: Stand) -> None:
    (stand.bench.parent / "bench.json").unlink()
    with started(stand) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert said == (
        f"{stand.bench.parent}: holds no bench that is up; start it with `stellwerk up BENCH.toml`\n"
    )


def test_a_group_that_is_not_there_is_named_with_those_that_are() -> None:
    endpoints = {"icm.6000": "tcp://127.0.0.1:1", "icm.11000": "tcp://127.0.0.1:2"}
    with pytest.raises(DomnetRefused, match="no wire pair at base port 5008; it has: 5000, 10000"):
        Group.of(endpoints, 5008, 4)


def test_a_laboratory_at_its_nominal_ports_is_led_to_directly() -> None:
    endpoints = {"icm.6000": "tcp://127.0.0.1:6000", "degg.5001": "tcp://127.0.0.1:40001"}
    group = Group.of(endpoints, 5000, 4)
    assert group.routes() == {5001: ("127.0.0.1", 40001), 6000: ("127.0.0.1", 6000)}
    assert lines("usb", group, [8])[1] == "ICMs detected at address: 8 "


@pytest.mark.parametrize("text", ["", "[fieldhub]\ndac_amp = high\n", "dac_amp = 3", "[hub]\n"])
def test_a_configuration_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "domnet.ini"
    path.write_text(text)
    with pytest.raises(DomnetRefused, match="fieldhub"):
        settings(path)
