"""Pages and live updates over HTTP. Reading is open; a change needs a login with the bench's token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, get_args

import structlog
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool
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
from scheduler.runs import NUMBER, open_run
from scheduler.trends import TrendReader, as_csv
from scheduler.web import history
from scheduler.web.access import Access, local, read_form
from scheduler.web.painting import Painter, View
from scheduler.web.room import IDLE_S, PERIOD_S, Part, Rooms

log = structlog.get_logger("scheduler.web")
QUIET_LOOKS: Final = 60
"""After so many looks at which nothing happened a comment keeps the connection in the memory of what lies between."""
MAX_VIEWERS: Final = 100
"""Pages that are open and updated at the same time; others are as they were at their loading."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: then browsers send "Origin: null" with our own forms, which we could not tell from foreign ones.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
WORDS: Final = {"reason": 500, "task": 80, "before": 80, "answer": 8, "question": 20}
"""What a form may tell of a request, and how long."""


def make_app(runs_root: Path, token: str) -> Starlette:
    """The application that shows the runs below *runs_root*; *token* is what a login takes."""
    return _Pages(runs_root, token).app()


class _Pages:
    def __init__(self, runs_root: Path, token: str) -> None:
        self._root = runs_root
        self._access = Access(token)
        self._painter = Painter()
        self._history = history.History(runs_root)
        self._rooms = Rooms(runs_root, self._history.earlier)
        self._viewers = 0
        self._tidying = False

    def app(self) -> Starlette:
        handlers: dict[Any, Any] = {HTTPException: self._refuse, SchedulerError: self._trouble}
        return Starlette(
            routes=[
                Route("/", self._runs),
                Route("/compare", self._compare),
                Route("/quantity", self._quantity),
                Route("/login", self._login_page, methods=["GET"]),
                Route("/login", self._login, methods=["POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/runs/{number}", self._run),
                Route("/runs/{number}/values", self._run),
                Route("/runs/{number}/trends", self._run),
                Route("/runs/{number}/log", self._run),
                Route("/runs/{number}/tasks/{task}", self._run),
                Route("/runs/{number}/events", self._events),
                Route("/runs/{number}/record.json", self._record),
                Route("/runs/{number}/trends.csv", self._trends),
                Route("/runs/{number}/requests", self._request, methods=["POST"]),
                Route("/runs/{number}/{name:path}", self._file, methods=["GET"]),
                Mount("/static", StaticFiles(packages=[("scheduler.web", "static")])),
            ],
            exception_handlers=handlers,
        )

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> HTMLResponse:
        who = {"logged_in": self._access.logged_in(request), "here": _address(request)}
        return HTMLResponse(self._painter.page(template, **who, **values), status, headers=HEADERS)

    def _run_dir(self, request: Request) -> Path:
        number = str(request.path_params["number"])
        run_dir = self._root / number
        if not NUMBER.fullmatch(number) or not run_dir.is_dir():
            raise HTTPException(404, f"there is no run {number}")
        return run_dir

    async def _runs(self, request: Request) -> Response:
        wanted = history.Filter.read(request.query_params)
        summaries, unread = await asyncio.to_thread(self._history.summaries)
        runs = [summary for summary in summaries if wanted.holds(summary)]
        return self._page(
            "runs.html", request, runs=runs[:500], more=len(runs[500:]), wanted=wanted, unread=unread
        )

    async def _compare(self, request: Request) -> Response:
        numbers = [request.query_params.get(which, "")[:5] for which in ("a", "b")]
        sides = [self._side(number) for number in numbers]
        a, b = [await asyncio.to_thread(self._history.values, number) for number in numbers]
        pairs, more = history.compare(a, b)
        shown = [await asyncio.to_thread(self._history.summary, side) for side in sides]
        return self._page("compare.html", request, numbers=numbers, sides=shown, pairs=pairs, more=more)

    def _side(self, number: str) -> Path:
        if not NUMBER.fullmatch(number) or not (self._root / number).is_dir():
            raise HTTPException(404, "name two runs: /compare?a=00001&b=00002")
        return self._root / number

    async def _quantity(self, request: Request) -> Response:
        device, part, name = (request.query_params.get(word, "")[:200] for word in ("device", "part", "name"))
        found = await asyncio.to_thread(self._history.quantity, (device, part, name))
        title = " · ".join(filter(None, (device, part, name)))
        return self._page(
            "quantity.html",
            request,
            title=title,
            found=found[::-1],
            chart=history.in_turn(name, found),
            key=(device, part, name),
        )

    async def _run(self, request: Request) -> Response:
        self._tidy_later()
        run = self._run_dir(request).name
        view = self._view(request, request.url.path.removeprefix(f"/runs/{run}").strip("/"))
        parts = await asyncio.to_thread(self._parts, run, view)
        return self._page("run.html", request, run=run, view=view, parts={part.name: part for part in parts})

    def _view(self, request: Request, name: str) -> View:
        if "task" in request.path_params:
            name = "task"
        query = dict(request.query_params)
        task = str(request.path_params.get("task", query.pop("task", "")))
        logged_in = self._access.logged_in(request)
        return View.read(query.pop("view", name), query, task=task, logged_in=logged_in)

    def _parts(self, run: str, view: View) -> list[Part]:
        with self._rooms.use(run) as room:
            return self._painter.parts(room, view)

    def _tidy_later(self) -> None:
        """Let go, after the last look, of what nobody looks at: a journal that is held open is not tidied up."""
        if not self._tidying:
            self._tidying = True
            asyncio.get_running_loop().call_later(IDLE_S, self._tidy)

    def _tidy(self) -> None:
        self._tidying = False
        if self._rooms.tidy():
            self._tidy_later()

    async def _events(self, request: Request) -> Response:
        run, view = self._run_dir(request).name, self._view(request, "schedule")
        if self._viewers >= MAX_VIEWERS:
            raise HTTPException(503, "too many pages are open; load this one again to see what is new")

        async def stream() -> AsyncIterator[str]:
            self._viewers += 1
            sent: dict[str, str] = {}
            quiet = 0
            try:
                while not await request.is_disconnected():
                    parts = await asyncio.to_thread(self._parts, run, view)
                    news = {p.name: [p.digest, p.html] for p in parts if sent.get(p.name) != p.digest}
                    sent |= {part.name: part.digest for part in parts}
                    quiet = 0 if news else quiet + 1
                    if news:
                        yield f"data: {json.dumps(news)}\n\n"
                    elif quiet % QUIET_LOOKS == 0:
                        yield ": still here\n\n"
                    await asyncio.sleep(PERIOD_S)
            except SchedulerError as error:
                log.warning("a live page ends", run=run, why=str(error))
            finally:
                self._viewers -= 1

        # Proxies that gather what they pass on would hold it back.
        headers = {**HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def _record(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(record, self._run_dir(request)), headers=HEADERS)

    async def _trends(self, request: Request) -> Response:
        """The trends that count, as a table."""
        run_dir = self._run_dir(request)
        group = request.query_params.get("group")

        def read() -> tuple[TrendReader, list[tuple[float, float]]]:
            reader = TrendReader(run_dir)
            reader.read()
            with self._rooms.use(run_dir.name) as room:
                return reader, list(room.starts)

        reader, starts = await asyncio.to_thread(read)
        chosen = [series for series in reader.series.values() if group is None or series.group == group]
        name = f'attachment; filename="trends-{run_dir.name}.csv"'
        return StreamingResponse(
            iterate_in_threadpool(as_csv(chosen, starts)),
            media_type="text/csv; charset=utf-8",
            headers={**HEADERS, "Content-Disposition": name},
        )

    async def _file(self, request: Request) -> Response:
        """A file of the run's folder: reports and figures. Nothing outside it, nothing hidden."""
        run_dir = self._run_dir(request).resolve()
        try:
            path = (run_dir / request.path_params["name"]).resolve()
            hidden = any(part.startswith(".") for part in path.parts[len(run_dir.parts) :])
            hidden = hidden or path.name in JOURNAL_FILES
            if not path.is_relative_to(run_dir) or hidden or not path.is_file():
                raise HTTPException(404, "there is no such file in this run")
        except (OSError, ValueError) as error:
            raise HTTPException(404, "there is no such file in this run") from error
        # The report carries its style and pictures inside.
        policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        return FileResponse(path, headers={**HEADERS, "Content-Security-Policy": policy})

    async def _login_page(self, request: Request) -> Response:
        back = local(request.query_params.get("next", "/"))
        return self._page("login.html", request, refused=False, back=back)

    async def _login(self, request: Request) -> Response:
        form = await read_form(request)
        back = local(form.get("next", "/"))
        answer = RedirectResponse(back, 303, headers=HEADERS)
        if not self._access.log_in(form.get("token", ""), form.get("name", ""), answer):
            return self._page("login.html", request, 403, refused=True, back=back)
        return answer

    async def _logout(self, request: Request) -> Response:
        await read_form(request)
        answer = RedirectResponse("/", 303, headers=HEADERS)
        self._access.log_out(request, answer)
        return answer

    async def _request(self, request: Request) -> Response:
        run_dir = self._run_dir(request)
        form = await read_form(request)
        self._access.demand(request)
        kinds: tuple[requests.RequestKind, ...] = get_args(requests.RequestKind)
        wanted = [kind for kind in kinds if kind == form.get("request")]
        if not wanted:
            raise HTTPException(422, f"a run can be asked to {', '.join(kinds)}")
        words = {key: form.get(key, "")[:most] for key, most in WORDS.items()}
        wish = requests.Request(wanted[0], self._access.name(request), **words)
        why = await asyncio.to_thread(_refusal, run_dir, wish)
        if why is not None:
            raise HTTPException(422, why)
        requests.submit(run_dir, wish.kind, by=wish.by, **words)
        return RedirectResponse(f"/runs/{run_dir.name}", 303, headers=HEADERS)

    async def _refuse(self, request: Request, error: HTTPException) -> Response:
        return self._page("error.html", request, error.status_code, text=error.detail)

    async def _trouble(self, request: Request, error: SchedulerError) -> Response:
        return self._page("error.html", request, 409, text=str(error))


def _refusal(run_dir: Path, wish: requests.Request) -> str | None:
    """Why what somebody wishes cannot be, as far as the page can tell; the engine has the last word."""
    if wish.kind == "abort" and not wish.reason.strip():
        return "aborting a run needs a reason"
    if wish.kind in ("skip", "move"):
        return wishes.refusal(open_run(run_dir), wish)
    if wish.kind == "answer":
        return question.refusal(open_run(run_dir).questions, wish)
    return None


def _address(request: Request) -> str:
    """The page somebody is on, to come back to after a login."""
    path, query = request.url.path, request.url.query
    return f"{path}?{query}" if query else path
