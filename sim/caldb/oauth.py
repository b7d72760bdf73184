"""The token endpoint: OAuth2 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sim.caldb.clients import Clients
from sim.caldb.tokens import Tokens, basic_credentials

TOKEN_PATH: Final = "/oauth/token"
CHECKS_AT_ONCE: Final = 2
"""Each check of a secret takes 16 MiB; a flood of wrong ones must not take them all at once."""


class TokenEndpoint:
    """Answers requests for tokens."""

    def __init__(self, tokens: Tokens, clients: Clients) -> None:
        self._tokens, self._clients = tokens, clients
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def answer(self, request: Request, body: bytes) -> Response:
        """A token, or an error as RFC 6749 (5.2) writes it."""
        try:
            form = parse_qs(body.decode(), max_num_fields=20)
        except ValueError:
            return _error(400, "invalid_request", "the body is no form")
        credentials = basic_credentials(request.headers.get("authorization", "")) or _in_form(form)
        if form.get("grant_type") != ["client_credentials"]:
            return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        if credentials is None:
            return _error(401, "invalid_client", "client id and secret are needed as HTTP Basic")
        async with self._checks:
            known = await asyncio.to_thread(self._clients.accepts, *credentials)
        if not known:
            return _error(401, "invalid_client", "the client is unknown or its secret is wrong")
        # No scope is named: clients refuse one that they did not ask for.
        return JSONResponse(self._tokens.issue(), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _in_form(form: dict[str, list[str]]) -> tuple[str, str] | None:
    client_id, secret = form.get("client_id", []), form.get("client_secret", [])
    return (client_id[0], secret[0]) if len(client_id) == len(secret) == 1 else None


def _error(status: int, error: str, description: str) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="catalogue"'
    return JSONResponse({"error": error, "error_description": description}, status, headers)
