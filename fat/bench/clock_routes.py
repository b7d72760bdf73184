"""The clock over HTTP and WebSocket (docs/architecture.md, The clock)."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fat.bench.access import Access, read_json
from fat.bench.clock import BenchClock, Participant, Wait
from fat.errors import UsageError


def clock_routes(clock: BenchClock, epoch_unix_ns: int, access: Access) -> list[Route | WebSocketRoute]:
    """Routes below `/clock`."""

    async def tell(_: Request) -> Response:
        return JSONResponse(
            {
                "mode": clock.mode,
                "epoch_unix_ns": epoch_unix_ns,
                "now_ns": clock.now,
                "speed": clock.speed,
                "participants": clock.participants(),
            }
        )

    async def advance(request: Request) -> Response:
        access.demand(request)
        body = await read_json(request)
        by_ns = body.get("by_ns")
        if not isinstance(by_ns, int) or isinstance(by_ns, bool):
            return JSONResponse({"error": "by_ns must be an integer of nanoseconds"}, 422)
        try:
            return JSONResponse({"now_ns": await clock.advance(by_ns)})
        except UsageError as error:
            return JSONResponse({"error": str(error)}, 409)

    async def participate(socket: WebSocket) -> None:
        if not access.local_origin(socket.headers.get("origin")):
            await socket.close(code=1008, reason="requests from other origins are refused")
            return
        await socket.accept()
        participant = clock.join(socket.query_params.get("name", "someone"))
        try:
            while True:
                await _serve(clock, participant, socket, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            pass  # RuntimeError: the socket closed while an answer was on its way
        except (ValueError, KeyError, TypeError, UsageError) as error:
            await socket.close(code=1003, reason=f"not a clock message: {error}"[:100])
        finally:
            clock.leave(participant)

    return [
        Route("/clock", tell, methods=["GET"]),
        Route("/clock/advance", advance, methods=["POST"]),
        WebSocketRoute("/clock/participate", participate),
    ]


def _anchor(clock: BenchClock, now: int) -> dict[str, int | str]:
    """What spares participants further questions: in wall mode what the machine's monotonic clock showed at *now*.

    Where others move time, the memory that shows it.
    """
    zero_ns = clock.wall_zero_ns
    if zero_ns is not None:
        return {"at_monotonic_ns": zero_ns + now}
    return {} if clock.shown_at is None else {"shown_at": clock.shown_at}


async def _serve(
    clock: BenchClock, participant: Participant, socket: WebSocket, message: dict[str, Any]
) -> None:
    number = int(message["id"])

    async def answer(now: int) -> None:
        # A participant that has gone is noticed by its receive loop, which leaves the clock.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_text(json.dumps({"id": number, "now": now, **_anchor(clock, now)}))

    if "wait" in message:
        until = message["wait"]
        clock.wait(participant, Wait(number, None if until is None else int(until), answer))
    elif "cancel" in message:
        await clock.cancel(participant, int(message["cancel"]))
    elif "now" in message:
        await answer(clock.now)
    else:
        raise ValueError("it has none of wait, cancel, now")
