"""Pages and live updates over HTTP. Reading is open; a change needs a login with the bench's token."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from scheduler import question, requests, wishes
from scheduler.errors import SchedulerError
from scheduler.journal.place import JOURNAL_FILES
from scheduler.records import record
from scheduler.runs import NUMBER, list_runs, open_run
from scheduler.web.view import duration, view

COOKIE: Final = "stellwerk_session"
PERIOD_S: Final = 0.25
"""How often a run's folder is looked at for a page that is open."""
MAX_SESSIONS: Final = 100
MAX_FORM_BYTES: Final = 4096
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: then browsers send "Origin: null" with our own forms, which we could not tell from foreign ones.
    "Referrer-Policy": "same-origin",
}


def make_app(runs_root: Path, token: str) -> Starlette:
    """The application that shows the runs below *runs_root*; *token* is what a login takes."""
    return _Pages(runs_root, token).app()


class _Pages:
    def __init__(self, runs_root: Path, token: str) -> None:
        self._root, self._token = runs_root, token
        self._sessions: list[str] = []
        self._pages = Environment(
            loader=PackageLoader("scheduler.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._pages.filters["duration"] = duration

    def app(self) -> Starlette:
        handlers: dict[Any, Any] = {HTTPException: self._refuse, SchedulerError: self._trouble}
        return Starlette(
            routes=[
                Route("/", self._runs),
                Route("/login", self._login_page, methods=["GET"]),
                Route("/login", self._login, methods=["POST"]),
                Route("/runs/{number}", self._run),
                Route("/runs/{number}/events", self._events),
                Route("/runs/{number}/record.json", self._record),
                Route("/runs/{number}/{name:path}", self._file, methods=["GET"]),
                Route("/runs/{number}/requests", self._request, methods=["POST"]),
                Mount("/static", StaticFiles(packages=[("scheduler.web", "static")])),
            ],
            exception_handlers=handlers,
        )

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> HTMLResponse:
        text = self._pages.get_template(template).render(logged_in=self._logged_in(request), **values)
        return HTMLResponse(text, status, headers=HEADERS)

    def _run_dir(self, request: Request) -> Path:
        number = str(request.path_params["number"])
        run_dir = self._root / number
        if not NUMBER.fullmatch(number) or not run_dir.is_dir():
            raise HTTPException(404, f"there is no run {number}")
        return run_dir

    async def _runs(self, request: Request) -> Response:
        views = [view(run) for run in reversed(list_runs(self._root)[-100:])]
        return self._page("runs.html", request, runs=views)

    async def _run(self, request: Request) -> Response:
        return self._page("run.html", request, run=view(self._run_dir(request)))

    async def _record(self, request: Request) -> Response:
        return JSONResponse(record(self._run_dir(request)), headers=HEADERS)

    async def _file(self, request: Request) -> Response:
        """A file of the run's folder: reports and figures. Nothing outside it, nothing hidden."""
        run_dir = self._run_dir(request).resolve()
        path = (run_dir / request.path_params["name"]).resolve()
        hidden = any(part.startswith(".") for part in path.parts[len(run_dir.parts) :])
        hidden = hidden or path.name in JOURNAL_FILES
        if not path.is_relative_to(run_dir) or hidden or not path.is_file():
            raise HTTPException(404, "there is no such file in this run")
        # The report carries its style and pictures inside.
        policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        return FileResponse(path, headers={**HEADERS, "Content-Security-Policy": policy})

    async def _events(self, request: Request) -> Response:
        run_dir = self._run_dir(request)

        async def stream() -> AsyncIterator[str]:
            last = ""
            while not await request.is_disconnected():
                text = self._pages.get_template("run_body.html").render(run=view(run_dir))
                if text != last:
                    last = text
                    yield f"data: {json.dumps(text)}\n\n"
                await asyncio.sleep(PERIOD_S)

        headers = {**HEADERS, "Cache-Control": "no-store"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def _login_page(self, request: Request) -> Response:
        return self._page("login.html", request, refused=False)

    async def _login(self, request: Request) -> Response:
        form = await self._form(request)
        if not hmac.compare_digest(form.get("token", "").encode(), self._token.encode()):
            return self._page("login.html", request, 403, refused=True)
        session = secrets.token_urlsafe(24)
        self._sessions = [*self._sessions[-MAX_SESSIONS:], session]
        answer = RedirectResponse("/", 303, headers=HEADERS)
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
        return answer

    async def _request(self, request: Request) -> Response:
        run_dir = self._run_dir(request)
        form = await self._form(request)
        if not self._logged_in(request):
            raise HTTPException(401, "log in first: the token is what `stellwerk up` printed")
        kinds: tuple[requests.RequestKind, ...] = get_args(requests.RequestKind)
        wanted = [kind for kind in kinds if kind == form.get("request")]
        if not wanted:
            raise HTTPException(422, f"a run can be asked to {', '.join(kinds)}")
        words = {key: form.get(key, "")[:500] for key in ("reason", "task", "before", "answer", "question")}
        request_ = requests.Request(wanted[0], "live page", **words)
        if request_.kind in ("skip", "move"):
            why = wishes.refusal(open_run(run_dir), request_)
            if why is not None:
                raise HTTPException(422, why)
        if request_.kind == "answer":
            why = question.refusal(open_run(run_dir).questions, request_)
            if why is not None:
                raise HTTPException(422, why)
        requests.submit(run_dir, request_.kind, by="live page", **words)
        return RedirectResponse(f"/runs/{run_dir.name}", 303, headers=HEADERS)

    async def _form(self, request: Request) -> dict[str, str]:
        """A short form from a page of ours; refuses what other origins send."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise HTTPException(403, "requests from other origins are refused")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise HTTPException(413, "the form is too long")
        return dict(parse_qsl(body.decode("utf-8", errors="replace"), keep_blank_values=True))

    def _logged_in(self, request: Request) -> bool:
        given = request.cookies.get(COOKIE, "")
        return any(hmac.compare_digest(given.encode(), known.encode()) for known in self._sessions)

    async def _refuse(self, request: Request, error: HTTPException) -> Response:
        return self._page("error.html", request, error.status_code, text=error.detail)

    async def _trouble(self, request: Request, error: SchedulerError) -> Response:
        return self._page("error.html", request, 409, text=str(error))
