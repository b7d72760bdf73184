"""Which entries a page of the logbook shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from fat.degg.logbook.book import Entry
from fat.degg.logbook.shown import shown

ON_A_PAGE: Final = 50
LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for."""

    form: str = ""
    user: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """From an address."""
        number = query.get("page", "")
        page = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1
        form, user, text = (query.get(name, "").strip()[:LONGEST] for name in ("form", "user", "text"))
        return cls(form, user, text, max(1, page))

    def holds(self, entry: Entry) -> bool:
        """Whether an entry is one of those."""
        return (
            self.form in ("", entry.form)
            and self.user in ("", entry.user)
            and (not self.text or self._said(entry))
        )

    def _said(self, entry: Entry) -> bool:
        said = (entry.form, entry.user, *map(shown, entry.values.values()))
        return any(self.text.casefold() in words.casefold() for words in said)

    def at(self, page: int) -> str:
        """The address of another page of the same."""
        told = {"form": self.form, "user": self.user, "text": self.text, "page": page if page > 1 else ""}
        return "/?" + urlencode({name: value for name, value in told.items() if value})


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found."""

    entries: Sequence[Entry]
    """The newest first."""
    found: int
    number: int
    pages: int


def page_of(entries: Sequence[Entry], wanted: Wanted) -> Page:
    """The page that is wanted, or the last one there is."""
    found = [entry for entry in reversed(entries) if wanted.holds(entry)]
    pages = max(1, -(-len(found) // ON_A_PAGE))
    number = min(wanted.page, pages)
    return Page(found[(number - 1) * ON_A_PAGE : number * ON_A_PAGE], len(found), number, pages)
