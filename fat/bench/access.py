"""Who may change something: bearers of the bench's token, from this machine's own pages only."""

from __future__ import annotations

import hmac
import json
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY: Final = 1 << 20
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Access:
    """Decides on requests by token and origin."""

    def __init__(self, token: str) -> None:
        self.token = token

    def local_origin(self, origin: str | None) -> bool:
        """Whether a request comes from no page at all, or from a page of this machine."""
        return origin is None or urlsplit(origin).hostname in LOCAL_HOSTS

    def demand(self, request: Request) -> None:
        """Refuse with 401 or 403 unless the request may change something."""
        if not self.local_origin(request.headers.get("origin")):
            raise HTTPException(403, "requests from other origins are refused")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPException(
                401, "this needs `Authorization: Bearer TOKEN`; `stellwerk up` prints the token"
            )


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body; {} for an empty one. Refuses with 413, 400 or 422."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise HTTPException(422, "the body must be a JSON object")
    return value
