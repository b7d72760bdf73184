"""An SMTP server and an HTTP server of a few lines, on free ports, that do as a test tells them."""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest


@dataclass
class PostOffice:
    """Takes letters. `answers` holds what it says instead of yes, by command, each once or for ever."""

    letters: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    port: int = 0

    def answer(self, command: str, usual: str) -> str:
        waiting = self.answers.get(command, [])
        return waiting.pop(0) if waiting else usual


@pytest.fixture
def post_office() -> Callable[[], AbstractContextManager[PostOffice]]:
    return _post_office


@pytest.fixture
def hook() -> Callable[..., AbstractContextManager[Hook]]:
    return _hook


@contextmanager
def _post_office() -> Iterator[PostOffice]:
    office = PostOffice()

    class Clerk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say(office.answer("CONNECT", "220 here"))
            for line in self.rfile:
                command = line.decode().split(" ")[0].strip().upper().split(":")[0]
                if command == "DATA":
                    self.say("354 go on")
                    letter = b"".join(iter(self.rfile.readline, b".\r\n"))
                    said = office.answer("DATA", "250 taken")
                    if said.startswith("250"):
                        read: Any = email.message_from_bytes(letter, policy=email.policy.default)
                        office.letters.append(read)
                    self.say(said)
                elif command == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    key = line.decode().split(":<")[-1].split(">")[0] if command == "RCPT" else command
                    self.say(office.answer(key, "250 yes"))

        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Clerk) as server:
        office.port = server.server_address[1]
        yield from _served(server, office)


@dataclass
class Hook:
    """Takes POSTs of JSON. `answers` holds (status, headers) to give instead of 200, each once."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    url: str = ""


@contextmanager
def _hook(port: int = 0) -> Iterator[Hook]:
    found = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.keys.append(self.headers["Idempotency-Key"])
            status, headers = found.answers.pop(0) if found.answers else (200, {})
            if status == 200:
                found.bodies.append(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        yield from _served(server, found)


def _served(server: socketserver.BaseServer, found: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
