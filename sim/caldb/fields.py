"""Fields of JSON objects: read with one message for each that is wrong, written as clients expect them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Table

from sim.caldb.tables import MAX_TEXT, VERSIONS
from sim.caldb.times import format_time, parse_time

BLANK = "can't be blank"
TAKEN = "has already been taken"
LARGEST = 2**63 - 1


class Invalid(Exception):
    """A request that fails validation; answered with 422 and the messages by field."""

    def __init__(self, info: Mapping[str, list[str]]) -> None:
        self.info = dict(info)
        super().__init__(str(self.info))


class NotFound(Exception):
    """Nothing is there; answered with 404."""


def read_fields(table: Table, body: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
    """The columns of *table* that a client may write, read from a JSON object; other keys are ignored.

    partial  an update: fields that are absent stay as they are
    Raises Invalid with all that is wrong.
    """
    values: dict[str, Any] = {}
    wrong: dict[str, list[str]] = {}
    for column in table.columns:
        if "kind" not in column.info or column.info.get("own") or (partial and column.name not in body):
            continue
        try:
            value = read_value(column.info["kind"], body.get(column.name))
            _check(column, value)
        except ValueError as error:
            wrong[column.name] = [str(error)]
            continue
        if value is not None or column.nullable:
            if value is None and column.default is not None and not partial:
                continue
            values[column.name] = value
    if wrong:
        raise Invalid(wrong)
    return values


def _check(column: Column[Any], value: Any) -> None:
    if value is None:
        if column.info.get("required"):
            raise ValueError(BLANK)
    elif column.info["kind"] == "text":
        longest = column.info.get("longest", MAX_TEXT)
        if len(value) > longest:
            raise ValueError(f"is too long (maximum is {longest} characters)")
        if column.info.get("required") and not value.strip():
            raise ValueError(BLANK)


def read_value(kind: str, value: Any) -> Any:
    """One value of a kind (text, integer, number, flag, time). None and, but for text, "" mean nothing given.

    Numbers and flags may come as strings. Raises ValueError with what is wrong.
    """
    if value is None or (value == "" and kind != "text"):
        return None
    return _READERS[kind](value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid text") from None
    if "\x00" in value:
        raise ValueError("holds a NUL")
    return value


def _read_integer(value: Any) -> int:
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            raise ValueError("is not an integer") from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise ValueError("is not an integer")
    return value


def _read_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("is not a number") from None
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number


def _read_flag(value: Any) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    text = str(value).lower()
    if not isinstance(value, (bool, int, str)) or text not in known:
        raise ValueError("is neither true nor false")
    return known[text]


def _read_time(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("is not a time; write ISO 8601, such as 2026-01-05T09:00:00+01:00")
    return parse_time(value)


_READERS = {
    "text": _read_text,
    "integer": _read_integer,
    "number": _read_number,
    "flag": _read_flag,
    "time": _read_time,
}


def render(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a JSON object: times in Berlin, absent descriptions as empty texts (but those of versions)."""
    shown: dict[str, Any] = {}
    for column in table.columns:
        if column.info.get("hidden"):
            continue
        value = row[column.name]
        if column.info.get("kind") == "time":
            value = format_time(value)
        elif column.name == "description" and value is None and table is not VERSIONS:
            value = ""
        shown[column.name] = value
    return shown
