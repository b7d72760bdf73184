"""Bearer tokens: issued, checked, forgotten."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable

MOST_TOKENS = 1000
"""Older tokens beyond this are forgotten."""


class Tokens:
    """Tokens that were issued. They run out by wall time, because clients count `expires_in` themselves."""

    def __init__(self, lifetime_s: int, wall_time: Callable[[], float]) -> None:
        self._lifetime_s, self._wall_time = lifetime_s, wall_time
        self._expires: dict[str, float] = {}

    def issue(self) -> dict[str, object]:
        """A new token as `oauth/token` answers it. It names no scope: clients refuse one they did not ask for."""
        now = self._wall_time()
        token = secrets.token_hex(32)
        self._expires[token] = now + self._lifetime_s
        while len(self._expires) > MOST_TOKENS:
            del self._expires[next(iter(self._expires))]
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self._lifetime_s,
            "created_at": int(now),
        }

    def forget(self, token: str) -> None:
        """Treat a token as unknown from now on."""
        self._expires.pop(token, None)

    def accepts(self, token: str) -> bool:
        """Whether the token was issued and has not run out."""
        return self._expires.get(token, 0.0) > self._wall_time()


def bearer(header: str) -> str | None:
    """The token of an Authorization header, or None when it carries none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Client id and secret of an HTTP Basic header, or None when it carries none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (client_id, secret) if colon and client_id and secret else None
