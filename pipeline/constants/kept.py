"""The catalogue, and where it is silent what it answered to exactly the same question before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.constants.cache import ConstantsCache, Entry
from pipeline.constants.rest import Asking, Page
from pipeline.errors import CatalogueUnreachable

SILENT_FOR_S: Final = 10.0
"""A catalogue that did not answer is not asked again for so long: each question would wait for its time-out."""


class KeptAnswers:
    """Asks a catalogue and keeps its answers; a drop-in for the catalogue itself.

    max_age_s  what was answered longer ago is not used
    on_remark  called with a sentence when a kept answer is used
    Injections never come from here: what changes the catalogue is passed on.
    """

    def __init__(
        self,
        rest: Asking,
        cache: ConstantsCache,
        max_age_s: float,
        on_remark: Callable[[str], None] = lambda _: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._rest, self._cache, self._max_age_s = rest, cache, max_age_s
        self._remark, self._now_s = on_remark, now_s
        self._silent_until_s, self._silence = 0.0, ""
        self.oldest: datetime | None = None
        """When the oldest answer was given that had to be taken from the cache; None when none had to."""

    @property
    def url(self) -> str:
        """Base address, without `/api`."""
        return self._rest.url

    def get(self, path: str, *, body: Mapping[str, Any] | None = None, **query: object) -> Any:
        """GET `api/{path}`, or what it answered before. Raises Refused, CatalogueUnreachable, CatalogueError."""
        return self._ask(path, query, body, lambda: self._rest.get(path, body=body, **query))

    def find(self, path: str, **query: object) -> Any | None:
        """The same, but None for 404."""
        return self._ask(path, query, None, lambda: self._rest.find(path, **query))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to `api/{path}`; never from the cache."""
        return self._rest.post(path, body)

    def page(self, path: str, number: int, size: int, **query: object) -> Page:
        """One page of a list; never from the cache."""
        return self._rest.page(path, number, size, **query)

    def _ask(
        self,
        path: str,
        query: Mapping[str, object],
        body: Mapping[str, Any] | None,
        ask: Callable[[], Any],
    ) -> Any:
        texts = {name: str(value) for name, value in query.items()}
        question = {"catalogue": self.url, "path": path, "query": texts, "body": body}
        if time.monotonic() < self._silent_until_s:
            return self._kept(question, CatalogueUnreachable(self.url, self._silence))
        try:
            answer = ask()
        except CatalogueUnreachable as error:
            self._silent_until_s, self._silence = time.monotonic() + SILENT_FOR_S, error.reason
            return self._kept(question, error)
        self._cache.keep(question, json.dumps(answer).encode())
        return answer

    def _kept(self, question: Mapping[str, Any], silence: CatalogueUnreachable) -> Any:
        found = self._cache.answer(question)
        if found is None:
            raise CatalogueUnreachable(
                self.url,
                f"{silence.reason}; the cache {self._cache.root} has no answer to this question either",
            ) from None
        content, entry = found
        age_s = self._now_s() - entry.kept_at_s
        if age_s > self._max_age_s:
            raise CatalogueUnreachable(
                self.url,
                f"{silence.reason}; the answer in the cache is {age_s / 3600:.1f} h old and may be "
                f"{self._max_age_s / 3600:.1f} h at most (cache_max_age_h)",
            ) from None
        self._tell(entry, silence)
        return json.loads(content)

    def _tell(self, entry: Entry, silence: CatalogueUnreachable) -> None:
        given = datetime.fromtimestamp(entry.kept_at_s, UTC)
        self.oldest = given if self.oldest is None else min(self.oldest, given)
        self._remark(
            f"the catalogue at {self.url} does not answer ({silence.reason}): {entry.question['path']} as it was "
            f"answered at {given.isoformat(timespec='seconds')}"
        )
