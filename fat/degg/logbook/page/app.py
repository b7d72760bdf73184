"""Pages of the logbook. Reading is open to whoever reaches the address; who writes says who they are by a password."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fat.degg.logbook.book import Entry, Logbook
from fat.degg.logbook.forms import FORMS, filled_in
from fat.degg.logbook.page.entries import Wanted, page_of
from fat.degg.logbook.shown import gist, shown
from fat.degg.logbook.users import Users
from fat.errors import FatError, UsageError
from scheduler.web.access import Sessions, read_form
from scheduler.web.app import HEADERS
from scheduler.web.text import printable

COOKIE: Final = "stellwerk_logbook"
MOST_BYTES: Final = 256 << 10
"""Of a form that is sent."""
WRONG_PASSWORD_S: Final = 1.0
"""Between two tries, for everybody: passwords cannot be guessed faster."""
MOST_SENDINGS: Final = 1000
"""Forms whose entry is remembered: one that is sent twice is entered once."""
LONGEST_HINT: Final = 4000
"""Characters of a value that an address fills in."""


def make_app(folder: Path, hosts: Sequence[str] = ("127.0.0.1", "localhost")) -> Starlette:
    """The application of the logbook in a folder; *hosts* are names under which it may be asked for."""
    return _Pages(folder).app(hosts)


class _Pages:
    def __init__(self, folder: Path) -> None:
        self._book, self._users = Logbook(folder), Users(folder)
        self._sessions = Sessions(COOKIE)
        self._one_password = asyncio.Lock()
        self._one_entry = asyncio.Lock()
        self._sent: OrderedDict[str, int] = OrderedDict()
        self._pages = Environment(
            loader=ChoiceLoader(
                [
                    PackageLoader("fat.degg.logbook.page"),
                    PrefixLoader({"live": PackageLoader("scheduler.web")}),
                ]
            ),
            autoescape=True,
            finalize=printable,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters |= {"shown": shown, "gist": gist, "title": title}

    def app(self, hosts: Sequence[str]) -> Starlette:
        handlers: dict[Any, Any] = {HTTPException: self._refuse, FatError: self._trouble}
        return Starlette(
            routes=[
                Route("/", self._entries),
                Route("/entries/{number:int}", self._entry),
                Route("/write/{form}", self._form, methods=["GET"]),
                Route("/write/{form}", self._write, methods=["POST"]),
                Route("/leave", self._leave, methods=["POST"]),
                Mount("/static", StaticFiles(packages=[("scheduler.web", "static")])),
                Mount("/logbook", StaticFiles(packages=[("fat.degg.logbook.page", "static")])),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
            exception_handlers=handlers,
        )

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> HTMLResponse:
        told = {"user": self._sessions.name(request), "forms": FORMS, "here": request.url.path}
        text = self._pages.get_template(template).render(**told, **values)
        return HTMLResponse(text, status, headers=HEADERS)

    async def _entries(self, request: Request) -> Response:
        entries = await asyncio.to_thread(self._book.entries)
        wanted = Wanted.read(request.query_params)
        users = sorted({entry.user for entry in entries})
        found = page_of(entries, wanted)
        return self._page("entries.html", request, found=found, wanted=wanted, users=users, all=len(entries))

    async def _entry(self, request: Request) -> Response:
        entries = await asyncio.to_thread(self._book.entries)
        number = int(request.path_params["number"])
        if not 1 <= number <= len(entries):
            raise HTTPException(404, f"there is no entry {number}; there are {len(entries)}")
        entry = entries[number - 1]
        labels = {field.name: field.label for field in FORMS.get(entry.form, ())}
        return self._page("entry.html", request, entry=entry, labels=labels, last=len(entries))

    async def _form(self, request: Request) -> Response:
        given = {name: value[:LONGEST_HINT] for name, value in request.query_params.items()}
        return self._empty(request, _known(request), given, {})

    async def _write(self, request: Request) -> Response:
        form = _known(request)
        given = await read_form(request, MOST_BYTES)
        sending = given.pop("sending", "")[:40]
        values, wrong = filled_in(form, given)
        user, refused = self._sessions.name(request), ""
        if not wrong and user is None:
            user = given.get("user", "").strip()
            refused = await self._try_password(user, given.get("password", ""))
        if wrong or refused or user is None:
            return self._empty(request, form, given, wrong, refused, status=422)
        number = await self._enter(sending, user, form, values)
        answer = RedirectResponse(f"/entries/{number}", 303, headers=HEADERS)
        if self._sessions.name(request) is None:
            self._sessions.begin(user, answer)
        return answer

    async def _enter(self, sending: str, user: str, form: str, values: Mapping[str, Any]) -> int:
        """The number of the entry; that of the first one when a form is sent again."""
        async with self._one_entry:
            if sending in self._sent:
                return self._sent[sending]
            entry: Entry = await asyncio.to_thread(self._book.add, user, form, values)
            if sending:
                self._sent[sending] = entry.number
                while len(self._sent) > MOST_SENDINGS:
                    self._sent.popitem(last=False)
            return entry.number

    async def _try_password(self, user: str, password: str) -> str:
        """Why that is not who they say; nothing if it is."""
        async with self._one_password:
            try:
                await asyncio.to_thread(self._users.demand, user, password)
            except UsageError as error:
                await asyncio.sleep(WRONG_PASSWORD_S)
                return str(error)
        return ""

    def _empty(
        self,
        request: Request,
        form: str,
        given: Mapping[str, str],
        wrong: Mapping[str, str],
        refused: str = "",
        status: int = 200,
    ) -> Response:
        """A form, with what was typed already."""
        told = {"form": form, "given": given, "wrong": wrong, "refused": refused}
        nobody = not self._users.names()
        return self._page(
            "form.html", request, status, **told, nobody=nobody, sending=token_urlsafe(16), fields=FORMS[form]
        )

    async def _leave(self, request: Request) -> Response:
        await read_form(request)  # from a page of ours
        answer = RedirectResponse("/", 303, headers=HEADERS)
        self._sessions.end(request, answer)
        return answer

    async def _refuse(self, request: Request, error: HTTPException) -> Response:
        return self._page("error.html", request, error.status_code, text=error.detail)

    async def _trouble(self, request: Request, error: FatError) -> Response:
        return self._page("error.html", request, 500, text=str(error))


def _known(request: Request) -> str:
    form = str(request.path_params["form"])
    if form not in FORMS:
        raise HTTPException(404, f"there is no form {form[:40]!r}; there are: {', '.join(FORMS)}")
    return form


def title(form: str) -> str:
    """A form's name for people: `Freezer access`."""
    return form.replace("-", " ").capitalize()
