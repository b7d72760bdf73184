"""Sessions of people who logged in, and a brake on guessing passwords. Both live in memory only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST_SESSIONS: Final = 1000
MOST_SUSPECTS: Final = 10_000
FREE_TRIES: Final = 5
"""Wrong passwords after which a name or an address has to wait."""
FIRST_WAIT_S: Final = 2.0
LONGEST_WAIT_S: Final = 300.0
FORGIVEN_AFTER_S: Final = 3600.0


@dataclass(slots=True)
class Session:
    """One login."""

    user: str
    password: str
    """The hash that was current at the login: another password ends the session."""
    began_s: float
    seen_s: float
    message: str = ""
    """To be shown on the next page, once."""


class Sessions:
    """Logins by the digest of their cookie, so that a look into memory shows no cookie that works."""

    def __init__(self, idle_s: float, longest_s: float, now: Callable[[], float]) -> None:
        self._idle_s, self._longest_s, self._now = idle_s, longest_s, now
        self._secret = secrets.token_bytes(32)
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, user: str, password: str) -> str:
        """Begin a session; returns the cookie's value."""
        cookie = secrets.token_urlsafe(32)
        now = self._now()
        self._sessions[_digest(cookie)] = Session(user, password, now, now)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie

    def open_nothing(self) -> str:
        """A cookie for a browser that is not logged in: the token of its login form belongs to it."""
        return secrets.token_urlsafe(32)

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, which is thereby in use; None when there is none or it has ended."""
        session = self._sessions.get(_digest(cookie))
        if session is None:
            return None
        now = self._now()
        if now - session.seen_s > self._idle_s or now - session.began_s > self._longest_s:
            self.close(cookie)
            return None
        session.seen_s = now
        return session

    def close(self, cookie: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(cookie), None)

    def form_token(self, cookie: str) -> str:
        """What a form of the browser with this cookie must carry: other sites cannot know it."""
        return hmac.new(self._secret, cookie.encode(), "sha256").hexdigest()

    def form_is_ours(self, cookie: str, token: str) -> bool:
        """Whether a form came from a page that was made for this cookie."""
        return bool(cookie) and hmac.compare_digest(self.form_token(cookie).encode(), token.encode())


class Brake:
    """After some wrong passwords a name, or an address, waits: 2 s, 4 s, … up to 5 minutes."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, *suspects: str) -> float:
        """How long the next try must wait; 0 when it may be made."""
        return max(self._wait_s(suspect) for suspect in suspects)

    def failed(self, *suspects: str) -> None:
        """Note a wrong password."""
        for suspect in suspects:
            tries, at = self._failed.pop(suspect, (0, 0.0))
            if self._now() - at > FORGIVEN_AFTER_S:
                tries = 0
            self._failed[suspect] = (tries + 1, self._now())
        while len(self._failed) > MOST_SUSPECTS:
            self._failed.popitem(last=False)

    def passed(self, *suspects: str) -> None:
        """Forget what was held against a name."""
        for suspect in suspects:
            self._failed.pop(suspect, None)

    def _wait_s(self, suspect: str) -> float:
        tries, at = self._failed.get(suspect, (0, 0.0))
        if tries < FREE_TRIES:
            return 0.0
        wait = min(FIRST_WAIT_S * 2.0 ** min(tries - FREE_TRIES, 20), LONGEST_WAIT_S)
        return max(0.0, at + wait - self._now())


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
