"""Bytes from anybody do a remote no harm: each is answered with a sentence or dropped, and the next one is served."""

from __future__ import annotations

import socket as plain_sockets
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq
import zmq.asyncio
from sqlalchemy import update

from sim.caldb.remotes.server import Limits
from sim.caldb.tables import VERSIONS

SCHEMA = "stellwerk-caldb-remote/1"
LOOKUP = {
    "detector": "SPB_DET_AGIPD1M-1",
    "karabo_das": ["AGIPD00"],
    "calibrations": ["Offset"],
    "parameters": {"Memory cells": 1.0},
}


def header(**fields: Any) -> bytes:
    return bytes(msgpack.packb({"schema": SCHEMA, "id": 7, **fields}))


def injection(**fields: Any) -> dict[str, Any]:
    array = {"dtype": "<f4", "shape": [1], "dims": ["cell"], "sha256": "0" * 64}
    return {
        "operation": "inject",
        "detector": "SPB_DET_AGIPD1M-1",
        "karabo_da": "AGIPD00",
        "calibration": "Offset",
        "parameters": {"Memory cells": 1.0},
        "begin_at": "2026-01-15T08:00:00+00:00",
        **fields,
        "array": {**array, **fields.get("array", {})},
    }


BAD = {
    "empty": ([b"", b""], "malformed", "no msgpack"),
    "noise": ([b"\xc1\xff\x00noise"], "malformed", "no msgpack"),
    "deep": ([b"\x91" * 60_000], "malformed", "no msgpack"),
    "promises a giant": ([b"\xdf\xff\xff\xff\xff"], "malformed", "no msgpack"),
    "long header": ([b"\xda\xff\xff" + b"a" * 0x1FFFF], "malformed", "at most 65536"),
    "no map": ([msgpack.packb([1, 2])], "malformed", "is no map"),
    "three frames": ([header(operation="status"), b"", b""], "malformed", "not 3 frames"),
    "no schema": ([msgpack.packb({"id": 7, "operation": "status"})], "schema", SCHEMA),
    "newer schema": (
        [header(schema=SCHEMA[:-1] + "2", operation="status")],
        "schema",
        "use a client of that version",
    ),
    "no operation": ([header()], "malformed", "operation is missing"),
    "unknown operation": ([header(operation="delete")], "malformed", "no operation 'delete'"),
    "misspelled": (
        [header(operation="search", parametres={}, **LOOKUP)],
        "malformed",
        "unknown field 'parametres'",
    ),
    "unasked data": ([header(operation="status"), b"data"], "malformed", "has no data frame"),
    "too many": (
        [header(operation="search", **{**LOOKUP, "karabo_das": ["A"] * 65})],
        "malformed",
        "at most 64",
    ),
    "not finite": (
        [header(operation="search", **{**LOOKUP, "parameters": {"Memory cells": float("nan")}})],
        "malformed",
        "neither a finite number",
    ),
    "two at once": (
        [header(operation="fetch", **{**LOOKUP, "calibrations": ["Offset", "Noise"]})],
        "malformed",
        "exactly one",
    ),
    "no such version": ([header(operation="fetch", version_id=4711)], "not_found", "no version 4711"),
    "no such detector": (
        [header(operation="search", **{**LOOKUP, "detector": "X"})],
        "not_found",
        "no detector 'X'",
    ),
    "no such parameter": (
        [header(operation="search", **{**LOOKUP, "parameters": {"Mood": 1.0}})],
        "invalid",
        "no parameter 'Mood'",
    ),
    "no time": ([header(operation="search", event_at="tomorrow", **LOOKUP)], "invalid", "is not a time"),
    "no data": ([header(**injection())], "malformed", "needs a data frame"),
    "short data": ([header(**injection()), b"123"], "invalid", "has 3 bytes"),
    "other data": ([header(**injection()), b"1234"], "checksum", "send them again"),
    "objects": ([header(**injection(array={"dtype": "|O"})), b"12345678"], "invalid", "cannot be '|O'"),
    "giant shape": (
        [header(**injection(array={"shape": [2**40, 2**40], "dims": ["a", "b"]})), b"1234"],
        "invalid",
        "has 4 bytes",
    ),
    "unnamed axes": ([header(**injection(array={"dims": []})), b"1234"], "invalid", "names 0 axes of 1"),
    "a unit that is not": ([header(**injection(karabo_da="../..")), b"1234"], "not_found", "no unit ../.."),
}


