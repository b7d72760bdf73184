"""A serial port of the laboratory: a path that stays, paced bytes, one client after another, faults."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sim.errors import ConfigurationRejected
from sim.kernel import FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock, wall_clock
from sim.lab.lines import LINK_FAULTS, Answer, PtyLine
from sim.lab.lines.pace import Wire
from sim.lab.lines.pty import HELD_BYTES, UNREAD_BYTES

FAST = 10_000_000
"""Baud; nothing waits for its bytes."""


class Shouting:
    """Answers every line in capitals, `slow` after half a second of work, `fail` never."""

    def __init__(self) -> None:
        self.arrived: list[SimTime] = []
        self.failed, self.heard = asyncio.Event(), asyncio.Event()

    def connect(self) -> Shouter:
        return Shouter(self)


class Shouter:
    def __init__(self, owner: Shouting) -> None:
        self._owner, self._half = owner, b""

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
        *lines, self._half = (self._half + data).split(b"\r")
        self._owner.heard.set()
        answers = []
        for line in lines:
            if line == b"fail":
                self._owner.failed.set()
                raise ZeroDivisionError
            slow = line == b"slow"
            then = self._owner.arrived.append if slow else None
            answers.append(Answer(line.upper() + b"\r", 0.3 if slow else 0.0, then))
        return answers


class Client:
    """A program with the port open, as plain as can be."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)

    async def read(self, size: int = 1, until: bytes = b"\r") -> bytes:
        """Until it ends so, or an error; at least *size* bytes."""
        loop, data = asyncio.get_running_loop(), b""
        while not (len(data) >= size and data.endswith(until)):
            readable = loop.create_future()
            loop.add_reader(self.fd, lambda future=readable: future.done() or future.set_result(None))
            try:
                await asyncio.wait_for(readable, 10)
            finally:
                loop.remove_reader(self.fd)
            came = os.read(self.fd, 4096)
            if not came:
                raise ConnectionResetError("the port hung up")
            data += came
        return data

    async def ask(self, line: bytes) -> bytes:
        self.write(line + b"\r")
        return await self.read()

    def close(self) -> None:
        os.close(self.fd)


@asynccontextmanager
async def line(tmp_path: Path, **how: Any) -> AsyncIterator[tuple[str, FaultBoard, PtyLine]]:
    board = FaultBoard("shouting", LINK_FAULTS)
    port = PtyLine(
        "shouting",
        how.pop("instrument", None) or Shouting(),
        how.pop("clock", None) or manual_clock(),
        board,
        Transcript(None, lambda: 0),
        at=tmp_path / "dev/shouting",
        **{"baud": FAST, **how},
    )
    path = await port.start()
    try:
        yield path, board, port
    finally:
        await port.stop()


async def test_clients_come_and_go_and_each_is_answered(tmp_path: Path) -> None:
    async with line(tmp_path) as (path, _, _):
        for word in (b"one", b"two", b"three"):
            client = Client(path)
            assert await client.ask(word) == word.upper() + b"\r"
            client.close()


async def test_nothing_is_echoed_or_changed_on_the_way(tmp_path: Path) -> None:
    every_byte = bytes(set(range(256)) - {0x0D} - set(range(ord("a"), ord("z") + 1)))
    async with line(tmp_path) as (path, _, _):
        client = Client(path)
        client.write(every_byte + b"\r")
        assert await client.read(size=len(every_byte)) == every_byte.upper() + b"\r"
        client.close()


async def test_the_path_is_gone_after_stop(tmp_path: Path) -> None:
    at = tmp_path / "dev/shouting"
    async with line(tmp_path) as (path, _, port):
        assert path == str(at)
        assert at.is_char_device()
        await port.stop()
        assert not at.is_symlink()


async def test_a_file_of_somebody_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/shouting").write_text("mine")
    with pytest.raises(ConfigurationRejected, match="there already"):
        async with line(tmp_path):
            pass
    assert (tmp_path / "dev/shouting").read_text() == "mine"


async def hung_up(client: Client) -> bool:
    try:
        await client.read()
    except ConnectionResetError:
        return True
    return False


async def test_a_dropped_line_hangs_up_and_the_path_leads_to_a_new_one(tmp_path: Path) -> None:
    async with line(tmp_path) as (path, board, _):
        client = Client(path)
        board.switch_on("drop_connection", times=1)
        client.write(b"one\r")
        assert await hung_up(client)
        client.close()
        again = Client(path)
        assert await again.ask(b"two") == b"TWO\r"
        again.close()


