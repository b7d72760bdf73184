"""The catalogue's client against a server that answers what a test says: retries, tokens, bounds, nonsense."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.constants import CatalogueRest
from pipeline.constants.rest import MOST_ANSWER_BYTES, Refused
from pipeline.errors import CatalogueError, CatalogueUnreachable

TOKEN = json.dumps({"access_token": "t", "token_type": "Bearer"})


class Scripted(ThreadingHTTPServer):
    """Answers (status, body) in the order of the script, the last one for ever; tokens always."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self._read()
        script = self.server.script
        status, body = script.pop(0) if len(script) > 1 else script[0]
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self._send(status, body)

    def do_POST(self) -> None:
        self._read()
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self._send(200, TOKEN.encode())

    def _read(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    scripted.shutdown()
    thread.join()
    scripted.server_close()


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def client(server: Scripted, time: Time, **more: Any) -> CatalogueRest:
    return CatalogueRest(server.url, retry_for_s=5.0, monotonic_s=time.monotonic_s, pause=time.pause, **more)


def test_a_server_that_recovers_is_asked_again(server: Scripted, time: Time) -> None:
    server.script = [(503, b"down"), (500, b"{}"), (200, b"[1]")]
    rest = client(server, time)
    assert rest.get("detectors", identifier="A B") == [1]
    rest.close()
    assert time.pauses == [0.2, 0.4]
    assert [path for path, _ in server.asked] == ["/api/detectors?identifier=A+B"] * 3


def test_trying_again_ends_in_the_stated_time(server: Scripted, time: Time) -> None:
    server.script = [(503, b"{}")]
    rest = client(server, time)
    with pytest.raises(CatalogueUnreachable, match="status 503"):
        rest.get("me")
    rest.close()
    assert sum(time.pauses) < 5.0
    assert len(time.pauses) >= 3


def test_a_refusal_is_not_asked_again(server: Scripted, time: Time) -> None:
    server.script = [(422, b'{"info": {"name": ["has already been taken"]}}')]
    rest = client(server, time)
    with pytest.raises(Refused, match="name has already been taken") as caught:
        rest.get("calibrations")
    rest.close()
    assert caught.value.taken
    assert time.pauses == []


def test_nothing_there_is_none_where_that_is_an_answer(server: Scripted, time: Time) -> None:
    server.script = [(404, b'{"info": "Resource not found!"}')]
    rest = client(server, time)
    assert rest.find("calibrations/1/get_calibration_constant") is None
    with pytest.raises(Refused, match="404: Resource not found!"):
        rest.get("me")
    rest.close()


def test_a_forgotten_token_is_fetched_anew_once(server: Scripted, time: Time) -> None:
    server.script = [(200, b"1"), (401, b"{}"), (200, b"2"), (401, b'{"info": "no"}')]
    rest = client(server, time, credentials=("id", "secret"))
    assert [rest.get("me"), rest.get("me")] == [1, 2]
    with pytest.raises(Refused, match="401: no"):
        rest.get("me")
    rest.close()
    tokens = [header for path, header in server.asked if path == "/oauth/token"]
    assert len(tokens) == 3
    assert all(header is not None and header.startswith("Basic ") for header in tokens)
    assert all(header == "Bearer t" for path, header in server.asked if path == "/api/me")


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_a_sentence(server: Scripted, time: Time, body: bytes) -> None:
    server.script = [(200, body)]
    rest = client(server, time)
    with pytest.raises(CatalogueError, match="is a catalogue there"):
        rest.get("me")
    rest.close()


def test_an_endless_answer_is_cut(server: Scripted, time: Time) -> None:
    server.script = [(200, b" " * (MOST_ANSWER_BYTES + 1))]
    rest = client(server, time)
    with pytest.raises(CatalogueError, match="is longer than"):
        rest.get("me")
    rest.close()


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_what_is_no_address_is_a_sentence(time: Time, url: str) -> None:
    rest = CatalogueRest(url, retry_for_s=0.0, monotonic_s=time.monotonic_s, pause=time.pause)
    with pytest.raises(CatalogueUnreachable):
        rest.get("me")
    rest.close()
