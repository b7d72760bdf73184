"""What goes over a remote's socket, the client's side. Pure; schema: docs/caldb-remotes.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final

import msgpack

from pipeline.constants.model import ConstantVersion

SCHEMA: Final = "stellwerk-caldb-remote/1"
MOST_HEADER_BYTES: Final = 4 << 20


class AnswerMalformed(ValueError):
    """Bytes that are no answer of this schema; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a remote does not do what was asked."""

    kind: str
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read as far as all answers are alike."""

    remote: str
    content: Mapping[str, Any]
    data: memoryview | None
    refused: Refused | None


@dataclass(frozen=True, slots=True)
class Described:
    """An array without its values."""

    dtype: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A parameter of a stored condition: it allows `value - lower … value + upper`, both included."""

    name: str
    value: float | str
    lower: float
    upper: float

    def allows(self, value: object) -> bool:
        """Whether a value lies within the deviations, or the texts are equal."""
        if isinstance(self.value, str) or isinstance(value, str):
            return self.value == value
        if not isinstance(value, int | float):
            return False
        return self.value - self.lower <= value <= self.value + self.upper


def request_header(number: int, operation: str, fields: Mapping[str, Any]) -> bytes:
    """The header frame of a request."""
    return bytes(
        msgpack.packb({"schema": SCHEMA, "id": number, "operation": operation, **fields}, use_bin_type=True)
    )


def read_answer(frames: Sequence[memoryview], number: int) -> Answer:
    """The answer to request *number*. Raises AnswerMalformed."""
    if not 1 <= len(frames) <= 2:
        raise AnswerMalformed(f"the answer has {len(frames)} frames")
    if len(frames[0]) > MOST_HEADER_BYTES:
        raise AnswerMalformed(f"the answer's header has {len(frames[0])} bytes")
    try:
        header = msgpack.unpackb(frames[0], strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException):
        raise AnswerMalformed("the answer is no msgpack") from None
    if not isinstance(header, dict):
        raise AnswerMalformed("the answer's header is no map")
    if header.get("schema") != SCHEMA:
        raise AnswerMalformed(f"the answer is not of schema {SCHEMA} but {str(header.get('schema'))[:60]!r}")
    remote, ok = _typed(header, "remote", str), _typed(header, "ok", bool)
    # What a remote could not read has no number.
    if header.get("id") != number and not (not ok and header.get("id") is None):
        raise AnswerMalformed(f"the answer is to request {header.get('id')!r}, not {number}")
    data = frames[1] if len(frames) == 2 else None
    return Answer(remote, header, data, None if ok else _read_refused(header))


def _read_refused(header: Mapping[str, Any]) -> Refused:
    error = _typed(header, "error", dict)
    return Refused(_typed(error, "kind", str), _typed(error, "message", str)[:1000], error)


def read_version(given: object) -> ConstantVersion:
    """A version as remotes describe it. Raises AnswerMalformed."""
    entry = _map("version", given)
    module = entry.get("module")
    karabo_da = _typed(entry, "karabo_da", str)
    try:
        return ConstantVersion(
            id=_typed(entry, "id", int),
            calibration=_typed(entry, "calibration", str),
            module=int(karabo_da[-2:]) if module is None else _typed(entry, "module", int),
            pdu=_typed(entry, "pdu", str),
            karabo_da=karabo_da,
            begin_at=_time(entry, "begin_at"),
            created_at=_time(entry, "created_at"),
            file=PurePosixPath(_typed(entry, "path", str)),
            data_set=_typed(entry, "data_set", str),
            raw_data_location=_typed(entry, "raw_data_location", str),
            constant_id=_typed(entry, "constant_id", int),
            unit_id=_typed(entry, "unit_id", int),
        )
    except (ValueError, OverflowError) as error:
        raise AnswerMalformed(f"the answer's version is incomplete ({error})") from None


def read_conditions(given: object) -> list[Condition]:
    """The parameters of a stored condition. Raises AnswerMalformed."""
    if not isinstance(given, list):
        raise AnswerMalformed("the answer's conditions are no list")
    return [_read_condition(_map("condition", entry)) for entry in given]


def _read_condition(entry: Mapping[str, Any]) -> Condition:
    value = entry.get("value")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AnswerMalformed("the answer holds a condition without a value")
    lower, upper = (_typed(entry, side, (int, float)) for side in ("lower", "upper"))
    return Condition(_typed(entry, "name", str), value, lower, upper)


def read_described(given: object) -> Described:
    """What an answer says of its array. Raises AnswerMalformed."""
    entry = _map("array", given)
    shape, dims = _typed(entry, "shape", list), _typed(entry, "dims", list)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**40 for n in shape):
        raise AnswerMalformed(f"the answer's array has no possible shape ({str(shape)[:60]})")
    if len(shape) > 8 or not all(isinstance(label, str) for label in dims):
        raise AnswerMalformed("the answer's array has no readable axes")
    return Described(_typed(entry, "dtype", str), tuple(shape), tuple(dims), _typed(entry, "sha256", str))


def _map(what: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise AnswerMalformed(f"the answer holds no {what}")
    return given


def _typed(entry: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    value = entry.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise AnswerMalformed(f"the answer's field {name!r} is missing or of a wrong type")
    return value


def _time(entry: Mapping[str, Any], name: str) -> datetime:
    at = datetime.fromisoformat(_typed(entry, name, str))
    if at.tzinfo is None:
        raise AnswerMalformed(f"the answer's {name} has no time zone")
    return at
