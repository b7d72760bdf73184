"""The door of the back office: login, logout, and whether a request may do what it asks."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sim.caldb.office.config import OfficeTable, Role
from sim.caldb.office.passwords import LONGEST
from sim.caldb.office.sessions import Brake, Session, Sessions
from sim.caldb.office.users import User, Users

COOKIE: Final = "caldb_office"
LOGIN_COOKIE: Final = "caldb_login"
LOGIN_S: Final = 600
"""How long a login page may lie open."""
MAX_FORM_BYTES: Final = 32_768
HASHES_AT_ONCE: Final = 2
"""Each takes 32 MiB and a core."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in."""

    name: str
    role: Role
    token: str
    """What forms carry."""
    session: Session

    @property
    def may_edit(self) -> bool:
        """Whether changes are allowed."""
        return self.role == "edit"

    def message(self) -> str:
        """What the last request left to be said; once."""
        text, self.session.message = self.session.message, ""
        return text


class Refused(Exception):
    """A login that failed, with a sentence for the page."""

    def __init__(self, sentence: str, status: int, wait_s: float = 0.0) -> None:
        self.sentence, self.status, self.wait_s = sentence, status, wait_s
        super().__init__(sentence)


class Door:
    """Knows who is logged in."""

    def __init__(self, table: OfficeTable, users: Users, now: Callable[[], float] = time.monotonic) -> None:
        self.users = users
        self.sessions = Sessions(table.session_idle_s, table.session_longest_s, now)
        self._longest_s = table.session_longest_s
        self._brake = Brake(now)
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    def visitor(self, request: Request, engine: Engine) -> Visitor | None:
        """Who sends a request. A user whose password was changed, or who was removed, is logged out by that."""
        cookie = request.cookies.get(_name(COOKIE, request), "")
        session = self.sessions.find(cookie)
        if session is None:
            return None
        with engine.connect() as db:
            user = self.users.find(db, session.user)
        if user is None or user.password != session.password:
            self.sessions.close(cookie)
            return None
        return Visitor(user.name, user.role, self.sessions.form_token(cookie), session)

    def login_token(self, request: Request) -> tuple[str, str]:
        """A cookie for a browser that is not logged in, and the token of its login form."""
        cookie = request.cookies.get(_name(LOGIN_COOKIE, request), "")
        if not 40 <= len(cookie) <= 60:
            cookie = self.sessions.open_nothing()
        return cookie, self.sessions.form_token(cookie)

    async def log_in(self, request: Request, engine: Engine, form: dict[str, str]) -> str:
        """The new session's cookie. Raises Refused."""
        cookie = request.cookies.get(_name(LOGIN_COOKIE, request), "")
        if not self.sessions.form_is_ours(cookie, form.get("token", "")):
            raise Refused("This login page was too old, or not from here. Please try again.", 403)
        name, password = form.get("name", "")[:100].strip(), form.get("password", "")
        suspects = (f"name {name}", f"host {request.client.host if request.client else ''}")
        if (wait_s := self._brake.wait_s(*suspects)) > 0:
            seconds = math.ceil(wait_s)
            raise Refused(f"Too many wrong passwords. Try again in {seconds} s.", 429, seconds)
        user = await self._checked(engine, name, password)
        if user is None:
            self._brake.failed(*suspects)
            raise Refused("This name and password do not belong together.", 403)
        self._brake.passed(suspects[0])
        return self.sessions.open(user.name, user.password)

    def log_out(self, request: Request) -> None:
        """End the session of a request."""
        self.sessions.close(request.cookies.get(_name(COOKIE, request), ""))

    async def _checked(self, engine: Engine, name: str, password: str) -> User | None:
        def check() -> User | None:
            with engine.connect() as db:
                user = self.users.find(db, name)
            return user if self.users.check(user, password[: LONGEST + 1]) else None

        async with self._hashing:
            return await asyncio.to_thread(check)

    def give(self, answer: Response, request: Request, cookie: str) -> None:
        """Let a browser keep its session; the cookie of the login page has done its work."""
        _set(answer, request, COOKIE, cookie, self._longest_s)
        self.take(answer, request, LOGIN_COOKIE)

    def give_login(self, answer: Response, request: Request, cookie: str) -> None:
        """Let a browser keep what its login form must match."""
        _set(answer, request, LOGIN_COOKIE, cookie, LOGIN_S)

    def take(self, answer: Response, request: Request, cookie: str = COOKIE) -> None:
        """Make a browser forget a cookie."""
        answer.delete_cookie(_name(cookie, request), httponly=True, samesite="strict")


def _set(answer: Response, request: Request, cookie: str, value: str, age_s: int) -> None:
    answer.set_cookie(
        _name(cookie, request),
        value,
        max_age=age_s,
        httponly=True,
        samesite="strict",
        # On loopback there is no TLS; behind a proxy that has it, the cookie stays inside.
        secure=request.url.scheme == "https",
    )


def _name(cookie: str, request: Request) -> str:
    # Browsers send cookies to every port of a host: without the port, two benches would log each other out.
    return f"{cookie}_{request.url.port or 0}"


async def read_form(request: Request) -> dict[str, str]:
    """A short form. Raises HTTPException for a long one, and for what other origins send."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "requests from other origins are refused")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, "the form is too long")
    try:
        pairs = parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise HTTPException(400, "this is no form") from None
    return dict(pairs)


def inner_address(text: str) -> str:
    """An address on these pages to go on to, or the first page: never another site."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if plain and len(text) < 2000 else "/versions"
