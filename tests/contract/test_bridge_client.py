"""The bridge, read by the public client and its tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from pipeline.model import CorrectedModule, MatchedTrain
from pipeline.online.bridge import BridgeServer, Mode
from pipeline.online.bridge_messages import Protocol, combined_source, serialize, train_metadata

FOREIGN = Path(__file__).parents[2] / ".venvs" / "euxfel" / "bin"
READER = Path(__file__).parents[1] / "foreign" / "read_bridge.py"
foreign = pytest.mark.skipif(
    not (FOREIGN / "python").exists(),
    reason="no environment .venvs/euxfel with the public clients: run make test",
)
DETECTOR = "SPB_DET_AGIPD1M-1"


def parts(train_id: int, *, online: bool = False, protocol: Protocol = "2.2") -> list[object]:
    module = CorrectedModule(
        module=3,
        train_id=train_id,
        data=np.full((2, 512, 128), train_id, np.float32),
        gain=np.zeros((2, 512, 128), np.uint8),
        mask=np.zeros((2, 512, 128), np.uint32),
        cell_id=np.array([0, 1], np.uint16),
        pulse_id=np.array([0, 4], np.uint64),
        passport=("THRESHOLDING_Q1M4", "OFFSET_CORR_Q1M4"),
    )
    name, content = combined_source(DETECTOR, MatchedTrain(train_id, {3: module}, 0), 16, online_axes=online)
    metadata = {name: train_metadata(name, train_id, 1_700_000_000_123_456_789)}
    return list(serialize({name: content}, metadata, protocol))


@pytest.fixture(params=["REP", "PUB", "PUSH"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[BridgeServer, str, Mode]]:
    server = BridgeServer("test", request.param, 0)
    yield server, server.start(), request.param
    server.stop()


@foreign
@pytest.mark.foreign
@pytest.mark.parametrize("protocol", ["2.2", "1.0"])
def test_the_public_client_reads_trains(served: tuple[BridgeServer, str, Mode], protocol: Protocol) -> None:
    server, address, mode = served
    sock = {"REP": "REQ", "PUB": "SUB", "PUSH": "PULL"}[mode]
    with subprocess.Popen(
        [FOREIGN / "python", READER, address, sock, "2"], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        train_id = 1
        while client.poll() is None:  # a subscriber joins when it joins: serve until it has two
            server.publish(parts(train_id, protocol=protocol))
            train_id += 1
            try:
                client.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        seen = json.loads(client.stdout.read())
    assert client.returncode == 0
    assert [train["source"] for train in seen] == [f"{DETECTOR}/CAL/APPEND_CORRECTED"] * 2
    assert seen[0]["train_id"] < seen[1]["train_id"]
    assert seen[0]["shape"] == [2, 16, 512, 128]
    assert seen[0]["dtype"] == "float32"
    assert np.isnan(seen[0]["first"])  # module 0 is missing
    assert seen[0]["present"] == [module == 3 for module in range(16)]
    assert seen[0]["pulses"] == [0, 4]
    assert seen[0]["passport"] == ["THRESHOLDING_Q1M4", "OFFSET_CORR_Q1M4"]


@foreign
@pytest.mark.foreign
@pytest.mark.parametrize("tool", ["karabo-bridge-glimpse", "karabo-bridge-monitor"])
def test_the_public_tools_show_trains_on_every_kind_of_socket(
    served: tuple[BridgeServer, str, Mode], tool: str, tmp_path: Path
) -> None:
    server, address, mode = served
    count = ["--ntrains", "2"] if tool.endswith("monitor") else []
    with subprocess.Popen(
        [FOREIGN / tool, address, "-z", mode, *count],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as seeing:
        train_id = 1
        while seeing.poll() is None:
            server.publish(parts(train_id, online=True))
            train_id += 1
            try:
                seeing.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert seeing.stdout is not None
        assert seeing.stderr is not None
        shown, wrong = seeing.stdout.read(), seeing.stderr.read()
    assert seeing.returncode == 0, wrong
    assert f"{DETECTOR}/CAL/APPEND_CORRECTED" in shown
    if tool.endswith("glimpse"):
        assert "16, 128, 512, 2" in shown
    else:
        assert "Train ID" in shown


def test_each_request_is_answered_once_and_a_bad_one_with_an_error() -> None:
    server = BridgeServer("requests", "REP", 0)
    address = server.start()
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.linger = 0
        client.rcvtimeo = 5000
        client.connect(address)
        client.send(b"please")
        assert client.recv().startswith(b"Error: bad request")
        client.send(b"next")
        server.publish(parts(1))
        assert len(client.recv_multipart()) % 2 == 0
        client.send(b"next")
        server.publish(parts(2))
        assert b"APPEND_CORRECTED" in client.recv_multipart()[0]
    server.stop()
    assert server.counters["bad_requests"] == 1
    assert server.counters["trains_sent"] == 2


def test_nobody_who_listens_holds_the_pipeline_up() -> None:
    server = BridgeServer("idle", "REP", 0)
    server.start()
    for train_id in range(100):
        server.publish(parts(train_id))
    assert server.counters["trains_replaced"] == 98
    server.stop()
    server.stop()
