"""How values are written on the pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from markupsafe import Markup, escape

from sim.caldb.times import BERLIN, EPOCH


def moment(ms: int | None) -> str:
    """A time in Berlin to the second."""
    if ms is None:
        return "–"
    at = (EPOCH + timedelta(milliseconds=ms)).astimezone(BERLIN)
    return f"{at:%Y-%m-%d %H:%M:%S}"


def number(value: float | None) -> str:
    """A number in as many digits as a person compares."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.6g}"


def plain(value: Any) -> str:
    """A value of any field."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "–"
    return str(value)


def breaks(text: str | None) -> Markup:
    """A long name that may be broken behind its underscores, and at no other place if that suffices."""
    return Markup("_<wbr>").join(escape(part) for part in (text or "–").split("_"))


FIELDS: Final = {"flg_deployed": "deployed", "flg_good_quality": "good quality", "flg_available": "available"}


def field_name(name: str) -> str:
    """What people call a column."""
    return FIELDS.get(name, name.removesuffix("_id").replace("_", " "))


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "moment": moment,
    "number": number,
    "plain": plain,
    "field_name": field_name,
    "breaks": breaks,
}
