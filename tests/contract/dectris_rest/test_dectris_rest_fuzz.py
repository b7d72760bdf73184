from __future__ import annotations

import asyncio
import json
import random
import socket
from typing import Any

import httpx
import pytest

D = "/detector/api/1.8.0"
WORDS = [
    *("detector", "stream", "filewriter", "monitor", "system", "api", "1.6.0", "1.8.0", "config", "status"),
    *(
        "command",
        "keys",
        "images",
        "files",
        "data",
        "docs",
        "logs",
        "version",
        "nimages",
        "pixel_mask",
        "mode",
    ),
    *("threshold", "1", "energy", "next", "", "..", "%00", "%2e%2e", "%ff", "ä", "x" * 300),
]
BODIES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1e308,
        10**300,
        "",
        "\ud800",
        [],
        [[]],
        {},
        {"value": None},
        {"value": {"value": 1}},
    ),
    *({"value": 2}, {"value": "enabled"}, {"value": [1.0, 2.0, 3.0]}, {"mode": 1}, {"mode": {"value": 1}}),
    {
        "value": {
            "__darray__": [1, 0, 0],
            "type": "<u4",
            "shape": [64, 32],
            "filters": ["base64"],
            "data": "A",
        }
    },
]
EXPECTED = {200, 204, 400, 403, 404, 405, 408, 409, 413}


def _path(draws: random.Random) -> str:
    if draws.random() < 0.5:
        module = draws.choice(WORDS[:5])
        return f"/{module}/api/1.8.0/{draws.choice(WORDS[8:])}/{draws.choice(WORDS)}"
    return "/" + "/".join(draws.choices(WORDS, k=draws.randrange(7)))


def _body(draws: random.Random) -> bytes:
    if draws.random() < 0.3:
        return draws.randbytes(draws.randrange(60))
    body = json.dumps(draws.choice(BODIES)).encode()
    return body[: draws.randrange(len(body) + 1)] if draws.random() < 0.2 else body


async def test_malformed_requests_get_a_reason_and_hurt_nothing(unit: Any, client: httpx.AsyncClient) -> None:
    draws = random.Random(5)
    for _ in range(1000):
        method = draws.choice(
            ["GET", "PUT", "PUT", "PUT", "DELETE", "HEAD", "POST", "PATCH", "OPTIONS", "BREW"]
        )
        path = _path(draws) + "?timeout=0"
        if "trigger" in path:
            continue
        answer = await client.request(method, path, content=_body(draws))
        assert answer.status_code in EXPECTED, (method, path)
        if method == "HEAD":
            continue
        if answer.headers.get("content-type", "").startswith("application/json"):
            answer.json()
        assert answer.status_code < 400 or answer.text
    assert (await client.get(f"{D}/status/state")).json()["value"] == unit.detector.state
    assert (await client.get(f"{D}/config")).status_code == 200


def _raw(draws: random.Random) -> bytes:
    """A request, damaged in one of the ways that bytes can be."""
    whole = bytearray(
        f"PUT {D}/config/nimages HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n".encode() + b'{"value": 2}'
    )
    kind = draws.randrange(4)
    if kind == 0:
        return draws.randbytes(draws.randrange(1, 200))
    if kind == 1:
        return bytes(whole[: draws.randrange(len(whole))])
    if kind == 2:
        for _ in range(draws.randrange(1, 6)):
            whole[draws.randrange(len(whole))] = draws.randrange(256)
        return bytes(whole)
    return bytes(whole).replace(
        b"12", draws.choice([b"-1", b"99999999999999999999", b"1e3", b"0x10", b"12, 13"])
    )


def _send(host: str, port: int, data: bytes) -> bytes:
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(4096)
        except ConnectionResetError:
            return b""


@pytest.mark.filterwarnings("ignore:Invalid HTTP request")
async def test_bytes_that_are_no_http_hurt_nothing(unit: Any, address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    draws = random.Random(6)
    codes = set()
    for _ in range(120):
        answer = await asyncio.to_thread(_send, host, int(port), _raw(draws))
        codes.add(answer[9:12])
    assert codes <= {b"", b"200", b"400", b"403", b"404", b"405", b"413"}, codes
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get(f"{D}/status/state")).json()["value"] == "idle"
