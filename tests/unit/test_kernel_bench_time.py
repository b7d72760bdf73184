"""A simulator's side of the bench's clock: in wall mode it keeps time itself, and still notices the clock's end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from sim.kernel.bench_time import BenchTime, ClockLost
from sim.kernel.time import NS_PER_MS, SimTime


class Clock:
    """A clock that answers questions at once, and waits with an end too."""

    def __init__(self) -> None:
        self.wall = True
        self.asked: list[dict[str, Any]] = []
        self.zero_ns = time.monotonic_ns() - 7 * NS_PER_MS
        self.heard = asyncio.Event()

    async def serve(self, connection: ServerConnection) -> None:
        async for message in connection:
            body = json.loads(message)
            self.asked.append(body)
            self.heard.set()
            if body.get("wait", 0) is None:
                continue
            now = time.monotonic_ns() - self.zero_ns
            answer = {"id": body["id"], "now": now}
            if self.wall:
                answer["at_monotonic_ns"] = self.zero_ns + now
            await connection.send(json.dumps(answer))


@pytest.fixture
async def clock() -> AsyncIterator[tuple[Clock, Server, str]]:
    clock = Clock()
    async with serve(clock.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield clock, server, f"http://127.0.0.1:{port}"


async def test_on_wall_time_a_wait_costs_no_message(clock: tuple[Clock, Server, str]) -> None:
    served, _, url = clock
    bench_time = BenchTime(url, "me")
    now = await bench_time.open()
    assert now >= 7 * NS_PER_MS
    for _ in range(20):
        later = await bench_time.wait(SimTime(now + NS_PER_MS // 10))
        assert later >= now + NS_PER_MS // 10
        now = later
    bench_time.interrupt()
    assert await bench_time.wait(None) >= now
    while len(served.asked) < 2:
        served.heard.clear()
        await served.heard.wait()
    assert [sorted(question) for question in served.asked] == [["id", "now"], ["id", "wait"]]
    await bench_time.close()


async def test_an_interrupt_wakes_a_wait_without_end(clock: tuple[Clock, Server, str]) -> None:
    bench_time = BenchTime(clock[2], "me")
    await bench_time.open()
    waiting = asyncio.create_task(bench_time.wait(None))
    await asyncio.sleep(0)
    bench_time.interrupt()
    assert await waiting > 0
    await bench_time.close()


async def test_a_late_wait_lets_others_run(clock: tuple[Clock, Server, str]) -> None:
    bench_time = BenchTime(clock[2], "me")
    await bench_time.open()
    ran = asyncio.create_task(asyncio.sleep(0))
    await bench_time.wait(SimTime(0))
    await bench_time.wait(SimTime(0))
    assert ran.done()
    await bench_time.close()


async def test_the_end_of_the_clock_ends_the_wait(clock: tuple[Clock, Server, str]) -> None:
    _, server, url = clock
    bench_time = BenchTime(url, "me")
    await bench_time.open()
    waiting = asyncio.create_task(bench_time.wait(None))
    await asyncio.sleep(0)
    server.close()
    with pytest.raises(ClockLost):
        await waiting
    with pytest.raises(ClockLost):
        await bench_time.read()
    await bench_time.close()


async def test_other_clocks_are_asked_each_time(clock: tuple[Clock, Server, str]) -> None:
    served, _, url = clock
    served.wall = False
    bench_time = BenchTime(url, "me")
    await bench_time.open()
    await bench_time.wait(SimTime(1))
    assert [sorted(question) for question in served.asked] == [["id", "now"], ["id", "wait"]]
    await bench_time.close()
