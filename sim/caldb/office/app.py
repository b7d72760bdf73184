"""The back office over HTTP: routes, who may pass, headers, and errors as pages."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sim.caldb.fields import Invalid, NotFound
from sim.caldb.office.access import Door, Refused, Visitor, inner_address, read_form
from sim.caldb.office.gallery import Gallery
from sim.caldb.office.shown import FILTERS

T = TypeVar("T")
HEADERS: Final = {
    # No script at all, and nothing from elsewhere: a name that is markup cannot do anything even if it got through.
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class NoCatalogue(Exception):
    """The catalogue is not up."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One request of somebody who is logged in, and all that a page needs to answer it."""

    office: Office
    request: Request
    visitor: Visitor
    engine: Engine
    form: Mapping[str, str] = field(default_factory=dict)

    async def read(self, ask: Callable[..., T], *arguments: Any) -> T:
        """Ask the catalogue, in a thread and one transaction."""

        def work() -> T:
            with self.engine.begin() as db:
                return ask(db, *arguments)

        return await asyncio.to_thread(work)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page for this visitor."""
        return self.office.page(template, status, visitor=self.visitor, path=self.request.url.path, **values)


Page = Callable[[Desk], Awaitable[Response]]


class Office:
    """The application. *engine* gives the catalogue's database, or None while it is down."""

    def __init__(
        self,
        engine: Callable[[], Engine | None],
        store: Path,
        door: Door,
        now_ms: Callable[[], Awaitable[int]],
        name: str,
    ) -> None:
        self._engine, self._door, self._name = engine, door, name
        self.now_ms = now_ms
        self.gallery = Gallery(store)
        self._pages = Environment(
            loader=PackageLoader("sim.caldb.office"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._pages.filters.update(FILTERS)

    def app(self) -> ASGIApp:
        """The ASGI application."""
        from sim.caldb.office.pages import PAGES

        routes: list[Route | Mount] = [
            Route("/", self._front),
            Route("/login", self._login_page, methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/logout", self._guarded(self._log_out, "POST", "read"), methods=["POST"]),
            Mount("/static", StaticFiles(packages=[("sim.caldb.office", "static")])),
        ]
        for method, path, page, role in PAGES:
            routes.append(Route(path, self._guarded(page, method, role), methods=[method]))
        handlers: dict[Any, Any] = {
            HTTPException: self._refuse,
            NotFound: self._not_found,
            Invalid: self._invalid,
            NoCatalogue: self._no_catalogue,
            OperationalError: self._no_catalogue,
        }
        return with_headers(Starlette(routes=routes, exception_handlers=handlers))

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page that nobody but the browser may keep."""
        text = self._pages.get_template(template).render(office=self._name, **values)
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def _guarded(self, page: Page, method: str, role: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            engine = self._database()
            visitor = await asyncio.to_thread(self._door.visitor, request, engine)
            if visitor is None:
                return self._to_login(request)
            form = await read_form(request) if method == "POST" else {}
            if method == "POST" and not hmac.compare_digest(
                visitor.token.encode(), form.get("token", "").encode()
            ):
                raise HTTPException(
                    403, "this form was not made for your session; go back, reload, send again"
                )
            if role == "edit" and not visitor.may_edit:
                raise HTTPException(403, f"{visitor.name} may read; changes need the role edit")
            return await page(Desk(self, request, visitor, engine, form))

        return answer

    def _database(self) -> Engine:
        engine = self._engine()
        if engine is None:
            raise NoCatalogue
        return engine

    def _to_login(self, request: Request) -> Response:
        if request.method != "GET":
            raise HTTPException(401, "you are not logged in (any more); log in, then send the form again")
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': here})}", 303, {"Cache-Control": "no-store"})

    async def _front(self, _request: Request) -> Response:
        return RedirectResponse("/versions", 303)

    async def _login_page(self, request: Request) -> Response:
        return self._show_login(request, request.query_params.get("next", ""))

    def _show_login(self, request: Request, onward: str, refused: Refused | None = None) -> Response:
        cookie, token = self._door.login_token(request)
        values = {"token": token, "next": inner_address(onward), "refused": refused and refused.sentence}
        answer = self.page("login.html", refused.status if refused else 200, **values)
        if refused and refused.wait_s:
            answer.headers["Retry-After"] = f"{refused.wait_s:.0f}"
        self._door.give_login(answer, request, cookie)
        return answer

    async def _log_in(self, request: Request) -> Response:
        form = await read_form(request)
        try:
            cookie = await self._door.log_in(request, self._database(), form)
        except Refused as refused:
            return self._show_login(request, form.get("next", ""), refused)
        answer = RedirectResponse(inner_address(form.get("next", "")), 303)
        self._door.give(answer, request, cookie)
        return answer

    async def _log_out(self, desk: Desk) -> Response:
        self._door.log_out(desk.request)
        answer = RedirectResponse("/login", 303)
        self._door.take(answer, desk.request)
        return answer

    async def _refuse(self, _request: Request, error: HTTPException) -> Response:
        detail = "there is no such page" if error.detail in ("Not Found", "") else error.detail
        return self.page("error.html", error.status_code, text=detail)

    async def _not_found(self, _request: Request, _error: NotFound) -> Response:
        return self.page("error.html", 404, text="the catalogue holds no such entry")

    async def _invalid(self, _request: Request, error: Invalid) -> Response:
        wrong = "; ".join(f"{name} {', '.join(texts)}" for name, texts in error.info.items())
        return self.page("error.html", 422, text=wrong)

    async def _no_catalogue(self, _request: Request, _error: Exception) -> Response:
        return self.page(
            "error.html", 503, text="the catalogue does not answer just now; try again in a moment"
        )


def with_headers(app: ASGIApp) -> ASGIApp:
    """Every answer, also of an error, tells the browser what these pages never do."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await app(scope, receive, send_with)

    return call
