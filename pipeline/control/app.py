"""The control interface over HTTP: reading is open, every change needs the bearer token."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pipeline.control.device import Registry
from pipeline.errors import NotInThisState, PipelineError, SettingRejected, UnknownName

MAX_BODY_BYTES: Final = 64 * 1024


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


def control_app(registry: Registry, token: str) -> Starlette:
    """The application for a registry; changes need `Authorization: Bearer TOKEN`."""

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

    async def metrics(_: Request) -> Response:
        described = await run_in_threadpool(registry.describe)
        return PlainTextResponse("".join(prometheus_lines(described)))

    return Starlette(
        routes=[
            Route("/devices", every_device),
            Route("/devices/{name}", one_device, methods=["GET"]),
            Route("/devices/{name}", change, methods=["PUT"]),
            Route("/devices/{name}/{slot}", call, methods=["POST"]),
            Route("/status", status),
            Route("/metrics", metrics),
        ],
        exception_handlers={_Refused: _answer_refusal, PipelineError: _answer_error},
    )


def prometheus_lines(described: dict[str, Any]) -> Iterator[str]:
    """All whole numbers among the properties as Prometheus text; what lies inside an object becomes a label."""
    for name, device in described.items():
        for key, value in device["properties"].items():
            metric = f"stellwerk_{name}_{key}"
            if isinstance(value, bool | int | float):
                yield f"{metric} {_number(value)}\n"
            elif isinstance(value, dict):
                for label, part in _leaves(value):
                    yield f'{metric}{{of="{label}"}} {_number(part)}\n'


def _leaves(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool | int | float]]:
    for key, part in value.items():
        where = f"{path}{key}".replace("\\", "").replace('"', "").replace("\n", "")
        if isinstance(part, dict):
            yield from _leaves(part, f"{where}.")
        elif isinstance(part, bool | int | float):
            yield where, part


def _number(value: bool | int | float) -> str:
    return str(int(value)) if isinstance(value, bool) else repr(value)


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
