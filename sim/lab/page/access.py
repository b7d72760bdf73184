"""Who may look at the page, and who may change something: no other site may do either in a visitor's name."""

from __future__ import annotations

import hmac
import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY: Final = 1 << 16


def demand_our_host(request: Request) -> None:
    """Refuse with 421 what was sent to another name: a foreign page that gave its own name our address."""
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if name != "localhost" and not _is_number(name):
        raise HTTPException(421, f"this is not {name!r}; use the address that `stellwerk up` prints")


def demand_the_token(request: Request, token: str) -> None:
    """Refuse with 401, 403 or 415 unless the request may change something."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "requests from other origins are refused")
    # A form of another site can send neither this type nor this header without being asked beforehand.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be JSON, and say so: `Content-Type: application/json`")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if (
        not token
        or scheme.lower() != "bearer"
        or not hmac.compare_digest(given.strip().encode(), token.encode())
    ):
        raise HTTPException(401, "this needs the token that `stellwerk up` prints")


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body. Refuses with 413, 400 or 422."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(422, "the body must be a JSON object")
    return value


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
