"""The trigger input's line socket: pulses for one command, and one sentence for anything else."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.dectris.unit.pulses import PulsesRefused
from sim.dectris.unit.trigger_line import MAX_LINE, PulsesWanted, TriggerServer, parsed
from sim.kernel import Transcript


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("PULSE", PulsesWanted()),
        ("pulse 0.001", PulsesWanted(width_s=0.001)),
        ("GATE 0.5", PulsesWanted(width_s=0.5)),
        ("TRAIN 100000 1e5", PulsesWanted(100_000, 1e5)),
        ("TRAIN 3 10 0.01", PulsesWanted(3, 10.0, 0.01)),
    ],
)
def test_commands(line: str, wanted: PulsesWanted) -> None:
    assert parsed(line) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "",
        "JUMP",
        "TRAIN 3",
        "TRAIN 0 10",
        "TRAIN 3 nan",
        "TRAIN 2 10 0.2",
        "GATE 0",
        "GATE -1",
        "PULSE 1e9",
        "TRAIN 1.5 3",
    ],
)
def test_anything_else_is_a_sentence(line: str) -> None:
    with pytest.raises(PulsesRefused):
        parsed(line)


@settings(max_examples=50, derandomize=True)
@given(st.text(max_size=60))
def test_no_text_breaks_it(line: str) -> None:
    with contextlib.suppress(PulsesRefused):
        parsed(line).train(0)


async def test_the_socket_answers_line_by_line_and_survives_a_long_one(nothing_left_behind: None) -> None:
    pulled: list[PulsesWanted] = []

    async def pull(wanted: PulsesWanted) -> None:
        if wanted.count == 7:
            raise PulsesRefused("not seven")
        pulled.append(wanted)

    server = TriggerServer("dcu", pull, lambda: "missed=3", port=0, transcript=Transcript(None, lambda: 0))
    host, port = (await server.start()).removeprefix("tcp://").split(":")

    async def talk(*lines: bytes) -> list[bytes]:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.writelines(lines)
        writer.write_eof()
        answers = (await reader.read()).splitlines()
        writer.close()
        await writer.wait_closed()
        return answers

    assert await talk(b"PULSE\n", b"TRAIN 7 1\n", b"STATUS\n", b"\xff\n") == [
        b"OK 1",
        b"ERR not seven",
        b"OK missed=3",
        b"ERR commands are: PULSE [width_s], GATE width_s, TRAIN count rate_hz [width_s], STATUS",
    ]
    assert (await talk(b"x" * 2 * MAX_LINE))[0].startswith(b"ERR")
    assert await talk(b"GATE 1\n") == [b"OK 1"]
    assert len(pulled) == 2
    await server.stop()
    await server.stop()
