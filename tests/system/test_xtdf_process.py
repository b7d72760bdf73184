"""The detector as a bench sees it: a process with pipes, a control address, datagrams; and the catalogue beside it."""

import json
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest

from sim.xtdf.agipd.forward import AgipdModule
from sim.xtdf.agipd.truth import build_truth
from sim.xtdf.config import AgipdTable, pdu_name

SEED = 5
MAIN = "from fat.cli import main; main()"
EPOCH_NS = 1_767_225_600_000_000_000


class Child:
    def __init__(
        self, data_dir: Path, name: str, table: dict[str, Any], endpoints: dict[str, str], seed: int = SEED
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sim.kernel.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        first = {
            "devices": [{"name": name, "kind": name, "table": table}],
            "seed": seed,
            "data_dir": str(data_dir),
            "clock": None,
            "epoch_unix_ns": EPOCH_NS,
            "endpoints": endpoints,
        }
        self.told = self.ask(first)

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], 60)[0], "the child does not answer"
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    children: list[Child] = []

    def begin(name: str, table: dict[str, Any], endpoints: dict[str, str], **more: Any) -> Child:
        children.append(Child(tmp_path, name, table, endpoints, **more))
        return children[-1]

    yield begin
    assert [child.end() for child in reversed(children)] == [0] * len(children)


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        yield receiver


def receive_block(receiver: socket.socket) -> bytes:
    """Datagrams up to the end bit, joined; a reader of its own, after the published packet trailer."""
    block = b""
    while True:
        datagram = receiver.recv(9000)
        block += datagram[:-8]
        if struct.unpack("<I", datagram[-4:])[0] >> 30 & 1:
            return block


def test_trains_arrive_as_the_truth_says(start: Start, receiver: socket.socket, tmp_path: Path) -> None:
    table = {"modules": [6], "memory_cells": 2, "checksum": "crc32"}
    child = start("agipd", table, {"daq.6": f"udp://127.0.0.1:{receiver.getsockname()[1]}"})
    control = child.told["ready"]["agipd.control"]
    with httpx.Client(base_url=control, trust_env=False) as http:
        assert http.put("/", json={"illumination": "rings"}).status_code == 200
        begun = http.post("/start", json={"trains": 2}).json()
        blocks = [receive_block(receiver) for _ in range(2)]
    assert [struct.unpack_from("<Q", block, 16)[0] for block in blocks] == [*begun.values()]

    model = AgipdModule(
        build_truth(AgipdTable.model_validate(table), SEED, pdu_name("AGIPD", 6)), SEED, 6, 20.0
    )
    expected = np.empty((2, 2 * 512 * 128), np.uint16)
    model.make_images(expected, begun["last_train_id"], "adaptive", "rings")
    assert blocks[1][64 : 64 + expected.nbytes] == expected.tobytes()

    status = child.ask({"id": 1, "op": "status"})["ok"]["agipd"]
    # A machine that has other work may send a train late, and the simulator says so.
    late = [
        problem
        for problem in status["problems"]
        if "longer than the 100 ms between trains" in problem["text"]
    ]
    assert status == {"faults": {}, "struck": {}, "problems": late}
    with h5py.File(tmp_path / "truth" / "agipd.h5") as file:
        assert file.attrs["seed"] == str(SEED)
        group = file["06"]
        assert group.attrs["pdu"] == "AGIPD_SIM_M106"
        assert np.array_equal(group["offset"], model.truth.pedestal)
        assert list(group["offset"].attrs["dims"]) == ["cell", "gain", "slow_scan", "fast_scan"]
        assert np.array_equal(group["total_noise"], model.truth.total_noise)
        assert np.array_equal(group["bad_pixels"], model.truth.bad)


