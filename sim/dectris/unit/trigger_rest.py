"""The trigger input over REST: `/triggers` beside the SIMPLON interface, for who has no line socket at hand.

`POST /triggers {"count": 100, "rate_hz": 1e5, "width_s": 0}` (all optional) makes pulses from now on and answers
`{"pulses": 100}`; `GET /triggers` answers the counters. No hardware has this path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sim.dectris.unit.pulses import PulsesRefused
from sim.dectris.unit.trigger_line import Pull, checked

PATH: Final = "/triggers"
MAX_BODY: Final = 1024


class _Wanted(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    count: int = 1
    rate_hz: float = 0.0
    width_s: float = 0.0


class TriggerRest:
    """Answers `/triggers`, and passes everything else on."""

    def __init__(self, app: ASGIApp, pull: Pull, counters: Callable[[], Mapping[str, int]]) -> None:
        self._app, self._pull, self._counters = app, pull, counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self._app(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(dict(self._counters()))
        if request.method != "POST":
            return PlainTextResponse(f"{request.method} is not possible on {PATH}", 405)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return PlainTextResponse(f"the body is longer than {MAX_BODY} bytes", 413)
        try:
            fields = _Wanted.model_validate_json(body or b"{}")
            wanted = checked(fields.count, fields.rate_hz, fields.width_s)
            await self._pull(wanted)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the body"
            return PlainTextResponse(f"{where}: {first['msg']}", 400)
        except PulsesRefused as refused:
            return PlainTextResponse(str(refused), 409)
        return JSONResponse({"pulses": wanted.count})