async def test_a_refused_line_hangs_up_and_its_path_is_gone_until_the_fault_is_off(tmp_path: Path) -> None:
    async with line(tmp_path) as (path, board, _):
        client = Client(path)
        board.switch_on("refuse_connection")
        assert await hung_up(client)
        client.close()
        with pytest.raises(FileNotFoundError):
            Client(path)
        board.switch_off("refuse_connection")
        again = Client(path)
        assert await again.ask(b"two") == b"TWO\r"
        again.close()


async def test_a_line_that_refuses_from_the_beginning_has_no_path(tmp_path: Path) -> None:
    board = FaultBoard("shouting", LINK_FAULTS)
    at = tmp_path / "shouting"
    port = PtyLine(
        "shouting", Shouting(), manual_clock(), board, Transcript(None, lambda: 0), at=at, baud=FAST
    )
    board.switch_on("refuse_connection")
    assert await port.start() == str(at)
    assert not at.is_symlink()
    board.switch_off("refuse_connection")
    assert at.is_char_device()
    await port.stop()
    board.switch_on("refuse_connection")
    board.switch_off("refuse_connection")
    assert not at.is_symlink()


async def test_work_goes_on_after_a_hang_up_and_its_answer_is_not_the_next_clients(tmp_path: Path) -> None:
    instrument = Shouting()
    async with line(tmp_path, clock=wall_clock(), instrument=instrument) as (path, board, _):
        client = Client(path)
        client.write(b"\rslow\r")
        await client.read()
        board.switch_on("refuse_connection", times=1)
        assert await hung_up(client)
        client.close()
        again = Client(path)
        assert await again.ask(b"two") == b"TWO\r"
        assert len(instrument.arrived) == 1
        again.close()


async def test_a_mistake_of_the_instrument_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    instrument = Shouting()
    async with line(tmp_path, instrument=instrument) as (path, _, port):
        client = Client(path)
        client.write(b"fail\r")
        await instrument.failed.wait()
        assert await client.ask(b"two") == b"TWO\r"
        assert "ZeroDivisionError" in port.problems()[0].text
        client.close()


async def test_what_nobody_reads_is_lost_the_oldest_first(tmp_path: Path) -> None:
    instrument = Shouting()
    async with line(tmp_path, instrument=instrument) as (path, _, _):
        client = Client(path)
        for number in range(600):
            instrument.heard.clear()
            client.write(b"%08d\r" % number)
            await instrument.heard.wait()
        data = b""
        while not data.endswith(b"00000599\r"):
            data += await client.read()
        client.close()
        assert len(data) < 600 * 9


async def test_a_flood_loses_its_oldest_bytes_and_its_last_command_is_heard(tmp_path: Path) -> None:
    async with line(tmp_path) as (path, _, _):
        client = Client(path)
        for _ in range(2):
            client.write(bytes(3000))
        client.write(b"\rone\r")
        said = await client.read(until=b"\rONE\r")
        assert len(said) < 6000
        client.close()
        again = Client(path)
        assert await again.ask(b"two") == b"TWO\r"
        again.close()


def test_a_byte_takes_the_time_of_its_bits() -> None:
    wire = Wire(9600)
    assert wire.through(96, now=5.0) == pytest.approx(5.1)
    assert wire.through(96, now=5.0) == pytest.approx(5.2), "after what went before"
    assert wire.through(96, now=9.0) == pytest.approx(9.1)
    assert Wire(9600, bits=11).through(96, now=0.0) == pytest.approx(0.11)
    assert b"".join(wire.pieces(bytes(100))) == bytes(100)
    assert max(map(len, wire.pieces(bytes(100)))) == 4


async def test_a_slow_line_is_slow_both_ways_on_a_clock_that_stands_still(tmp_path: Path) -> None:
    async with line(tmp_path, baud=9600) as (path, _, _):
        client = Client(path)
        began = time.monotonic()
        await client.ask(bytes(47))
        assert time.monotonic() - began >= 2 * 48 * 10 / 9600
        client.close()


def test_bounds_fit_into_a_terminal() -> None:
    assert UNREAD_BYTES < 4095
    assert HELD_BYTES <= 4095
