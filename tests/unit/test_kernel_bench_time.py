"""A simulator's side of the bench's clock: in wall mode it keeps time itself, and still notices the clock's end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from fat.bench.shown_time import ShownTime
from sim.kernel.bench_time import BenchTime, ClockLost
from sim.kernel.time import NS_PER_MS, SimTime


class Clock:
    """A clock that answers questions at once, and waits with an end too."""

    def __init__(self) -> None:
        self.wall = True
        self.shown_at: str | None = None
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
            answer: dict[str, Any] = {"id": body["id"], "now": now}
            if self.wall:
                answer["at_monotonic_ns"] = self.zero_ns + now
            if self.shown_at is not None:
                answer["shown_at"] = self.shown_at
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


@pytest.fixture
async def shown(clock: tuple[Clock, Server, str]) -> AsyncIterator[tuple[ShownTime, BenchTime]]:
    """A clock that shows 3 ms, and a participant that has joined it."""
    memory = ShownTime()
    clock[0].wall, clock[0].shown_at = False, memory.path
    bench_time = BenchTime(clock[2], "me")
    await bench_time.open()
    memory.show(3 * NS_PER_MS)
    yield memory, bench_time
    await bench_time.close()
    memory.close()


async def test_a_time_that_is_shown_is_not_asked(
    clock: tuple[Clock, Server, str], shown: tuple[ShownTime, BenchTime]
) -> None:
    memory, bench_time = shown
    assert await bench_time.read() == 3 * NS_PER_MS
    waiting = asyncio.create_task(bench_time.wait(None))
    await asyncio.sleep(0)
    memory.show(3600 * 1000 * NS_PER_MS)
    assert await bench_time.read() == 3600 * 1000 * NS_PER_MS
    assert [question for question in clock[0].asked if "now" in question] == clock[0].asked[:1]
    waiting.cancel()


async def test_from_the_end_of_a_wait_on_the_time_is_asked(
    clock: tuple[Clock, Server, str], shown: tuple[ShownTime, BenchTime]
) -> None:
    memory, bench_time = shown
    order: list[str] = []

    async def wait() -> None:
        await bench_time.wait(SimTime(5 * NS_PER_MS))
        order.append("woken")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    memory.show(5 * NS_PER_MS)
    await bench_time.read()
    order.append("read")
    await waiting
    assert order == ["woken", "read"]  # whoever is told the time finds what was due by then done
    assert [sorted(question) for question in clock[0].asked] == [["id", "now"], ["id", "wait"], ["id", "now"]]


async def test_a_clock_whose_memory_is_not_there_is_asked(clock: tuple[Clock, Server, str]) -> None:
    served, _, url = clock
    served.wall, served.shown_at = False, "/proc/self/fd/none"
    bench_time = BenchTime(url, "me")
    await bench_time.open()
    await bench_time.read()
    assert len(served.asked) == 2
    await bench_time.close()


async def test_the_memory_outlives_no_clock(
    clock: tuple[Clock, Server, str], shown: tuple[ShownTime, BenchTime]
) -> None:
    waiting = asyncio.create_task(shown[1].wait(None))
    await asyncio.sleep(0)
    clock[1].close()
    with pytest.raises(ClockLost):
        await waiting
    with pytest.raises(ClockLost):
        await shown[1].read()