@pytest.fixture
async def peer(remotes: Any) -> AsyncIterator[Any]:
    context = zmq.asyncio.Context()
    with context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.rcvtimeo = 60_000
        socket.connect(remotes.addresses[0])
        yield socket
    context.term()


async def status(peer: Any) -> dict[str, Any]:
    await peer.send(header(operation="status"))
    answer = msgpack.unpackb(await peer.recv())
    assert answer["ok"] is True
    return dict(answer)


@pytest.mark.parametrize("bad", BAD)
async def test_what_makes_no_sense_is_answered_with_a_sentence(peer: Any, bad: str) -> None:
    frames, kind, words = BAD[bad]
    await peer.send_multipart(frames)
    *_, raw = await peer.recv_multipart()
    answer = msgpack.unpackb(raw)
    assert (answer["schema"], answer["ok"], answer["error"]["kind"]) == (SCHEMA, False, kind)
    assert words in answer["error"]["message"]
    assert answer["id"] in (7, None, 0)
    assert (await status(peer))["refused"] == {kind: 1}


async def test_a_message_beyond_all_bounds_ends_its_connection_only(
    open_remotes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.caldb.remotes.server.Limits", partial(Limits, data_bytes=1 << 20))
    async with open_remotes(1) as bench:
        context = zmq.Context()
        with context.socket(zmq.DEALER) as giant:
            giant.linger = 0
            giant.connect(bench.addresses[0])
            giant.send_multipart([header(**injection()), bytes(2 << 20)])
            await bench.inject()
            np.testing.assert_array_equal(await bench.fetch(bench.client()), bench.offset())
            assert bench.server.remotes[0].status()["refused"] == {}
        context.term()


async def test_peers_that_do_not_speak_zeromq_are_left_alone(remotes: Any) -> None:
    host, port = remotes.addresses[0].removeprefix("tcp://").split(":")
    with plain_sockets.create_connection((host, int(port))) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(10_000))
        await remotes.inject()
    np.testing.assert_array_equal(await remotes.fetch(remotes.client()), remotes.offset())


async def test_a_plain_request_socket_is_understood(remotes: Any) -> None:
    context = zmq.asyncio.Context()
    with context.socket(zmq.REQ) as peer:
        peer.linger = 0
        peer.connect(remotes.addresses[1])
        found = await status(peer)
    context.term()
    assert (found["remote"], found["state"]) == ("MAX_WEB_DATA/DM/CAL_REMOTE_2", "waiting on data")


async def test_an_entry_that_points_outside_the_store_is_refused(remotes: Any, peer: Any) -> None:
    version = await remotes.inject()
    # Written behind the catalogue's back: what REST lets in is another matter.
    with remotes.server._engine().begin() as db:
        row = VERSIONS.c.id == version.id
        db.execute(update(VERSIONS).where(row).values(path_to_file="../../../etc/", file_name="passwd"))
    for meta_only in (True, False):
        await peer.send(header(operation="fetch", version_id=version.id, meta_only=meta_only))
        refused = msgpack.unpackb(await peer.recv())
        assert refused["error"]["kind"] == "file"
        assert "lies outside the store" in refused["error"]["message"]


async def test_words_of_a_client_cannot_forge_lines_of_the_log(remotes: Any, peer: Any) -> None:
    await peer.send(header(operation="search", **{**LOOKUP, "detector": "X\nINFO  forged\r\n"}))
    await peer.recv()
    assert not any(line.startswith("INFO  forged") for line in remotes.log.splitlines())
