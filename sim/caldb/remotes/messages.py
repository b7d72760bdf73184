"""What goes over a remote's socket: frames into requests, answers into frames. Pure; schema: docs/caldb-remotes.md.

Bytes come from anybody, so every size is bounded before it is believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import msgpack

from sim.caldb.remotes.fields import Fields, Parameters, Refusal

SCHEMA: Final = "stellwerk-caldb-remote/1"
MOST_HEADER_BYTES: Final = 1 << 16
"""A request's header holds names and numbers; 64 KiB are a hundred times what it needs."""
MOST_AXES: Final = 6
LARGEST_ID: Final = 2**63 - 1

Strategy = Literal["closest", "prior", "exact"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which versions are meant: of whom, what, under which conditions, in force when."""

    detector: str
    karabo_das: tuple[str, ...]
    """Aggregators; none: all of the detector."""
    calibrations: tuple[str, ...]
    parameters: Parameters
    event_at: str
    """ISO 8601; empty: now."""
    snapshot_at: str
    strategy: Strategy


@dataclass(frozen=True, slots=True)
class Search:
    """Asks which versions fit."""

    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Fetch:
    """Asks for one constant, by its version's id or by a lookup."""

    version_id: int | None
    lookup: Lookup | None
    meta_only: bool
    """True: where it is and what it must look like; the client reads the file itself."""


@dataclass(frozen=True, slots=True)
class Described:
    """An array without its values."""

    dtype: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    sha256: str
    """Of dtype, shape and values; empty: not known."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Brings a new constant."""

    detector: str
    karabo_da: str
    calibration: str
    parameters: Parameters
    begin_at: str
    raw_data_location: str
    description: str
    array: Described
    data: memoryview


@dataclass(frozen=True, slots=True)
class Status:
    """Asks how the remote is; answered out of turn."""


Body = Search | Fetch | Inject | Status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. *number* comes back in its answer."""

    number: int
    body: Body


@dataclass(frozen=True, slots=True)
class Answer:
    """What a remote says: fields of the header, and the array's bytes where there are any."""

    content: Mapping[str, Any] = field(default_factory=dict)
    data: memoryview | None = None


def read_request(frames: Sequence[bytes | memoryview]) -> Request:
    """A request from its frames: the header, and for `inject` the data. Raises Refusal."""
    if not 1 <= len(frames) <= 2:
        raise Refusal(
            "malformed", f"a request has a header and at most one data frame, not {len(frames)} frames"
        )
    header = _unpacked(frames[0])
    fields = Fields(header)
    number = fields.integer("id", 0, LARGEST_ID, default=0)
    try:
        return Request(number, _read_body(fields, frames[1] if len(frames) == 2 else None))
    except Refusal as refusal:
        refusal.number = number
        raise


def _unpacked(raw: bytes | memoryview) -> dict[str, Any]:
    if len(raw) > MOST_HEADER_BYTES:
        raise Refusal("malformed", f"the header has {len(raw)} bytes; at most {MOST_HEADER_BYTES} are read")
    try:
        header = msgpack.unpackb(raw, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.exceptions.UnpackException):
        raise Refusal("malformed", "the header is no msgpack") from None
    if not isinstance(header, dict):
        raise Refusal("malformed", f"the header is no map but {type(header).__name__}")
    return header


def _read_body(fields: Fields, data: bytes | memoryview | None) -> Body:
    schema = fields.text("schema", default="")
    if schema != SCHEMA:
        raise Refusal(
            "schema", f"this remote speaks {SCHEMA}, not {schema[:60]!r}; use a client of that version"
        )
    operation = fields.text("operation")
    if operation != "inject" and data is not None:
        raise Refusal("malformed", f"{operation[:60]!r} has no data frame")
    body: Body
    if operation == "search":
        body = Search(_read_lookup(fields))
    elif operation == "fetch":
        body = _read_fetch(fields)
    elif operation == "inject":
        body = _read_inject(fields, data)
    elif operation == "status":
        body = Status()
    else:
        raise Refusal(
            "malformed", f"no operation {operation[:60]!r}; there are: search, fetch, inject, status"
        )
    fields.nothing_else()
    return body


def _read_lookup(fields: Fields) -> Lookup:
    return Lookup(
        detector=fields.text("detector"),
        karabo_das=fields.texts("karabo_das", most=64),
        calibrations=fields.texts("calibrations", most=64),
        parameters=fields.parameters("parameters"),
        event_at=fields.text("event_at", default=""),
        snapshot_at=fields.text("snapshot_at", default=""),
        strategy=_strategy(fields.text("strategy", default="closest")),
    )


def _strategy(name: str) -> Strategy:
    for strategy in get_args(Strategy):
        if name == strategy:
            known: Strategy = strategy
            return known
    raise Refusal("malformed", "strategy is none of closest, prior, exact")


def _read_fetch(fields: Fields) -> Fetch:
    meta_only = fields.flag("meta_only")
    if fields.has("version_id"):
        return Fetch(fields.integer("version_id", 1, LARGEST_ID), None, meta_only)
    lookup = _read_lookup(fields)
    if len(lookup.karabo_das) != 1 or len(lookup.calibrations) != 1:
        raise Refusal(
            "malformed", "fetch needs a version_id, or exactly one of karabo_das and of calibrations"
        )
    return Fetch(None, lookup, meta_only)


def _read_inject(fields: Fields, data: bytes | memoryview | None) -> Inject:
    if data is None:
        raise Refusal("malformed", "inject needs a data frame")
    described = Fields(fields.map("array"), "array.")
    array = Described(
        dtype=described.text("dtype"),
        shape=described.integers("shape", MOST_AXES),
        dims=described.texts("dims", most=MOST_AXES),
        sha256=described.text("sha256"),
    )
    described.nothing_else()
    return Inject(
        detector=fields.text("detector"),
        karabo_da=fields.text("karabo_da"),
        calibration=fields.text("calibration"),
        parameters=fields.parameters("parameters"),
        begin_at=fields.text("begin_at"),
        raw_data_location=fields.text("raw_data_location", default="", most=4096),
        description=fields.text("description", default="", most=4096),
        array=array,
        data=memoryview(data),
    )


def answer_frames(remote: str, number: int | None, answer: Answer) -> list[bytes | memoryview]:
    """The frames of an answer that carries what was asked for."""
    header = {"schema": SCHEMA, "id": number, "remote": remote, "ok": True, **answer.content}
    frames: list[bytes | memoryview] = [_packed(header)]
    if answer.data is not None:
        frames.append(answer.data)
    return frames


def refusal_frames(remote: str, refusal: Refusal) -> list[bytes | memoryview]:
    """The frames of an answer that says why not."""
    error = {"kind": refusal.kind, "message": refusal.message, **refusal.details}
    header = {"schema": SCHEMA, "id": refusal.number, "remote": remote, "ok": False, "error": error}
    return [_packed(header)]


def _packed(header: Mapping[str, Any]) -> bytes:
    return bytes(msgpack.packb(header, use_bin_type=True))
