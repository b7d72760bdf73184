"""The catalogue over HTTP: routing, tokens, faults, and errors as clients expect them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sim.caldb.calls import BodyMalformed, Call, Operation, read_body
from sim.caldb.clients import Clients
from sim.caldb.fields import LARGEST, Invalid, NotFound
from sim.caldb.oauth import TOKEN_PATH, TokenEndpoint
from sim.caldb.office.audit import acting, rest_client
from sim.caldb.openapi import describe
from sim.caldb.operations import OPERATIONS
from sim.caldb.tokens import Tokens, bearer
from sim.kernel import FaultBoard
from sim.kernel.clock import SimClock

MOST_BODY_BYTES: Final = 1 << 20
BODY_TIMEOUT_S: Final = 10.0
NS_PER_MS: Final = 1_000_000
NOT_FOUND: Final = "Resource not found!"
DESCRIPTION_PATH: Final = "/api/openapi.json"

Answering = Callable[[Request], Awaitable[Response]]


class _RowId(IntegerConvertor):
    """Ids of rows: the catalogue's own test rows have negative ones."""

    regex = "-?[0-9]{1,40}"

    def to_string(self, value: int) -> str:
        """As it stands in a path."""
        return str(value)


class CatalogueApi:
    """Answers the catalogue's requests from one database.

    The clock dates what is created; tokens run out by wall time. Requests are answered one after the other on the
    event loop, each in one transaction: the database is local, and an answer takes milliseconds.
    """

    def __init__(
        self, clock: SimClock, faults: FaultBoard, tokens: Tokens, clients: Clients, *, require_token: bool
    ) -> None:
        self._clock, self._faults, self._tokens = clock, faults, tokens
        self._require_token = require_token
        self._token_endpoint = TokenEndpoint(tokens, clients)
        self._description = describe(OPERATIONS, require_token=require_token)
        self.engine: Engine | None = None
        """The open database; None while the server is down."""
        register_url_convertor("row_id", _RowId())
        inside = Starlette(routes=self._routes(), exception_handlers={HTTPException: _show_http_error})
        self.app: ASGIApp = _plain_slashes(self._guarded(inside))

    def _routes(self) -> list[Route]:
        """One route for each path: a method that it lacks is answered with 405 and all that it has."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in OPERATIONS:
            by_path.setdefault(operation.path, {}).setdefault(operation.method, operation)
        return [
            Route(TOKEN_PATH, self._issue_token, methods=["POST"]),
            Route(DESCRIPTION_PATH, self._describe, methods=["GET"]),
            *(
                Route(f"/api{path}", self._endpoint(known), methods=list(known))
                for path, known in by_path.items()
            ),
        ]

    def _endpoint(self, operations: dict[str, Operation]) -> Answering:
        async def answer(request: Request) -> Response:
            try:
                body = read_body(await _bounded_body(request))
            except BodyMalformed as error:
                return _info(400, str(error))
            now_ms = self._clock.unix_ns(await self._clock.read()) // NS_PER_MS
            method = "GET" if request.method == "HEAD" else request.method
            return self._handle(operations[method], request, body, now_ms)

        return answer

    def _handle(self, operation: Operation, request: Request, body: Any, now_ms: int) -> Response:
        if self.engine is None or any(abs(value) > LARGEST for value in request.path_params.values()):
            return _info(404, NOT_FOUND)
        base, email = str(request.base_url).rstrip("/"), request.headers.get("x-user-email", "")
        try:
            client = rest_client(request.headers, request.client.host if request.client else "unknown")
            with acting(client, now_ms), self.engine.begin() as db:
                call = Call(db, now_ms, base, email, request.path_params, request.query_params, body)
                answer = operation.handler(call)
        except NotFound:
            return _info(404, NOT_FOUND)
        except Invalid as error:
            return _info(422, error.info)
        if answer.status == 204:
            return Response(status_code=204)
        return JSONResponse(answer.content, answer.status, dict(answer.headers))

    def _guarded(self, inside: ASGIApp) -> ASGIApp:
        """Faults and tokens come before everything else, so that no path can be forgotten."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            request = Request(scope, receive)
            refusal = await self._struck()
            if refusal is None and scope["path"] != TOKEN_PATH:
                refusal = self._unauthorised(request)
            await (refusal or inside)(scope, receive, send)

        return call

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
                return _challenge("a bearer token is needed; get one from oauth/token", "")
            return None
        if self._faults.strike("forget_token"):
            self._tokens.forget(token)
        if not self._tokens.accepts(token):
            sentence = "the token is unknown or has run out; get a new one from oauth/token"
            return _challenge(sentence, ' error="invalid_token"')
        return None

    async def _issue_token(self, request: Request) -> Response:
        return await self._token_endpoint.answer(request, await _bounded_body(request))

    async def _describe(self, _request: Request) -> Response:
        return JSONResponse(self._description)


async def _bounded_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BODY_BYTES:
                    raise HTTPException(413, f"the body is longer than {MOST_BODY_BYTES} bytes", _CLOSE)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_TIMEOUT_S:g} s", _CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended early", _CLOSE) from None
    return bytes(body)


_CLOSE: Final = {"Connection": "close"}
"""What is left of such a body is not read."""


def _info(status: int, info: object, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"info": info}, status, headers)


def _challenge(sentence: str, parameters: str) -> Response:
    return _info(
        401, sentence, {"WWW-Authenticate": f'Bearer realm="catalogue"{parameters and ","}{parameters}'}
    )


async def _show_http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return _info(500, "the catalogue failed on this request")
    headers = dict(error.headers or {})
    return _info(error.status_code, NOT_FOUND if error.status_code == 404 else error.detail, headers)


def _plain_slashes(app: ASGIApp) -> ASGIApp:
    """Route `a//b/` as `a/b`: clients write all of these."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub(r"/{2,}", "/", scope["path"]).rstrip("/") or "/"
            scope = {**scope, "path": path, "raw_path": path.encode(errors="replace")}
        await app(scope, receive, send)

    return call
