"""One event of a run, and its checksum."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """One event of a run."""

    seq: int
    """1, 2, 3 … without gaps."""
    at: float
    """Unix time, seconds."""
    sim_ns: int
    """The run's clock, nanoseconds."""
    event: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A record as a table holds it."""

    seq: int
    at: float
    sim_ns: int
    event: str
    data: str
    """Canonical JSON, ASCII."""
    crc: str
    """CRC-32 of the record's canonical JSON, eight hex digits."""


def canonical(value: Any) -> str:
    """The one spelling of a JSON value. Raises ValueError for NaN and infinities, TypeError for no JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def to_row(record: JournalRecord) -> Row:
    """Raises ValueError and TypeError as `canonical` does."""
    data, at = canonical(dict(record.data)), float(record.at)  # as the column gives it back
    body = _body(record.seq, at, record.sim_ns, record.event, data)
    return Row(record.seq, at, record.sim_ns, record.event, data, checksum(body))


def from_row(row: Row) -> JournalRecord:
    """Raises ValueError with a reason if anything differs from what was written."""
    try:
        body = _body(row.seq, row.at, row.sim_ns, row.event, row.data)
        data = json.loads(row.data)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError("is not a record") from error
    if checksum(body) != row.crc:
        raise ValueError("the checksum does not match")
    if not isinstance(data, dict):
        raise ValueError("is not a record")
    return JournalRecord(row.seq, row.at, row.sim_ns, row.event, data)


def checksum(body: str) -> str:
    """CRC-32 of a record's canonical JSON."""
    return f"{zlib.crc32(body.encode('utf-8', 'surrogatepass')):08x}"


def _body(seq: int, at: float, sim_ns: int, event: str, data: str) -> str:
    """The canonical JSON of a record; its data has that spelling already.

    As `canonical` would write it, in a third of the time: a journal may have a hundred thousand records.
    """
    if not math.isfinite(at):
        raise ValueError("a time that is no number")
    event = encode_basestring_ascii(event)
    return f'{{"at":{at!r},"data":{data},"event":{event},"seq":{seq},"sim_ns":{sim_ns}}}'
