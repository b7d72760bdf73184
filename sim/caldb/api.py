"""The catalogue over HTTP: routing, tokens, faults, and errors as clients expect them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sim.caldb.calls import BodyMalformed, Call, Handler, read_body
from sim.caldb.fields import LARGEST, Invalid, NotFound
from sim.caldb.office.audit import acting, rest_client
from sim.caldb.routes import ROUTES
from sim.caldb.tokens import Tokens, basic_credentials, bearer
from sim.kernel import FaultBoard
from sim.kernel.clock import SimClock

MOST_BODY_BYTES = 1 << 20
NS_PER_MS = 1_000_000
NOT_FOUND = "Resource not found!"


class CatalogueApi:
    """Answers the catalogue's requests from one database.

    The clock dates what is created; tokens run out by wall time. Requests are answered one after the other on the
    event loop, each in one transaction: the database is local, and an answer takes milliseconds.
    """

    def __init__(self, clock: SimClock, faults: FaultBoard, tokens: Tokens, *, require_token: bool) -> None:
        self._clock, self._faults, self._tokens = clock, faults, tokens
        self._require_token = require_token
        self.engine: Engine | None = None
        """The open database; None while the server is down."""
        routes = [Route("/oauth/token", self._issue_token, methods=["POST"])]
        for method, path, handler in ROUTES:
            routes.append(Route(f"/api{path}", self._endpoint(handler), methods=[method]))
        self.app: ASGIApp = _plain_slashes(
            Starlette(routes=routes, exception_handlers={HTTPException: _show_http_error})
        )

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            refusal = await self._struck() or self._unauthorised(request)
            if refusal is not None:
                return refusal
            try:
                body = read_body(await _bounded_body(request))
            except BodyMalformed as error:
                return _info(400, str(error))
            now_ms = self._clock.unix_ns(await self._clock.read()) // NS_PER_MS
            return self._handle(handler, request, body, now_ms)

        return answer

    def _handle(self, handler: Handler, request: Request, body: Any, now_ms: int) -> Response:
        if self.engine is None or any(value > LARGEST for value in request.path_params.values()):
            return _info(404, NOT_FOUND)
        base = str(request.base_url).rstrip("/")
        try:
            client = rest_client(request.headers, request.client.host if request.client else "unknown")
            with acting(client, now_ms), self.engine.begin() as db:
                answer = handler(Call(db, now_ms, base, request.path_params, request.query_params, body))
        except NotFound:
            return _info(404, NOT_FOUND)
        except Invalid as error:
            return _info(422, error.info)
        if answer.status == 204:
            return Response(status_code=204)
        return JSONResponse(answer.content, answer.status, dict(answer.headers))

    async def _struck(self) -> Response | None:
        """What a fault that strikes now answers; a slow answer only takes its time."""
        if slow := self._faults.strike("slow_answer"):
            await asyncio.sleep(slow.parameters["seconds"])
        if self._faults.strike("refuse"):
            return _info(503, "the catalogue is down for maintenance; try again later")
        if self._faults.strike("server_error"):
            return _info(500, "the catalogue failed on this request")
        return None

    def _unauthorised(self, request: Request) -> Response | None:
        token = bearer(request.headers.get("authorization", ""))
        if token is None:
            if self._require_token:
                return _info(401, "a bearer token is needed; get one from oauth/token")
            return None
        if self._faults.strike("forget_token"):
            self._tokens.forget(token)
        if not self._tokens.accepts(token):
            return _info(401, "the token is unknown or has run out; get a new one from oauth/token")
        return None

    async def _issue_token(self, request: Request) -> Response:
        refusal = await self._struck()
        if refusal is not None:
            return refusal
        try:
            form = parse_qs((await _bounded_body(request)).decode(), max_num_fields=20)
        except ValueError:
            return _oauth_error(400, "invalid_request", "the body is no form")
        if form.get("grant_type") != ["client_credentials"]:
            return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials")
        if basic_credentials(request.headers.get("authorization", "")) is None:
            return _oauth_error(401, "invalid_client", "client id and secret are needed as HTTP Basic")
        return JSONResponse(self._tokens.issue())


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            raise HTTPException(413, f"the body is longer than {MOST_BODY_BYTES} bytes")
    return bytes(body)


def _info(status: int, info: object) -> Response:
    return JSONResponse({"info": info}, status)


def _oauth_error(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)


async def _show_http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    return _info(status, NOT_FOUND if status == 404 else detail)


def _plain_slashes(app: ASGIApp) -> ASGIApp:
    """Route `a//b/` as `a/b`: clients write all of these."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub(r"/{2,}", "/", scope["path"]).rstrip("/") or "/"
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return call
