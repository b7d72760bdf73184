"""One request as the modules see it, and what is read from its body."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from sim.dectris.refusal import Refused, unknown

MAX_BODY: Final = 1 << 20
"""Bytes of a body that is no array."""
BODY_TIMEOUT_S: Final = 60.0
TASKS: Final = ("config", "status", "command", "keys", "images", "files", "version")


def path_of(request: Request) -> str:
    """The path, decoded. Starlette's `request.url` costs more than the rest of a short request."""
    path = request.scope["path"]
    assert isinstance(path, str)
    return path


@dataclass(slots=True)
class Call:
    """A request with its address taken apart; `remarks` collects what a real unit's owner should know."""

    request: Request
    module: str
    version: str
    task: str
    key: str
    remarks: list[str] = field(default_factory=list)
    shape: str = "empty"
    """What the body looked like, in a few words."""

    @property
    def path(self) -> str:
        """As the client wrote it, without the slashes at both ends."""
        return path_of(self.request).strip("/")

    def accepts(self, *types: str) -> bool:
        """Whether the client asks for one of these media types."""
        accepted = self.request.headers.get("accept", "")
        return any(name in accepted for name in types)

    async def fields(self, *, limit: int = MAX_BODY) -> dict[str, Any] | None:
        """The body as a JSON object; None where it is empty. Raises Refused."""
        body = await read_body(self.request, limit)
        if not body.strip():
            return None
        self._judge_type()
        try:
            fields = await decoded(body)
        except (ValueError, RecursionError):
            self.shape = f"{len(body)} bytes, no JSON"
            raise Refused(400, f"the body of {self.path} is not JSON") from None
        self.shape = shape_of(fields)
        if not isinstance(fields, dict):
            raise Refused(400, f"the body of {self.path} must be a JSON object")
        return fields

    async def value(self, *, limit: int = MAX_BODY) -> object:
        """What stands under "value". Raises Refused where there is no such thing."""
        fields = await self.fields(limit=limit)
        if fields is None or "value" not in fields:
            raise Refused(400, f'the body of {self.path} has no "value"')
        if len(fields) > 1:
            self.remarks.append("the body has more than a value")
        return fields["value"]

    def _judge_type(self) -> None:
        told = self.request.headers.get("content-type", "")
        if "json" not in told:
            self.remarks.append(f"JSON sent as Content-Type {told[:60] or '(none)'}")


def split(request: Request) -> Call:
    """The request's address taken apart; what is not there is empty. Raises Refused (404)."""
    path = path_of(request).strip("/")
    parts = path.split("/", 4)
    if len(parts) < 3 or parts[1] != "api":
        raise unknown(path or "/")
    module, _, version, task, key = [*parts, "", ""][:5]
    return Call(request, module, version, task, key)


async def read_body(request: Request, limit: int) -> bytes:
    """The request's body. Raises Refused: 413 before more than *limit* is held, 408 when it does not come."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and len(told) < 20 and int(told) > limit:
        raise Refused(413, f"the body is longer than {limit} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Refused(413, f"the body is longer than {limit} bytes")
    except TimeoutError:
        raise Refused(408, f"the body did not come within {BODY_TIMEOUT_S} s") from None
    except ClientDisconnect:
        raise Refused(400, "the client went away before its body came") from None
    return bytes(body)


async def decoded(body: bytes) -> Any:
    """JSON; a large one in a thread, so that others are answered meanwhile. Raises ValueError, RecursionError."""
    if len(body) <= MAX_BODY:
        return json.loads(body)
    return await asyncio.to_thread(json.loads, body)


def shape_of(value: object, depth: int = 0) -> str:
    """A JSON value in a few words: `{value: float}`."""
    if isinstance(value, dict):
        if "__darray__" in value:
            return f"array {str(value.get('type'))[:8]} {str(value.get('shape'))[:20]}"
        if depth > 1:
            return "object"
        shown = [f"{str(key)[:24]}: {shape_of(value[key], depth + 1)}" for key in list(value)[:4]]
        return "{" + ", ".join([*shown, *(["…"] if len(value) > 4 else [])]) + "}"
    names = {bool: "bool", int: "int", float: "float", str: "string", list: "list"}
    return names.get(type(value), "null")
