"""Faults of requests: what can be wrong with an answer, beyond its content."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sim.dectris.api.call import path_of
from sim.kernel import FaultBoard, FaultSpec
from sim.kernel.faults import ActiveFault

_PATH: Final = {"path": ""}
"""A part of the path of the requests that are struck; empty: all."""

FAULTS: Final = (
    FaultSpec(
        "http_error",
        "A request is answered with an error.",
        "CommandRefused at the client",
        {"status": 503, **_PATH},
    ),
    FaultSpec(
        "slow_http",
        "A request is answered late.",
        "ControlUnitUnreachable at the client",
        {"delay_s": 10.0, **_PATH},
    ),
    FaultSpec(
        "hang_http",
        "A request is taken and never answered.",
        "ControlUnitUnreachable at the client, after its time-out",
        _PATH,
    ),
    FaultSpec(
        "close_http",
        "The connection is cut off in place of an answer.",
        "ControlUnitUnreachable at the client",
        _PATH,
    ),
    FaultSpec(
        "garbage_http",
        "An answer that calls itself JSON is none.",
        "ControlUnitError at the client",
        _PATH,
    ),
    FaultSpec(
        "wrong_type_http",
        "A value is a list of nothing, whatever its value_type says.",
        "ControlUnitError at the client",
        _PATH,
    ),
)


def strike(board: FaultBoard, name: str, path: str) -> ActiveFault | None:
    """The fault if it is on and meant for this path; counted."""
    if not board.is_on(name) or str(board.active()[name].get("path", "")) not in path:
        return None
    return board.strike(name)


def error(board: FaultBoard, request: Request) -> Response | None:
    """The answer of `http_error` or `garbage_http`, if one of them strikes."""
    struck = strike(board, "http_error", path_of(request))
    if struck is not None:
        return PlainTextResponse("internal error (a fault that is switched on)", struck.parameters["status"])
    if strike(board, "garbage_http", path_of(request)) is not None:
        return Response(b'{"value": \xff\x00 nothing', media_type="application/json")
    return None


def answered(board: FaultBoard, request: Request, answer: Any) -> Response:
    """The JSON answer, or what `wrong_type_http` makes of it."""
    with_value = isinstance(answer, dict) and "value" in answer
    if with_value and strike(board, "wrong_type_http", path_of(request)) is not None:
        answer = {**answer, "value": [[]]}
    return JSONResponse(answer)
