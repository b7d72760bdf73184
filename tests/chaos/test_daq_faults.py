"""The fault matrix: every fault that the detector's simulator can make on the wire, and what in the pipeline shows it.

Both sides run as real processes that share nothing but sockets.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

TOKEN = "token-of-the-tests"
FIRST_TRAIN = 1_500_000_000
EPOCH_NS = 1_768_464_000 * 10**9
MODULES = 2
TRAINS = 8


class Child:
    """A process that speaks the child protocol."""

    def __init__(self, module: str, spec: dict[str, Any], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._sent = 0
        self._write(spec)
        answer = self.read(60)
        assert "ready" in answer, answer
        self.addresses: dict[str, str] = answer["ready"]

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def read(self, timeout_s: float = 10) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], timeout_s)[0], "the child does not answer"
        return json.loads(self._process.stdout.readline())

    def ask(self, **request: Any) -> dict[str, Any]:
        self._sent += 1
        self._write({"id": self._sent, **request})
        answer = self.read()
        assert "ok" in answer, answer
        return answer["ok"]

    def stop(self) -> int:
        self._write({"op": "stop"})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            return self._process.wait(60)
        finally:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.kill()
            self._log.close()


@dataclass
class Bench:
    detector: Child
    pipeline: Child
    http: httpx.Client

    def daq(self, slot: str, **arguments: Any) -> Any:
        answer = self.http.post(f"{self.pipeline.addresses['pipeline']}/devices/daq/{slot}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def properties(self, device: str = "daq") -> dict[str, Any]:
        return self.http.get(f"{self.pipeline.addresses['pipeline']}/devices/{device}").json()["properties"]

    def send(self, trains: int, fault: str | None = None) -> None:
        """Send trains without a pause; the fault strikes one of them, not the first and not the last."""
        control = self.detector.addresses["agipd.control"]
        sent = self.http.get(f"{control}/").json()["trains_sent"]
        assert self.http.post(f"{control}/start", json={"trains": trains}).status_code == 200
        if fault is not None:
            wait_for(
                lambda: self.http.get(f"{control}/").json()["trains_sent"] >= sent + 2, "two trains are sent"
            )
            self.detector.ask(
                op="fault", device="agipd", fault=fault, on=True, times=1, parameters={"module": 0}
            )
        wait_for(lambda: self.http.get(f"{control}/").json()["state"] == "PASSIVE", "all trains are sent")
        wait_for(lambda: self.daq("idle")["idle"], "all data are taken in")


def wait_for(condition: Any, what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what}"
        select.select([], [], [], 0.02)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    data_dir = tmp_path_factory.mktemp("daq_faults")
    pipeline = Child(
        "pipeline.process",
        {
            "table": {
                "modules": MODULES,
                "memory_cells": 4,
                # What an ordinary user gets on Linux: the default of net.core.rmem_max.
                "daq": {"frame_timeout_s": 0.3, "train_deadline_s": 0.4, "receive_buffer_bytes": 212_992},
            },
            "data_dir": str(data_dir),
            "endpoints": {},
            "token": TOKEN,
            "time": {"anchor_train_id": FIRST_TRAIN, "anchor_unix_ns": EPOCH_NS, "period_ns": 100_000_000},
        },
        data_dir / "pipeline.log",
    )
    endpoints = {name: a for name, a in pipeline.addresses.items() if name.startswith("daq.")}
    table = {"modules": MODULES, "memory_cells": 4, "first_train_id": FIRST_TRAIN, "inject_constants": False}
    detector = Child(
        "sim.kernel.process",
        {
            "devices": [{"name": "agipd", "kind": "agipd", "table": table}],
            "seed": 5,
            "data_dir": str(data_dir),
            "clock": None,
            "epoch_unix_ns": None,
            "endpoints": endpoints,
        },
        data_dir / "detector.log",
    )
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, verify=False) as client:
        yield Bench(detector, pipeline, client)
    assert detector.stop() == 0
    assert pipeline.stop() == 0


def counted(bench: Bench, before: dict[str, Any]) -> dict[str, int]:
    """What was counted since *before*: flags of module 0, and what the recording says."""
    flags, earlier = bench.properties()["flags"]["0"], before["flags"]["0"]
    news = {name: count - earlier.get(name, 0) for name, count in flags.items()}
    recording = bench.properties()["recording"]
    return {name: n for name, n in {**news, **recording}.items() if isinstance(n, int) and n}


LOST = {"modules_missing": 1, "trains_incomplete": 1}
"""What the recording says when one module's part of one train cannot be used."""

SHOWN_BY: dict[str, dict[str, int]] = {
    "drop_packets": {"INCOMPLETE": 1, **LOST},
    "drop_start": {"INCOMPLETE": 1, "NO_START": 1, **LOST},
    "drop_end": {"INCOMPLETE": 1, "NO_END": 1, **LOST},
    "duplicate_packets": {"DUPLICATES": 1},
    "reorder_packets": {"REORDERED": 1},
    "wrong_magic": {"BAD_MAGIC": 1, **LOST},
    "truncate_block": {"TRUNCATED": 1, **LOST},
    "wrong_pulse_count": {"BAD_COUNT": 1, **LOST},
    "train_id_jump": {"TRAIN_ID_JUMP": 1, **LOST},
    "train_id_repeat": {"TRAIN_ID_REPEATED": 1, **LOST},
    "train_id_zero": {"TRAIN_ID_ZERO": 1, **LOST},
    "train_id_reset": {"TRAIN_ID_BACKWARD": 1, **LOST},
    "unasked_train": {"TRAIN_ID_REPEATED": 1},
    "module_late": {"TRAIN_ID_BACKWARD": 1, **LOST},
    "module_missing": LOST,
    "differing_pulse_ids": {"pulses_differ": 1},
    "bad_status": {"BAD_STATUS": 1},
    "wrong_checksum": {"BAD_CHECKSUM": 1, **LOST},
    "bad_length": {"BAD_LENGTH": 1},
}


IN_IMAGES = {"dead_asic", "noisy_module", "swapped_gain", "clipped_adc"}
"""Faults of the detector itself, which no transport notices: test_detector_acceptance.py."""


def test_the_matrix_names_every_fault() -> None:
    from sim.xtdf.fault_specs import FAULTS

    assert set(SHOWN_BY) | IN_IMAGES == {fault.name for fault in FAULTS}


@pytest.mark.parametrize("fault", SHOWN_BY)
def test_every_fault_is_shown(bench: Bench, fault: str) -> None:
    run = 1 + list(SHOWN_BY).index(fault)
    before = bench.properties()
    bench.daq("record", run=run)
    bench.send(TRAINS, fault)
    assert bench.daq("stop") == {"trains": TRAINS}

    found = counted(bench, before)
    expected = SHOWN_BY[fault]
    assert {name: found.get(name) for name in expected} == expected
    good = TRAINS - expected.get("trains_incomplete", 0)
    assert found["trains_complete"] == good
    unexpected = {name for name in found if name.isupper()} - set(expected)
    # A train that is missing or late makes the next one jump.
    assert unexpected <= {"TRAIN_ID_JUMP"}
    assert bench.properties()["flags"]["1"].keys() <= {"TRAIN_ID_JUMP"}


def test_data_sent_while_the_daq_ignores_are_counted_and_leave_nothing(bench: Bench) -> None:
    before = bench.properties()["counters"].get("trains_ignored", 0)
    bench.send(2)
    assert bench.properties()["counters"]["trains_ignored"] - before == 2 * MODULES
    assert set(bench.properties()["free_slots"].values()) <= {11, 12}
