"""One request to the catalogue as a value, its answer, and the reading of parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from sim.caldb.fields import BLANK, Invalid, read_value

PAGE_SIZE = 100
LARGEST_PAGE = 500
MOST_IDS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read. Handlers turn it into an Answer and know nothing of HTTP."""

    db: Connection
    now_ms: int
    """The bench's time, milliseconds since 1970."""
    base_url: str
    user_email: str
    """Whom the client says that it acts for; empty when it does not say."""
    path: Mapping[str, Any]
    query: Mapping[str, str]
    body: Mapping[str, Any]

    def value(self, kind: str, name: str) -> Any:
        """A query parameter of a kind, or None when it is absent or empty. Raises Invalid."""
        try:
            return read_value(kind, self.query.get(name) or None)
        except ValueError as error:
            raise Invalid({name: [str(error)]}) from None

    def needed(self, kind: str, name: str) -> Any:
        """A query parameter that must be there. Raises Invalid."""
        value = self.value(kind, name)
        if value is None:
            raise Invalid({name: [BLANK]})
        return value

    def ids(self, name: str) -> list[int]:
        """A list of ids written as `[1, 2]` or `1`; empty when absent. Raises Invalid."""
        text = self.query.get(name, "").strip().removeprefix("[").removesuffix("]")
        if len(text) > 20 * MOST_IDS:
            raise Invalid({name: [f"holds more than {MOST_IDS} ids"]})
        try:
            return [int(read_value("integer", part.strip())) for part in text.split(",") if part.strip()]
        except ValueError:
            raise Invalid({name: ["is not a list of ids such as [1, 2]"]}) from None

    def time(self, name: str) -> int:
        """A time, or now when it is absent or empty; milliseconds since 1970. Raises Invalid."""
        at = self.value("time", name)
        return self.now_ms if at is None else int(at)

    def paging(self) -> tuple[int, int]:
        """Page, from 1, and entries on a page. Raises Invalid."""
        page = self.value("integer", "page")
        size = self.value("integer", "page_size")
        page, size = (1 if page is None else page), (PAGE_SIZE if size is None else size)
        if not 1 <= page <= 2**31:
            raise Invalid({"page": ["must be at least 1"]})
        if size < 1:
            raise Invalid({"page_size": ["must be at least 1"]})
        return page, min(size, LARGEST_PAGE)

    def object(self, name: str) -> Mapping[str, Any]:
        """The object that the body holds under a name. Raises Invalid."""
        value = self.body.get(name)
        if not isinstance(value, dict):
            raise Invalid({name: [BLANK if value is None else "is not an object"]})
        return value


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler has to say."""

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query, with its kind: text, integer, time, or ids (`[1, 2]`)."""

    name: str
    kind: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one path does, and what it takes and answers."""

    method: str
    path: str
    """Below `/api`; ids stand as `{id:row_id}`."""
    handler: Handler
    answer: str | None
    """Name of the schema of the answer, or of each entry of it; None: no content."""
    many: bool = False
    query: tuple[Query, ...] = ()
    paged: bool = False
    body: str | None = None
    """Name of the schema of the request's body."""
    statuses: tuple[int, ...] = (200,)
    missing: bool = False
    """Whether it answers 404 when nothing is found, besides for an id in the path."""


class BodyMalformed(ValueError):
    """The request's body cannot be read; answered with 400 and this sentence."""


def read_body(raw: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; an empty body is an empty object. Raises BodyMalformed."""
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BodyMalformed(f"the body is not JSON: {reason}") from None
    if not isinstance(body, dict):
        raise BodyMalformed(f"the body must be a JSON object, not {type(body).__name__}")
    return body


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def paged(rows: list[Any], total: int, page: int, page_size: int) -> Answer:
    """A page of a list with the headers that tell how many there are."""
    pages = -(-total // page_size)
    headers = {
        "X-Total-Pages": str(pages),
        "X-Count-Per-Page": str(page_size),
        "X-Current-Page": str(page),
        "X-Total-Count": str(total),
    }
    return Answer(rows, headers=headers)
