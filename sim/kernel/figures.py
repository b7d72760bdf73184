"""Figures that nobody published: each stands in one place, may be set in the bench file, and tells its origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

Origin = Literal["sourced", "general knowledge", "design choice"]
"""sourced: a manual or published code. general knowledge: how such devices usually are. design choice: ours."""


class Figures(BaseModel):
    """A table of figures; each field is made by `figure`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def figure(
    default: Any, about: str, *, unit: str = "", origin: Origin = "design choice", **limits: Any
) -> Any:
    """A field of a table of figures.

    unit    as a person writes it; empty for pure numbers and texts
    limits  pydantic's: ge, gt, le, lt
    """
    return Field(default, description=about, json_schema_extra={"unit": unit, "origin": origin}, **limits)


@dataclass(frozen=True, slots=True)
class ListedFigure:
    """One figure as `stellwerk sim doc` lists it."""

    key: str
    value: Any
    unit: str
    origin: Origin
    about: str


def listed(table: type[Figures], prefix: str = "") -> Iterator[ListedFigure]:
    """The figures of a table, nested tables with their dotted keys."""
    for name, field in table.model_fields.items():
        key = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Figures):
            yield from listed(field.annotation, f"{key}.")
            continue
        extra = field.json_schema_extra
        assert isinstance(extra, dict), f"{table.__name__}.{name} is not made by figure()"
        unit, origin = str(extra["unit"]), cast("Origin", extra["origin"])
        yield ListedFigure(key, field.default, unit, origin, field.description or "")
