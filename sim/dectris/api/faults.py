"""Faults of requests: what can be wrong with an answer, beyond its content."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from sim.dectris.api.call import path_of
from sim.kernel import FaultBoard
from sim.kernel.faults import ActiveFault


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
