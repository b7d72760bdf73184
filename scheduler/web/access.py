"""Who may change something: logins, sessions, and forms that come from our own pages."""

from __future__ import annotations

import hmac
import secrets
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from scheduler.web.text import harmless

COOKIE: Final = "stellwerk_session"
MAX_SESSIONS: Final = 100
MAX_FORM_BYTES: Final = 16 << 10
MOST_NAME: Final = 40


class Sessions:
    """Who has shown who they are, by a cookie that lives as long as this process.

    cookie  its name: a browser sends the cookies of one host to all ports
    """

    def __init__(self, cookie: str = COOKIE) -> None:
        self._cookie = cookie
        self._names: dict[str, str] = {}

    def begin(self, name: str, answer: Response) -> None:
        """Open a session in *answer*'s cookie."""
        session = secrets.token_urlsafe(24)
        self._names[session] = name
        while len(self._names) > MAX_SESSIONS:
            del self._names[next(iter(self._names))]
        answer.set_cookie(self._cookie, session, httponly=True, samesite="strict")

    def end(self, request: Request, answer: Response) -> None:
        """End the session."""
        self._names.pop(request.cookies.get(self._cookie, ""), None)
        answer.delete_cookie(self._cookie)

    def name(self, request: Request) -> str | None:
        """Whose session a request comes from; None outside one."""
        given = request.cookies.get(self._cookie, "").encode()
        known = (name for key, name in self._names.items() if hmac.compare_digest(given, key.encode()))
        return next(known, None)


class Access:
    """Sessions of those who gave the bench's token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._sessions = Sessions()

    def log_in(self, token: str, name: str, answer: Response) -> bool:
        """Open a session in *answer*'s cookie when the token is right. *name* is who stands in the record."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return False
        self._sessions.begin(harmless(name.strip(), MOST_NAME), answer)
        return True

    def log_out(self, request: Request, answer: Response) -> None:
        """End the session."""
        self._sessions.end(request, answer)

    def logged_in(self, request: Request) -> bool:
        """Whether the request comes from a session."""
        return self._sessions.name(request) is not None

    def name(self, request: Request) -> str:
        """Who asks, for the record."""
        told = self._sessions.name(request)
        return f"{told} (live page)" if told else "live page"

    def demand(self, request: Request) -> None:
        """Raises HTTPException 401 outside a session."""
        if not self.logged_in(request):
            raise HTTPException(401, "log in first: the token is what `stellwerk up` printed")


async def read_form(request: Request, most_bytes: int = MAX_FORM_BYTES) -> dict[str, str]:
    """A form from a page of ours. Raises HTTPException for what other origins send, and for long ones."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "requests from other origins are refused")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise HTTPException(413, "the form is too long")
    return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))


def local(path: str) -> str:
    """Where to go after a login: a page of ours, or the first one."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and len(path) < 500 else "/"
