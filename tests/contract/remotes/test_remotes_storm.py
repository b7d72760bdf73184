"""Many clients at once: ours never storm, others' storms are bounded, and in the end all are served."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from random import Random
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
import zmq.asyncio

from pipeline.constants.remotes import client as client_module
from sim.caldb.remotes.server import Limits

CLIENTS = 300 if os.environ.get("STELLWERK_THOROUGH") == "1" else 120


async def test_many_threads_are_served_with_four_requests_in_flight(
    open_remotes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, now, most = threading.Lock(), 0, 0
    plain = client_module.exchange

    def counted(*request: Any) -> Any:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        try:
            return plain(*request)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(client_module, "exchange", counted)
    async with open_remotes(4) as bench:
        await bench.inject()
        most = 0
        client = bench.client(deadline_s=100.0)
        client.remotes._random = Random(1)
        ask = partial(client.fetch, bench.conditions, ["Offset"], [0], bench.begin)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(CLIENTS, "clients") as threads:
            found = await asyncio.gather(*(loop.run_in_executor(threads, ask) for _ in range(CLIENTS)))
        for constants in found:
            np.testing.assert_array_equal(constants.get(0, "Offset"), bench.offset())
        assert most == client.remotes.patience.in_flight == 4
        counted_there = [remote.status() for remote in bench.server.remotes]
        assert sum(there["requests"] for there in counted_there) == 2 * CLIENTS + 1, "nothing was asked twice"
        assert all(there["highest_waiting"] <= 4 for there in counted_there)
        assert all(there["requests"] > CLIENTS / 4 for there in counted_there), "one of four at random"
        assert not client.remotes.failures


async def ask_without_mercy(address: str, version_id: int, numbers: Any, seen: Counter[str]) -> bytes:
    """A client that asks again at once whenever it is refused. Its data."""
    context = zmq.asyncio.Context.instance()
    with context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(address)
        while True:
            number = next(numbers)
            header = {
                "schema": "stellwerk-caldb-remote/1",
                "id": number,
                "operation": "fetch",
                "version_id": version_id,
                "meta_only": False,
            }
            await socket.send(msgpack.packb(header))
            frames = await socket.recv_multipart()
            answer = msgpack.unpackb(frames[0])
            assert answer["id"] == number
            if answer["ok"]:
                seen["ok"] += 1
                return bytes(frames[1])
            seen[answer["error"]["message"]] += 1


async def test_a_storm_of_others_is_seen_and_bounded_and_all_are_served(
    open_remotes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = partial(Limits, waiting=5, held_bytes=3 << 20)
    monkeypatch.setattr("sim.caldb.remotes.server.Limits", limits)
    async with open_remotes(3) as bench:
        version = await bench.inject()
        seen: Counter[str] = Counter()
        numbers = count(1)
        askers = [
            ask_without_mercy(bench.addresses[n % 3], version.id, numbers, seen) for n in range(CLIENTS)
        ]
        data = await asyncio.wait_for(asyncio.gather(*askers), 100)
        assert {bytes(one) for one in data} == {bench.offset().tobytes()}
        status = [remote.status() for remote in bench.server.remotes]
        assert max(there["highest_waiting"] for there in status) == 5
        assert seen["Resource temporarily unavailable"] >= CLIENTS - 3 * 6
        assert (
            sum(there["refused"].get("busy", 0) for there in status)
            == seen["Resource temporarily unavailable"]
        )
        assert all(there["highest_requests_per_s"] >= 50 for there in status), "the storm is seen"
        assert all(there["requests_per_s"] > 0 and there["waiting"] == 0 for there in status)
        assert bench.server.remotes[0]._store.budget.held == 0, "all memory came back"
    zmq.asyncio.Context.instance().term()
