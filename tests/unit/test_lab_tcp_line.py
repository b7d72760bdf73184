"""An instrument's TCP port: order, several clients, clients that misbehave, and a refusal that is switched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from sim.kernel import FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock, wall_clock
from sim.lab.lines import LINK_FAULTS, Answer, TcpLine

LIMIT_S = 10


class Telling:
    """Answers lines: `slow` after some work, `much` with a megabyte, `fail` never, others in capitals."""

    def __init__(self) -> None:
        self.connections = 0

    def connect(self) -> Teller:
        self.connections += 1
        return Teller()


class Teller:
    def __init__(self) -> None:
        self._half = b""

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
        *lines, self._half = (self._half + data).split(b"\n")
        if b"fail" in lines:
            raise ZeroDivisionError
        return [
            Answer(
                bytes(1 << 20) if line == b"much" else line.upper() + b"\n", 0.05 if line == b"slow" else 0.0
            )
            for line in lines
        ]


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def line(**how: Any) -> AsyncIterator[tuple[int, FaultBoard, TcpLine]]:
    board = FaultBoard("telling", LINK_FAULTS)
    clock = how.pop("clock", None) or manual_clock()
    port = TcpLine("telling", Telling(), clock, board, Transcript(None, lambda: 0), **how)
    address = await port.start()
    try:
        yield int(address.rsplit(":", 1)[1]), board, port
    finally:
        await asyncio.wait_for(port.stop(), 2)


async def connect(port: int) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port)


async def ask(streams: Streams, word: bytes) -> bytes:
    streams[1].write(word + b"\n")
    return await asyncio.wait_for(streams[0].readline(), LIMIT_S)


async def cut(streams: Streams) -> bool:
    """Whether the line is closed, after whatever it still had."""
    with suppress(ConnectionError):
        await asyncio.wait_for(streams[0].read(), LIMIT_S)
    return True


async def test_answers_come_in_order_though_one_takes_work() -> None:
    async with line(clock=wall_clock()) as (port, _, _):
        reader, writer = await connect(port)
        writer.write(b"slow\none\n")
        writer.write(b"two\n")
        assert [await reader.readline() for _ in range(3)] == [b"SLOW\n", b"ONE\n", b"TWO\n"]
        writer.close()


async def test_a_client_that_has_said_all_still_gets_its_answers() -> None:
    async with line(clock=wall_clock()) as (port, _, _):
        reader, writer = await connect(port)
        writer.write(b"slow\none\n")
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b"SLOW\nONE\n"
        writer.close()


async def test_a_client_that_does_not_read_is_cut_and_does_not_hold_up_others() -> None:
    async with line(unread_s=0.2) as (port, _, _):
        deaf, other = await connect(port), await connect(port)
        deaf[1].transport.pause_reading()  # type: ignore[attr-defined]
        deaf[1].write(b"much\n" * 20)
        assert await ask(other, b"one") == b"ONE\n"
        await asyncio.sleep(0.3)  # its patience, by the wall
        deaf[1].transport.resume_reading()  # type: ignore[attr-defined]
        assert await cut(deaf)
        assert await ask(other, b"two") == b"TWO\n"
        deaf[1].close()
        other[1].close()


async def test_a_client_that_floods_does_not_hold_up_others() -> None:
    async with line() as (port, _, _):
        flood, other = await connect(port), await connect(port)
        flood[1].write(b"\n" * (1 << 20))
        assert await ask(other, b"one") == b"ONE\n"
        flood[1].transport.abort()
        other[1].close()


async def test_one_client_at_a_time_and_the_next_gets_in_at_once() -> None:
    async with line(one_client=True) as (port, _, _):
        for word in (b"one", b"two", b"three"):
            client = await connect(port)
            assert await ask(client, word) == word.upper() + b"\n"
            client[1].close()
        first = await connect(port)
        assert await ask(first, b"one") == b"ONE\n"
        further = await connect(port)
        assert await cut(further), "while the first is there"
        further[1].close()
        assert await ask(first, b"two") == b"TWO\n"
        first[1].close()


async def test_a_client_that_left_during_long_work_does_not_lock_the_next_out() -> None:
    class Busy(Telling):
        def connect(self) -> Any:
            self.connections += 1
            outer = self

            class Working(Teller):
                def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
                    return [Answer(data, 3600.0 if outer.connections == 1 else 0.0)]

            return Working()

    board = FaultBoard("busy", LINK_FAULTS)
    busy = TcpLine("busy", Busy(), wall_clock(), board, Transcript(None, lambda: 0), one_client=True)
    port = int((await busy.start()).rsplit(":", 1)[1])
    first = await connect(port)
    first[1].write(b"work\n")
    await first[1].drain()
    first[1].close()
    second = await connect(port)
    assert await ask(second, b"one") == b"one\n"
    second[1].close()
    await busy.stop()


async def test_a_dropped_client_may_come_again() -> None:
    async with line() as (port, board, _):
        client = await connect(port)
        board.switch_on("drop_connection", times=1)
        client[1].write(b"one\n")
        assert await cut(client)
        again = await connect(port)
        assert await ask(again, b"two") == b"TWO\n"
        client[1].close()
        again[1].close()


async def test_a_refusal_cuts_and_ends() -> None:
    async with line() as (port, board, _):
        client = await connect(port)
        assert await ask(client, b"one") == b"ONE\n"
        board.switch_on("refuse_connection")
        assert await cut(client)
        with pytest.raises(ConnectionRefusedError):
            await connect(port)
        board.switch_off("refuse_connection")
        again = await until_connected(port)
        assert await ask(again, b"two") == b"TWO\n"
        client[1].close()
        again[1].close()


async def until_connected(port: int) -> Streams:
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await connect(port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


async def test_a_refusal_switched_to_and_fro_ends_as_it_was_switched_last() -> None:
    async with line() as (port, board, _):
        client = await connect(port)
        await ask(client, b"one")
        for _ in range(5):
            board.switch_on("refuse_connection")
            board.switch_off("refuse_connection")
        again = await until_connected(port)
        assert await ask(again, b"two") == b"TWO\n"
        for _ in range(5):
            board.switch_off("refuse_connection")
            board.switch_on("refuse_connection")
        assert await cut(again)
        with pytest.raises(ConnectionRefusedError):
            await connect(port)
        for steps in range(4):
            board.switch_off("refuse_connection")
            for _ in range(steps):
                await asyncio.sleep(0)
            board.switch_on("refuse_connection")
            await asyncio.sleep(0.01)
            with pytest.raises(ConnectionRefusedError):
                await connect(port)
        client[1].close()
        again[1].close()


async def test_a_refusal_for_one_time_cuts_once() -> None:
    async with line() as (port, board, _):
        client = await connect(port)
        await ask(client, b"one")
        board.switch_on("refuse_connection", times=1)
        assert await cut(client)
        again = await until_connected(port)
        assert await ask(again, b"two") == b"TWO\n"
        client[1].close()
        again[1].close()


async def test_a_line_that_refuses_from_the_beginning_keeps_its_port_and_listens_when_the_fault_is_off() -> (
    None
):
    board = FaultBoard("telling", LINK_FAULTS)
    early = TcpLine("telling", Telling(), manual_clock(), board, Transcript(None, lambda: 0))
    board.switch_on("refuse_connection")
    port = int((await early.start()).rsplit(":", 1)[1])
    with pytest.raises(ConnectionRefusedError):
        await connect(port)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    board.switch_off("refuse_connection")
    client = await until_connected(port)
    assert await ask(client, b"one") == b"ONE\n"
    client[1].close()
    await early.stop()
    await early.stop()
    board.switch_on("refuse_connection")
    board.switch_off("refuse_connection")
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await connect(port)


async def test_a_mistake_of_the_instrument_cuts_its_client_and_is_a_problem() -> None:
    async with line() as (port, _, server):
        client = await connect(port)
        client[1].write(b"fail\n")
        assert await cut(client)
        assert "ZeroDivisionError" in server.problems()[0].text
        again = await connect(port)
        assert await ask(again, b"two") == b"TWO\n"
        client[1].close()
        again[1].close()


async def test_stop_does_not_wait_for_work_or_for_those_at_the_door() -> None:
    async with line(clock=wall_clock(), one_client=True) as (port, board, _):
        board.switch_on("answer_late", delay_s=60.0)
        client = await connect(port)
        client[1].write(b"one\n")
        second = await connect(port)
        while len(asyncio.all_tasks()) < 3:  # noqa: ASYNC110  # the server tells nobody that it has accepted
            await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await cut(client)
    assert await cut(second)
    client[1].close()
    second[1].close()
