"""A whole control unit by its addresses: triggers by cable, both streams, files, restart, against its truth."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cbor2
import h5py
import hdf5plugin
import httpx
import numpy as np
import pytest
import zmq

from fat.bench.owned import OwnedBench
from fat.testing.handles import Dcu
from sim.dectris.images.encode import decode

SIZE = 64
BENCH = f"""
[bench]
name = "dcu"
seed = 1
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.dcu]
kind = "dcu"
frames = {{ source = "synthetic", width = {SIZE}, height = {SIZE}, distinct = 4 }}
triggers = {{ source = "external" }}
config = {{ trigger_mode = "exts", count_time = 0.0001, frame_time = 0.0001 }}
"""


class Unit(Dcu):
    """A control unit, its REST interface and a receiver of one stream."""

    def __init__(self, bench: OwnedBench, data_dir: Path) -> None:
        of = bench.endpoints
        super().__init__(
            of["dcu.api"], of["dcu.stream"], of["dcu.stream2"], of["dcu.trigger"], data_dir / "dcu" / "truth"
        )
        self.bench = bench
        self.http = httpx.Client(base_url=self.api, timeout=30)
        self.context = zmq.Context()

    def receiver(self, address: str) -> zmq.Socket[bytes]:
        pull = self.context.socket(zmq.PULL)
        pull.setsockopt(zmq.RCVTIMEO, 20_000)
        pull.connect(address)
        return pull

    def set(self, module: str = "detector", **values: Any) -> None:
        for name, value in values.items():
            path = f"/{module}/api/1.8.0/config/{name}"
            self.http.put(path, json={"value": value}).raise_for_status()

    def command(self, name: str, module: str = "detector") -> int:
        answer = self.http.put(f"/{module}/api/1.8.0/command/{name}").raise_for_status()
        return int(answer.json().get("sequence id", 0))

    def status(self, key: str, module: str = "detector") -> Any:
        return self.http.get(f"/{module}/api/1.8.0/status/{key}").raise_for_status().json()["value"]

    def pull(self, *lines: str) -> list[str]:
        host, port = self.trigger.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), 10) as line, line.makefile("r") as answers:
            line.sendall("".join(text + "\n" for text in lines).encode())
            return [answers.readline().strip() for _ in lines]

    def close(self) -> None:
        self.http.close()
        self.context.destroy(linger=0)


@pytest.fixture(scope="module")
def unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unit]:
    folder = tmp_path_factory.mktemp("dcu")
    (folder / "dcu.toml").write_text(BENCH)
    with OwnedBench(folder / "dcu.toml", data_dir=folder / "data", log=folder / "bench.log") as bench:
        unit = Unit(bench, folder / "data")
        yield unit
        unit.close()


def legacy_series(pull: zmq.Socket[bytes]) -> tuple[np.ndarray, list[int], list[int]]:
    """Sum, frame numbers and start times of one series of stream 1."""
    total = np.zeros((SIZE, SIZE), np.uint64)
    numbers, starts = [], []
    assert len(pull.recv_multipart()) == 2
    while len(parts := pull.recv_multipart()) > 1:
        numbers.append(json.loads(parts[0])["frame"])
        starts.append(json.loads(parts[3])["start_time"])
        total += decode(parts[2], "bslz4", (SIZE, SIZE), np.dtype(np.uint16))
    return total, numbers, starts


def test_a_train_on_the_trigger_line_becomes_images_whose_sum_is_the_truth(unit: Unit) -> None:
    pull = unit.receiver(unit.stream)
    unit.set(nimages=1, ntrigger=2000)
    series = unit.command("arm")
    first, second = unit.pull("TRAIN 4000 10000", "PULSE")
    assert first == "OK 4000"
    assert second.startswith("ERR a train of pulses still runs")
    total, numbers, starts = legacy_series(pull)
    truth = unit.truth(series)
    assert numbers == list(range(2000))
    assert starts == [number * 100_000 for number in range(2000)]
    assert truth.facts["images"] == 2000
    assert np.array_equal(total, truth.sums["threshold_1"])
    assert unit.status("state") == "idle"
    pull.close()


def quiet(unit: Unit) -> None:
    """Until the pulses of an earlier series are over. The last one that this makes is ignored: nothing is armed."""
    while unit.pull("PULSE")[0].startswith("ERR"):
        pass


def test_pulses_by_rest_stream_2_and_the_file_writer(unit: Unit) -> None:
    pull = unit.receiver(unit.stream2)
    unit.set("stream", format="cbor")
    unit.set("filewriter", mode="enabled")
    unit.set(nimages=5, ntrigger=2)
    quiet(unit)
    series = unit.command("arm")
    assert unit.http.post("/triggers", json={"count": 2, "rate_hz": 100}).json() == {"pulses": 2}
    messages = [cbor2.loads(pull.recv())]
    while messages[-1]["type"] != "end":
        messages.append(cbor2.loads(pull.recv()))
    images = [message for message in messages if message["type"] == "image"]
    ticks = [message["start_time"][0] for message in images]
    assert ticks == [*range(0, 25_000, 5000), *range(500_000, 525_000, 5000)]
    unit.set("filewriter", mode="disabled")
    unit.set("stream", format="legacy")
    name = f"/data/series_{series}_data_000001.h5"
    while unit.http.head(name).status_code == 404:
        pass
    assert hdf5plugin.get_filters()
    with h5py.File(io.BytesIO(unit.http.get(name).content)) as file:
        written = file["entry/data/data"][:].sum(axis=0, dtype=np.uint64)
    assert np.array_equal(written, unit.truth(series).sums["threshold_1"])
    refused = unit.http.post("/triggers", json={"count": 2})
    assert (refused.status_code, "Hz" in refused.text) == (409, True)
    pull.close()


def test_a_restart_in_the_middle_forgets_everything_and_the_next_series_is_whole(unit: Unit) -> None:
    pull = unit.receiver(unit.stream)
    unit.set(trigger_mode="ints", nimages=1_000_000, ntrigger=1, count_time=0.01, frame_time=0.01)
    unit.command("arm")
    assert len(pull.recv_multipart()) == 2
    with ThreadPoolExecutor(1) as trigger:
        waiting = trigger.submit(unit.command, "trigger")
        assert len(pull.recv_multipart()) == 4
        unit.command("restart", "system")
        waiting.result(20)
    assert unit.status("state") == "na"
    assert unit.http.get("/detector/api/1.8.0/config/nimages").status_code == 404
    unit.command("initialize")
    unit.set(nimages=1, ntrigger=3, trigger_mode="exts")
    quiet(unit)
    series = unit.command("arm")
    assert series == 1
    unit.pull("TRAIN 3 500")
    parts = pull.recv_multipart()
    while len(parts) == 4:
        parts = pull.recv_multipart()
    assert json.loads(parts[0]) == {"htype": "dheader-1.0", "series": 1, "header_detail": "basic"}
    assert [len(pull.recv_multipart()) for _ in range(4)] == [4, 4, 4, 1]
    assert unit.truth(series).facts["images"] == 3
    pull.close()
