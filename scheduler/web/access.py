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


class Access:
    """Sessions of those who gave the bench's token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._sessions: dict[str, str] = {}

    def log_in(self, token: str, name: str, answer: Response) -> bool:
        """Open a session in *answer*'s cookie when the token is right. *name* is who stands in the record."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return False
        session = secrets.token_urlsafe(24)
        self._sessions[session] = harmless(name.strip(), MOST_NAME)
        while len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
        return True

    def log_out(self, request: Request, answer: Response) -> None:
        """End the session."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)
        answer.delete_cookie(COOKIE)

    def logged_in(self, request: Request) -> bool:
        """Whether the request comes from a session."""
        return self._session(request) is not None

    def name(self, request: Request) -> str:
        """Who asks, for the record."""
        told = self._sessions.get(self._session(request) or "")
        return f"{told} (live page)" if told else "live page"

    def demand(self, request: Request) -> None:
        """Raises HTTPException 401 outside a session."""
        if not self.logged_in(request):
            raise HTTPException(401, "log in first: the token is what `stellwerk up` printed")

    def _session(self, request: Request) -> str | None:
        given = request.cookies.get(COOKIE, "").encode()
        return next((known for known in self._sessions if hmac.compare_digest(given, known.encode())), None)


async def read_form(request: Request) -> dict[str, str]:
    """A short form from a page of ours. Raises HTTPException for what other origins send, and for long ones."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "requests from other origins are refused")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(413, "the form is too long")
    return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))


def local(path: str) -> str:
    """Where to go after a login: a page of ours, or the first one."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and len(path) < 500 else "/"
