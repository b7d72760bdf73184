"""The page over HTTP: `GET /`, `GET /state`, `POST /faults`; every asset comes with the package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from sim.errors import SimError
from sim.lab.page.access import demand_our_host, demand_the_token, read_json
from sim.lab.page.state import State
from sim.lab.site import Site

STATIC: Final = Path(__file__).parent / "static"
FILES: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/panel.js": ("panel.js", "text/javascript; charset=utf-8"),
    "/words.js": ("words.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[Request], Awaitable[Response]]


class _Page:
    def __init__(self, site: Site, state: State) -> None:
        self._site, self._state = site, state

    async def file(self, request: Request) -> Response:
        name, kind = FILES[request.url.path]
        return FileResponse(STATIC / name, media_type=kind)

    async def state(self, request: Request) -> Response:  # noqa: ARG002  # Starlette calls it so
        return JSONResponse(self._state.at(await self._site.clock.read()))

    async def faults(self, request: Request) -> Response:
        demand_the_token(request, self._site.token)
        wanted = await read_json(request)
        try:
            await self._switch(**wanted)
        except TypeError:
            raise HTTPException(422, "a fault has the keys part, fault, on, times, parameters") from None
        except SimError as error:
            raise HTTPException(422, str(error)) from None
        return JSONResponse(self._state.at(await self._site.clock.read()))

    async def _switch(
        self,
        *,
        part: str,
        fault: str,
        on: bool,
        times: int | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        board = self._site.boards.get(part) if isinstance(part, str) else None
        if board is None or not isinstance(fault, str):
            raise SimError(f"there is no part {part!r} in this laboratory")
        if times is not None and (not isinstance(times, int) or isinstance(times, bool)):
            raise SimError(f"how often a fault strikes is a whole number, not {times!r}")
        # Watchers of the switch cannot wait for the time.
        await self._site.clock.catch_up()
        if on is True:
            board.switch_on(fault, times=times, **(parameters or {}))
        elif on is False:
            board.switch_off(fault)
        else:
            raise SimError(f"a fault is on (true) or off (false), not {on!r}")


def page_app(site: Site, state: State) -> Starlette:
    """The application. Reading is open to this machine; a change needs the bench's token."""
    page = _Page(site, state)

    def guarded(handler: Handler) -> Handler:
        async def guard(request: Request) -> Response:
            demand_our_host(request)
            return _with_headers(await handler(request))

        return guard

    async def refused(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette calls it so
        assert isinstance(error, HTTPException)
        return _with_headers(JSONResponse({"error": error.detail}, error.status_code))

    routes = [
        *(Route(path, guarded(page.file)) for path in FILES),
        Route("/state", guarded(page.state)),
        Route("/faults", guarded(page.faults), methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


def _with_headers(answer: Response) -> Response:
    answer.headers.update(HEADERS)
    return answer
