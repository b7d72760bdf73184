"""Requests to the catalogue: bounded in time and size, tried again while that can help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx

from pipeline.errors import CatalogueError, CatalogueUnreachable

MOST_ANSWER_BYTES: Final = 64 << 20
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 2.0


class Refused(CatalogueError):
    """The catalogue answered a request with an error that trying again will not cure."""

    def __init__(self, request: str, status: int, info: Any) -> None:
        self.request, self.status, self.info = request, status, info
        super().__init__(f"the catalogue refused {request} with {status}: {_spell(info)}")

    @property
    def taken(self) -> bool:
        """Whether an entry with the same unique key is there already."""
        return self.status == 422 and "has already been taken" in _spell(self.info)


def _spell(info: Any) -> str:
    if isinstance(info, dict):
        return "; ".join(f"{field} {_spell(messages)}" for field, messages in info.items())
    return ", ".join(map(str, info)) if isinstance(info, list) else str(info)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    entries: list[Any]
    pages: int
    """That there are, of this size."""
    total: int
    """Entries on all pages."""


class Asking(Protocol):
    """How a catalogue is asked: directly, or with answers kept for when it is silent."""

    @property
    def url(self) -> str:
        """Base address, without `/api`."""
        ...

    def get(self, path: str, *, body: Mapping[str, Any] | None = None, **query: object) -> Any:
        """GET `api/{path}`. Raises Refused, CatalogueUnreachable, CatalogueError."""
        ...

    def find(self, path: str, **query: object) -> Any | None:
        """The same, but None for 404."""
        ...

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to `api/{path}`. Raises as `get` does."""
        ...

    def page(self, path: str, number: int, size: int, **query: object) -> Page:
        """One page of a list, numbered from 1. Raises as `get` does."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    raw: bytes
    headers: Mapping[str, str]


class CatalogueRest:
    """Sends requests to one catalogue. May be used by several threads at once.

    url          base address, without `/api`
    credentials  client id and secret where the catalogue wants tokens, else None
    timeout_s    for one answer
    retry_for_s  how long a request is tried again while nobody answers or the server fails (status 5xx)
    """

    def __init__(
        self,
        url: str,
        *,
        user_email: str = "",
        credentials: tuple[str, str] | None = None,
        timeout_s: float = 10.0,
        retry_for_s: float = 20.0,
        monotonic_s: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._credentials, self._retry_for_s = credentials, retry_for_s
        self._monotonic_s, self._pause = monotonic_s, pause
        self._token: str | None = None
        headers = {"Accept": "application/json; version=2", "X-User-Email": user_email}
        # Facility proxies of the environment have no business on a bench's own network.
        # Certificates take a twentieth of a second to load.
        verify = not url.startswith("http:")
        self._client = httpx.Client(headers=headers, timeout=timeout_s, trust_env=False, verify=verify)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, *, body: Mapping[str, Any] | None = None, **query: object) -> Any:
        """GET `api/{path}`. Raises Refused, CatalogueUnreachable, CatalogueError."""
        return self._ask("GET", path, query, body)[0]

    def find(self, path: str, **query: object) -> Any | None:
        """The same, but None for 404."""
        try:
            return self._ask("GET", path, query, None)[0]
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to `api/{path}`. Raises as `get` does."""
        return self._ask("POST", path, {}, body)[0]

    def page(self, path: str, number: int, size: int, **query: object) -> Page:
        """One page of a list, numbered from 1. Raises as `get` does."""
        entries, headers = self._ask("GET", path, {**query, "page": number, "page_size": size}, None)
        if not isinstance(entries, list):
            raise CatalogueError(f"{self.url} answered GET {path} with something that is no list")
        try:
            pages = int(headers.get("x-total-pages", 1))
            return Page(entries, pages, int(headers.get("x-total-count", len(entries))))
        except ValueError:
            raise CatalogueError(f"{self.url} answered GET {path} without a number of pages") from None

    def _ask(
        self, method: str, path: str, query: Mapping[str, object], body: Mapping[str, Any] | None
    ) -> tuple[Any, Mapping[str, str]]:
        give_up_at = self._monotonic_s() + self._retry_for_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._ask_once(method, path, query, body)
            except CatalogueUnreachable:
                if self._monotonic_s() + pause_s >= give_up_at:
                    raise
            self._pause(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _ask_once(
        self, method: str, path: str, query: Mapping[str, object], body: Mapping[str, Any] | None
    ) -> tuple[Any, Mapping[str, str]]:
        sent = self._send(method, f"/api/{path}", query, body, self._authorization())
        if sent.status == 401 and self._credentials is not None:
            self._token = None
            sent = self._send(method, f"/api/{path}", query, body, self._authorization())
        status = sent.status
        if status >= 500:
            raise CatalogueUnreachable(self.url, f"{method} {path} was answered with status {status}")
        answer = self._read(method, path, sent.raw)
        if status >= 400:
            info = answer.get("info", answer) if isinstance(answer, dict) else answer
            raise Refused(f"{method} {path}", status, info)
        return answer, sent.headers

    def _authorization(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        if self._token is None:
            self._token = self._fetch_token(self._credentials)
        return {"Authorization": f"Bearer {self._token}"}

    def _fetch_token(self, credentials: tuple[str, str]) -> str:
        try:
            answer = self._client.post(
                f"{self.url}/oauth/token", data={"grant_type": "client_credentials"}, auth=credentials
            )
        except httpx.HTTPError as error:
            raise CatalogueUnreachable(self.url, _reason(error)) from None
        if answer.status_code >= 500:
            raise CatalogueUnreachable(self.url, f"oauth/token was answered with status {answer.status_code}")
        content = self._read("POST", "oauth/token", answer.content)
        if answer.status_code != 200 or not isinstance(content, dict) or "access_token" not in content:
            raise Refused("POST oauth/token", answer.status_code, content)
        return str(content["access_token"])

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> _Answer:
        params = {name: str(value) for name, value in query.items()}
        raw = bytearray()
        try:
            with self._client.stream(
                method, self.url + path, params=params, json=body, headers=headers
            ) as answer:
                for chunk in answer.iter_bytes():
                    raw += chunk
                    if len(raw) > MOST_ANSWER_BYTES:
                        raise CatalogueError(
                            f"{method} {path}: the answer is longer than {MOST_ANSWER_BYTES} bytes"
                        )
                return _Answer(answer.status_code, bytes(raw), answer.headers)
        except httpx.InvalidURL as error:
            raise CatalogueUnreachable(self.url, f"this is no address: {error}") from None
        except httpx.HTTPError as error:
            raise CatalogueUnreachable(self.url, _reason(error)) from None

    def _read(self, method: str, path: str, raw: bytes) -> Any:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise CatalogueError(
                f"{self.url} answered {method} {path} with something that is not JSON; is a catalogue there?"
            ) from None


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
