"""Where a version says that its file lies: inside the store, whatever a client writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.caldb.fields import Invalid

OUTSIDE: Final = "must lie inside the store: names between slashes, no '..', no backslash"


def check_paths(version: Mapping[str, Any]) -> None:
    """Refuse a file name or path that leads out of the store; other fields are not looked at. Raises Invalid."""
    wrong = {
        name: [OUTSIDE]
        for name, inside in (("path_to_file", _is_folder), ("file_name", _is_name))
        if isinstance(version.get(name), str) and not inside(version[name])
    }
    if wrong:
        raise Invalid(wrong)


def _is_name(text: str) -> bool:
    return "/" not in text and _is_harmless(text)


def _is_folder(text: str) -> bool:
    return not text.startswith("/") and all(_is_harmless(part) for part in text.split("/"))


def _is_harmless(part: str) -> bool:
    return part.strip() not in (".", "..") and "\\" not in part and not any(ord(c) < 32 for c in part)
