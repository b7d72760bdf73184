"""The address `agipd.control`: a stand-in of ours for the detector's control system (docs/architecture.md, Trains)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sim.kernel.device import Problem, Server
from sim.kernel.time import SimTime
from sim.xtdf.config import DsscTable
from sim.xtdf.device import Detector, NotWhileAcquiring
from sim.xtdf.illumination import Illumination
from sim.xtdf.module import GainMode

MAX_BODY_BYTES: Final = 4096
MAX_TRAINS: Final = 1_000_000


class Clock(Protocol):
    """What control needs of time."""

    async def read(self) -> SimTime:
        """The time now."""
        ...


class Settings(BaseModel):
    """Body of `PUT /`; what is left out stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    gain_mode: GainMode | None = None
    illumination: Illumination | None = None
    transmission: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of an attenuator in the light."""


class Order(BaseModel):
    """Body of `POST /start`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    trains: Annotated[int, Field(ge=1, le=MAX_TRAINS)]


class BodyTooLong(Exception):
    """A request body beyond MAX_BODY_BYTES."""


def refused(status: int, sentence: str) -> JSONResponse:
    """An answer that says why not."""
    return JSONResponse({"error": sentence}, status)


async def bounded_body(request: Request) -> bytes:
    """The body, read only as far as it may go. Raises BodyTooLong."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLong
    return body


def sentence_of(error: ValidationError) -> str:
    """The first fault of a body, in words."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def control_app(device: Detector, clock: Clock, poke: Callable[[], Awaitable[None]]) -> Starlette:
    """The application; *poke* lets the device advance to now."""

    async def show(_: Request) -> Response:
        now = await clock.read()
        return JSONResponse(
            {
                "state": device.state,
                "gain_mode": device.gain_mode,
                "illumination": device.illumination,
                "transmission": device.transmission,
                "trains_sent": device.trains_sent,
                "next_train_id": device.next_train_id(now),
                "conditions": dict(device.conditions()),
                "frames": device.table.frames,
                "links": device.links(),
            }
        )

    async def configure(request: Request) -> Response:
        settings = Settings.model_validate_json(await bounded_body(request))
        device.must_be_passive()
        if settings.gain_mode not in (None, "adaptive") and isinstance(device.table, DsscTable):
            return refused(422, f"gain_mode cannot be {settings.gain_mode}: a DSSC has no gain stages")
        if settings.illumination == "dummy" and not isinstance(device.table, DsscTable):
            return refused(422, "illumination cannot be dummy: only a DSSC has a dummy readout")
        if settings.gain_mode is not None:
            device.gain_mode = settings.gain_mode
        if settings.illumination is not None:
            device.illumination = settings.illumination
        if settings.transmission is not None:
            device.attenuate(settings.transmission)
        return await show(request)

    async def start(request: Request) -> Response:
        order = Order.model_validate_json(await bounded_body(request))
        device.must_be_passive()
        await asyncio.to_thread(device.prepare)
        device.order(order.trains)
        await poke()
        acquisition = device.acquisition
        if acquisition is None:
            return refused(409, f"{device.name} was stopped before its first train")
        return JSONResponse(
            {"first_train_id": acquisition.first_train_id, "last_train_id": acquisition.last_train_id}
        )

    async def stop(_: Request) -> Response:
        device.stop()
        await poke()
        return JSONResponse({"state": device.state, "trains_sent": device.trains_sent})

    async def passive_only(_: Request, error: Exception) -> Response:
        return refused(409, str(error))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, ValidationError)
        return refused(422, sentence_of(error))

    async def too_long(_: Request, __: Exception) -> Response:
        return refused(413, f"the body is longer than {MAX_BODY_BYTES} bytes")

    handlers: dict[Any, Any] = {
        NotWhileAcquiring: passive_only,
        ValidationError: invalid,
        BodyTooLong: too_long,
    }
    routes = [
        Route("/", show, methods=["GET"]),
        Route("/", configure, methods=["PUT"]),
        Route("/start", start, methods=["POST"]),
        Route("/stop", stop, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers=handlers)


class ControlServer:
    """The HTTP server together with what must happen before it answers and after it ends."""

    def __init__(self, device: Detector, http: Server, prepare: Callable[[], Awaitable[None]]) -> None:
        self._device, self._http, self._prepare = device, http, prepare

    async def start(self) -> str | list[str]:
        """Prepare, then bind. Raises AddressTaken, SimError."""
        await self._prepare()
        return await self._http.start()

    async def stop(self) -> None:
        """Stop sending, close the server and the links."""
        self._device.stop()
        await self._http.stop()
        self._device.close()

    def problems(self) -> Sequence[Problem]:
        """Late trains, datagrams that nobody received."""
        return tuple(self._device.problems)
