"""The program of hostile bytes, on command ports that are up in this process."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sim.kernel import Transcript
from sim.kernel.clock import manual_clock
from sim.lab.lines.request_port import RequestPort
from sim.lab.lines.talk import Answer

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def fuzz() -> Iterator[Any]:
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("lab_fuzz", BENCHMARKS / "lab_fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_fuzz"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))
    del sys.modules["lab_fuzz"], sys.modules["hostile_bytes"]


class Port:
    """A wire pair's command port on a loop of its own."""

    def __init__(self, lab: Any, answer: Any) -> None:
        self._lab, self._answer = lab, answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        transcript = Transcript(None, lambda: 0)
        self._port = RequestPort("icm.6000", self, manual_clock(), lab.faults, transcript, max_bytes=1 << 16)
        self.address = self._run(self._port.start())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def connect(self) -> Any:
        return self

    def receive(self, data: bytes, now: int) -> list[Answer]:
        return [Answer(self._answer(self._lab, data))]

    def close(self) -> None:
        self._run(self._port.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def served(lab: Any, data: bytes) -> bytes:
    from sim.degg.icm_commands import answer, encoded

    return encoded(answer(lab.pair, data, lab.now))


def run(fuzz: Any, lab: Any, answer: Any) -> int:
    port = Port(lab, answer)
    try:
        endpoints = {"icm.6000": port.address, "clock": "http://127.0.0.1:9/"}
        wrong: int = fuzz.run(endpoints, psutil.Process(), 250, 3, "lab")
        return wrong
    finally:
        port.close()


def test_hostile_bytes_leave_a_command_port_as_it_was(
    fuzz: Any, lab: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fuzz, lab, served) == 0
    assert "icm.6000" in capsys.readouterr().out


def test_a_port_that_stops_to_answer_well_is_found(
    fuzz: Any, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "PATIENCE_S", 0.3)
    assert run(fuzz, lab, lambda _lab, _data: b'{"status": "broken"}') == 2
