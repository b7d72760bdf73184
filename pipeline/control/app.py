"""The control interface over HTTP: reading is open, every change needs the bearer token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any, Final, Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipeline.control.device import Registry
from pipeline.control.metrics import exposition, text_of
from pipeline.errors import NotInThisState, PipelineError, SettingRejected, UnknownName

MAX_BODY_BYTES: Final = 64 * 1024
PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
Scale = Literal["linear", "log"]


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


Picture = Callable[[Scale, bool], bytes | None]
"""The newest picture of a detector as PNG, on a scale, with or without a cross at the beam."""


def control_app(
    registry: Registry, token: str, preview: Picture | None = None, raw_preview: Picture | None = None
) -> Starlette:
    """The application for a registry; changes need `Authorization: Bearer TOKEN`.

    preview, raw_preview  give pictures of corrected and of raw trains
    """

    collectors = exposition(registry)

    async def every_device(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(registry.describe))

    async def one_device(request: Request) -> Response:
        device = registry[request.path_params["name"]]
        return JSONResponse(await run_in_threadpool(device.describe))

    async def change(request: Request) -> Response:
        _check_may_change(request, token)
        device = registry[request.path_params["name"]]
        return JSONResponse(await run_in_threadpool(device.change, await _json_object(request)))

    async def call(request: Request) -> Response:
        _check_may_change(request, token)
        device = registry[request.path_params["name"]]
        arguments = await _json_object(request)
        return JSONResponse(await run_in_threadpool(device.call, request.path_params["slot"], arguments))

    async def status(_: Request) -> Response:
        described = await run_in_threadpool(registry.describe)
        return JSONResponse({name: device["state"] for name, device in described.items()})

    async def schema(request: Request) -> Response:
        return JSONResponse(registry[request.path_params["name"]].schema())

    async def metrics(_: Request) -> Response:
        return Response(await run_in_threadpool(text_of, collectors), media_type=PROMETHEUS)

    async def picture(request: Request) -> Response:
        scale: Scale = "log" if request.query_params.get("scale") == "log" else "linear"
        cross = request.query_params.get("cross") in ("1", "true")
        raw = request.query_params.get("of") == "raw"
        source = raw_preview if raw else preview
        made = None if source is None else await run_in_threadpool(source, scale, cross)
        if made is None:
            what = "raw train, where raw trains are combined" if raw else "corrected train"
            raise _Refused(404, f"there is no picture yet; it is made of every n-th {what}")
        return Response(made, media_type="image/png", headers={"cache-control": "no-store"})

    return Starlette(
        routes=[
            Route("/devices", every_device),
            Route("/devices/{name}", one_device, methods=["GET"]),
            Route("/devices/{name}", change, methods=["PUT"]),
            Route("/devices/{name}/schema", schema, methods=["GET"]),
            Route("/devices/{name}/{slot}", call, methods=["POST"]),
            Route("/preview.png", picture),
            Route("/status", status),
            Route("/metrics", metrics),
        ],
        exception_handlers={_Refused: _answer_refusal, PipelineError: _answer_error},
    )


def _check_may_change(request: Request, token: str) -> None:
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
        raise _Refused(403, f"requests from pages of {origin} are refused")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise _Refused(
            401, "a change needs the header 'Authorization: Bearer TOKEN' with the token of this pipeline"
        )


async def _json_object(request: Request) -> dict[str, Any]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise _Refused(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect as error:
        raise _Refused(400, "the body ended early") from error
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise _Refused(422, "the body must be a JSON object")
    return value


async def _answer_refusal(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, _Refused) else 500
    return JSONResponse({"error": str(error)}, status_code=status)


async def _answer_error(_: Request, error: Exception) -> Response:
    match error:
        case UnknownName(kind="device"):
            status = 404
        case UnknownName(kind=kind) if kind.startswith("slot"):
            status = 404
        case NotInThisState():
            status = 409
        case SettingRejected() | UnknownName():
            status = 422
        case _:
            status = 500
    return JSONResponse({"error": str(error)}, status_code=status)