def test_a_fault_is_switched_over_the_pipe(start: Start, receiver: socket.socket) -> None:
    table = {"modules": 1, "memory_cells": 1}
    child = start("agipd", table, {"daq.0": f"udp://127.0.0.1:{receiver.getsockname()[1]}"})
    request = {"id": 1, "op": "fault", "device": "agipd", "fault": "train_id_zero", "on": True, "times": 1}
    assert child.ask(request)["ok"] == {"active": {"train_id_zero": {"module": -1}}}
    assert "has no parameter 'by'" in child.ask({**request, "parameters": {"by": 1}})["refused"]
    httpx.post(f"{child.told['ready']['agipd.control']}/start", json={"trains": 2}, trust_env=False)
    first, second = (struct.unpack_from("<Q", receive_block(receiver), 16)[0] for _ in range(2))
    assert first == 0
    assert second > 0
    assert child.ask({"id": 2, "op": "status"})["ok"]["agipd"]["struck"] == {"train_id_zero": 1}


def test_an_address_that_cannot_be_is_told(start: Start, tmp_path: Path) -> None:
    child = Child(tmp_path, "agipd", {"modules": 1}, {"daq.0": "tcp://127.0.0.1:1"})
    assert "'tcp://127.0.0.1:1' is no receiver's address" in child.told["failed"]
    assert child.end() == child.told["exit"]


def test_constants_are_injected_once(start: Start, tmp_path: Path) -> None:
    endpoints = start("caldb", {}, {}).told["ready"]
    for _ in range(2):
        assert "ready" in start("agipd", {"modules": [5], "memory_cells": 2}, endpoints).told
    with httpx.Client(base_url=f"{endpoints['caldb.rest']}/api/", trust_env=False) as http:
        versions = http.get("calibration_constant_versions").json()
        found = http.request(
            "GET",
            "calibration_constant_versions/get_by_detector_conditions",
            params={
                "detector_identifier": "SPB_DET_AGIPD1M-1",
                "calibration_id": "[17]",
                "karabo_da": "AGIPD05",
                "event_at": "2026-01-01T00:00:00Z",
                "begin_at_strategy": "prior",
            },
            json={
                "parameters_conditions_attributes": [
                    {"parameter_name": name, "value": value}
                    for name, value in {
                        "Sensor Bias Voltage": 300.0,
                        "Pixels X": 512.0,
                        "Pixels Y": 128.0,
                        "Memory cells": 2.0,
                        "Acquisition rate": 1.1,
                        "Gain setting": 0.0,
                    }.items()
                ]
            },
        ).json()
    assert len(versions) == 2
    (slopes,) = found
    assert slopes["begin_at"] == "2025-12-02T01:00:00.000+01:00"
    stored = Path(endpoints["caldb.store"]) / slopes["path_to_file"] / slopes["file_name"]
    with h5py.File(stored) as file:
        dataset = file[f"{slopes['data_set_name']}/data"]
        assert dataset.shape == (128, 512, 2, 5)
        assert list(dataset.attrs["dims"]) == ["fast_scan", "slow_scan", "cell", "parameter"]
        ratio = dataset[..., 0] / dataset[..., 3]
    assert np.median(ratio) == pytest.approx(20, rel=0.01)


def test_a_catalogue_that_does_not_know_the_module_is_told(start: Start, tmp_path: Path) -> None:
    endpoints = start("caldb", {"detectors": []}, {}).told["ready"]
    child = Child(tmp_path, "agipd", {"modules": 1}, endpoints)
    assert "AGIPD_SIM_M100 could not be put into the catalogue" in child.told["failed"]
    assert child.end() == 3


def test_trains_without_a_bench(receiver: socket.socket) -> None:
    to = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
    command = [
        sys.executable,
        "-c",
        MAIN,
        "sim",
        "xtdf",
        "--to",
        to,
        "--cells",
        "1",
        "--trains",
        "2",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sending:
        ids = [struct.unpack_from("<Q", receive_block(receiver), 16)[0] for _ in range(2)]
        said, _ = sending.communicate(timeout=60)
    assert sending.returncode == 0
    sent = json.loads(said)
    assert sent["trains"] == 2
    assert ids == [sent["first_train_id"], sent["last_train_id"]]


def test_kinds_are_listed_with_their_faults() -> None:
    command = [sys.executable, "-c", MAIN, "sim", "kinds", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert listed["agipd"]["faults"]["train_id_jump"]["parameters"] == {"module": -1, "by": 100}
