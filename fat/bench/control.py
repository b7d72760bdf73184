"""The control API of a bench: status, faults, stop, and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fat.bench.access import Access, read_json
from fat.bench.clock import BenchClock
from fat.bench.clock_routes import clock_routes
from fat.errors import BenchError

if TYPE_CHECKING:
    from fat.bench.bench import Bench


def control_app(bench: Bench, clock: BenchClock, epoch_unix_ns: int, access: Access) -> Starlette:
    """Reads are open on loopback; changes need the token."""

    async def status(_: Request) -> Response:
        return JSONResponse(await bench.status())

    async def endpoints(_: Request) -> Response:
        return JSONResponse(bench.endpoints)

    async def faults(request: Request) -> Response:
        access.demand(request)
        body = await read_json(request)
        try:
            return JSONResponse(await bench.switch_fault(body))
        except BenchError as error:
            return JSONResponse({"error": str(error)}, 422)

    async def stop(request: Request) -> Response:
        access.demand(request)
        bench.stop_requested.set()
        return JSONResponse({"stopping": True}, 202)

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code)

    handlers: dict[Any, Any] = {HTTPException: refuse}
    return Starlette(
        routes=[
            Route("/", status, methods=["GET"]),
            Route("/status", status, methods=["GET"]),
            Route("/endpoints", endpoints, methods=["GET"]),
            Route("/faults", faults, methods=["POST"]),
            Route("/stop", stop, methods=["POST"]),
            *clock_routes(clock, epoch_unix_ns, access),
        ],
        exception_handlers=handlers,
    )
